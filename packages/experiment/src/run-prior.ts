import {
  checkInputs,
  FinitewidthError,
  nestedArrays,
  refusal,
  resolveNetworkInput,
  shapeError,
  toMatrix,
  validateAll,
  type Json,
  type Matrix,
  type PriorProblem,
  type PriorResult,
  type Registry,
  type Run,
  type Tensor,
} from "@finitewidth/core";
import { valueLimit } from "./limits.js";
import { MistakeList } from "./mistakes.js";
import { parsePriorParts } from "./parse.js";
import { resolveMethod, type PlannedMethod } from "./planned-methods.js";
import type { PriorFile } from "./schema.js";

/** A prior question with everything resolved. */
export interface PriorPlan {
  readonly file: PriorFile;
  readonly registry: Registry;
  readonly problem: PriorProblem;
  readonly methods: readonly PlannedMethod[];
}

/** What one method answered. */
export type PriorOutcome = { readonly label: string; readonly method: string; readonly named: boolean; readonly seconds: number } & (
  { readonly status: "ok"; readonly result: PriorResult } | { readonly status: "failed"; readonly error: Error }
);

/** Checks a prior file. @throws FinitewidthError (code "input" or "shape") naming every wrong field. */
export function planPrior(value: unknown, registry: Registry): PriorPlan {
  const mistakes = new MistakeList();
  const file = parsePriorParts(value, mistakes);
  const entries = file.methods;
  const named = Array.isArray(entries) ? entries.flatMap((entry, i) => resolveMethod(entry, i, entries, registry, mistakes) ?? []) : [];
  const network = file.network && mistakes.attempt(() => resolveNetworkInput(file.network!, registry));
  const inputs =
    network && file.inputs && mistakes.attempt(() => checkInputs(toMatrix(file.inputs!, "inputs"), network, registry, "inputs"));
  const outputs = file.outputs ?? 1;
  // values of f are measured against the outputs, where those are right
  const measured = !mistakes.errors.some(({ path }) => path === "outputs");
  const evaluateAt =
    inputs && measured
      ? (file.evaluateAt ?? []).flatMap((rows, i) => mistakes.attempt(() => pointOf(rows, i, inputs, outputs)) ?? [])
      : undefined;
  mistakes.throwIfAny();
  const problem: PriorProblem = { network: network!, inputs: inputs!, outputs, evaluateAt: evaluateAt!, samples: file.samples! };
  return { file: file as PriorFile, registry, problem, methods: entries === "applicable" ? applicable(problem, registry) : named };
}

function pointOf(rows: number[][], i: number, inputs: Matrix, outputs: number): Matrix {
  const point = toMatrix(rows, `evaluateAt[${i}]`);
  valueLimit(rows, `evaluateAt[${i}]`);
  if (point.shape[0] !== inputs.shape[0] || point.shape[1] !== outputs)
    throw shapeError(`evaluateAt[${i}]`, `${inputs.shape[0]} × ${outputs} numbers`, `${point.shape[0]} × ${point.shape[1]}`);
  return point;
}

/** Every registered theory that answers prior questions, takes its default options and does not refuse this one. */
function applicable(problem: PriorProblem, registry: Registry): PlannedMethod[] {
  return registry.theories.flatMap((theory): PlannedMethod[] => {
    const options = validateAll(theory.options, {});
    if (!theory.prior || "errors" in options) return [];
    if (theory.refusesPrior?.(problem, options.value, registry) !== undefined) return [];
    return [{ label: theory.name, method: theory.name, theory, options: options.value, named: false }];
  });
}

/** How prior questions are asked. */
export interface PriorHooks {
  readonly onStart?: (method: PlannedMethod) => void;
  readonly onResult?: (method: PlannedMethod, outcome: PriorOutcome) => void | Promise<void>;
  readonly recall?: (method: PlannedMethod) => PriorOutcome | undefined | Promise<PriorOutcome | undefined>;
}

/** Asks every method; failures leave the others alone. Costs what the methods cost, one after the other. */
export async function runPrior(plan: PriorPlan, run: Run, hooks: PriorHooks = {}): Promise<PriorOutcome[]> {
  const outcomes: PriorOutcome[] = [];
  for (const method of plan.methods) {
    run.signal?.throwIfAborted();
    const earlier = await hooks.recall?.(method);
    if (!earlier) hooks.onStart?.(method);
    const outcome = earlier ?? (await ask(method, plan, run));
    outcomes.push(outcome);
    await hooks.onResult?.(method, outcome);
  }
  return outcomes;
}

async function ask({ label, method, named, theory, options }: PlannedMethod, plan: PriorPlan, run: Run): Promise<PriorOutcome> {
  const started = performance.now();
  const seconds = (): number => (performance.now() - started) / 1000;
  const own = { label, method, named };
  try {
    if (!theory.prior) throw refusal(method, "answers no prior questions; `finitewidth plugins` lists those that do.");
    const reason = theory.refusesPrior?.(plan.problem, options, plan.registry);
    if (reason !== undefined) throw refusal(method, reason);
    const result = await theory.prior(plan.problem, options, run);
    const bad = Object.entries(result).find(
      ([key, value]) => key !== "logDensity" && isTensor(value) && value.data.some((entry) => !Number.isFinite(entry)),
    )?.[0];
    if (bad !== undefined)
      throw new FinitewidthError(`[${method}] ${bad} came out as a number that is not finite; the result is withheld`, {
        code: "not-converged",
        path: bad,
      });
    return { ...own, status: "ok", result, seconds: seconds() };
  } catch (error) {
    run.signal?.throwIfAborted();
    return { ...own, status: "failed", error: error instanceof Error ? error : new Error(String(error)), seconds: seconds() };
  }
}

const isTensor = (value: unknown): value is Tensor => typeof value === "object" && value !== null && "data" in value && "shape" in value;

/** Tensors as nested arrays, vectors as arrays, the rest as it is. */
function plain(value: unknown): unknown {
  if (value instanceof Float64Array) return Array.from(value);
  if (isTensor(value)) return nestedArrays(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
  return value;
}

/** The method's entry in `prior.json`. */
export function priorOutcomeToJson(outcome: PriorOutcome): Record<string, unknown> {
  if (outcome.status === "failed") return { status: "failed", error: outcome.error.message, seconds: outcome.seconds };
  const { figures: _figures, ...result } = outcome.result;
  return { status: "ok", ...(plain(result) as Record<string, Json>), seconds: outcome.seconds };
}
