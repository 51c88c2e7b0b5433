import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Tensor } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import { savedDraws, type Plan, resultToJson, type StepOutcome } from "@finitewidth/experiment";

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
  const { experiment, ...results } = resultToJson(plan, steps.map(withoutKernels), more);
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

const withoutKernels = ({ step, problems }: StepOutcome): StepOutcome => ({
  step,
  problems: problems.map((one) => ({
    ...one,
    outcomes: one.outcomes.map((outcome) => {
      if (outcome.status === "failed") return outcome;
      const { hiddenKernels: _, standardError, ...posterior } = outcome.posterior;
      const { hiddenKernels: __, ...errors } = standardError ?? {};
      return { ...outcome, posterior: { ...posterior, ...(standardError ? { standardError: errors } : {}) } };
    }),
  })),
});
