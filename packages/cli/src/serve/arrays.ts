import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Json, Tensor } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import { savedDraws, type MethodOutcome, type Plan, resultToJson, type StepOutcome } from "@finitewidth/experiment";

/** Lists of numbers up to this length stay text; matrices never do. */
const longestText = 16;

/** Arrays that leave for an .npz file, each with the note that stands in its place. */
export class ArrayFile {
  readonly #arrays: Record<string, Tensor> = {};

  put(name: string, tensor: Tensor): { readonly $array: string } {
    this.#arrays[name] = tensor;
    return { $array: name };
  }

  /** The value with every rectangular array of numbers replaced by its name, which is its path. */
  detach(value: unknown, path: string): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (!Array.isArray(value))
      return Object.fromEntries(
        Object.entries(value).map(([key, entry]) => [key, this.detach(entry, path === "" ? key : `${path}/${key}`)]),
      );
    const shape = shapeOf(value);
    if (shape && (shape.length > 1 || value.length > longestText))
      return this.put(path, { data: Float64Array.from(value.flat(shape.length - 1) as number[]), shape });
    return value.map((entry, i) => this.detach(entry, `${path}/${i}`));
  }

  /** Writes `arrays.npz` into the folder, if there are any. */
  async write(folder: string): Promise<void> {
    if (Object.keys(this.#arrays).length > 0) await writeFile(join(folder, "arrays.npz"), encodeNpz(this.#arrays));
  }
}

/** Shape of nested arrays that hold numbers only and have no ragged edge. */
function shapeOf(value: readonly unknown[]): readonly number[] | undefined {
  if (value.length === 0) return undefined;
  if (value.every((entry) => typeof entry === "number")) return [value.length];
  let inner: readonly number[] | undefined;
  for (const entry of value) {
    const shape = Array.isArray(entry) ? shapeOf(entry) : undefined;
    if (!shape || (inner && shape.join() !== inner.join())) return undefined;
    inner = shape;
  }
  return [value.length, ...inner!];
}

/**
 * Content of `result.json` with its arrays in `arrays.npz` of the folder. Hidden kernels of any size only where they are asked for: they
 * are most of what a result weighs.
 */
export async function packResult(
  plan: Plan,
  steps: readonly StepOutcome[],
  { kernels, folder, more = {} }: { readonly kernels: boolean; readonly folder: string; readonly more?: Record<string, unknown> },
): Promise<unknown> {
  const file = new ArrayFile();
  const sent = steps.map((step) => ({
    ...step,
    problems: step.problems.map((one) => ({ ...one, outcomes: one.outcomes.map(kernels ? withoutText : withoutKernels) })),
  }));
  const { experiment, ...results } = resultToJson(plan, sent, more);
  const json = { experiment, ...(file.detach(results, "") as object) } as unknown as Record<string, never>;
  if (kernels)
    steps.forEach(({ problems }, s) => {
      for (const { problem, outcomes } of problems)
        for (const outcome of outcomes) {
          if (outcome.status === "failed" || !outcome.posterior.hiddenKernels) continue;
          const path = [...(plan.experiment.sweep ? ["sweep", s] : []), "results", ...(problem.label === undefined ? [] : [problem.label])];
          const entry = [...path, outcome.label].reduce((node: Record<string, never>, key) => node[key]!, json) as Record<string, unknown>;
          entry.hiddenKernels = outcome.posterior.hiddenKernels.map((kernel, l) => ({
            layer: l + 1,
            mean: file.put([...path, outcome.label, "hiddenKernels", l + 1].join("/"), kernel),
          }));
        }
    });
  const draws = Object.entries(savedDraws(steps)).map(([name, tensor]) => [name, file.put(`draws/${name}`, tensor)]);
  await file.write(folder);
  return draws.length > 0 ? { ...json, draws: Object.fromEntries(draws) as unknown } : json;
}

/** An outcome whose hidden kernels do not become text. */
function withoutText(outcome: MethodOutcome): MethodOutcome {
  if (outcome.status === "failed") return outcome;
  const { hiddenKernels: _, ...posterior } = outcome.posterior;
  return { ...outcome, posterior };
}

/** An outcome without its hidden kernels and whatever else has a number for every pair of training points. */
export function withoutKernels(outcome: MethodOutcome): MethodOutcome {
  if (outcome.status === "failed") return outcome;
  const { hiddenKernels: _, hiddenKernelShifts: _shifts, standardError = {}, ...posterior } = outcome.posterior;
  const { hiddenKernels: _errors, hiddenKernelShifts: _shiftErrors, ...errors } = standardError;
  const diagnostics = withoutPairs(posterior.diagnostics, posterior.problem.inputs.shape[0]) as typeof posterior.diagnostics;
  return { ...outcome, posterior: { ...posterior, diagnostics, standardError: errors } };
}

/** A value without the points × points matrices in it, but for those that are short. */
function withoutPairs(value: Json, points: number): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((entry) => withoutPairs(entry, points));
  const isPairs = (entry: Json): boolean =>
    Array.isArray(entry) && entry.length ** 2 > longestText && shapeOf(entry)?.join() === `${points},${points}`;
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, entry]) => (isPairs(entry) ? [] : [[key, withoutPairs(entry, points)] as const])),
  );
}
