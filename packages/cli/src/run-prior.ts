import {
  checkInputs,
  FinitewidthError,
  inputError,
  nestedArrays,
  refusal,
  resolveNetworkInput,
  shapeError,
  toMatrix,
  validate,
  type Json,
  type PriorFile,
  type PriorProblem,
  type PriorResult,
  type Registry,
  type Run,
  type Tensor,
} from "@finitewidth/core";
import type { PlannedMethod } from "./run-experiment.js";

/** A prior question with everything resolved. */
export interface PriorPlan {
  readonly file: PriorFile;
  readonly registry: Registry;
  readonly problem: PriorProblem;
  readonly methods: readonly PlannedMethod[];
}

/** What one method answered. */
export type PriorOutcome =
  | { readonly method: string; readonly status: "ok"; readonly result: PriorResult; readonly seconds: number }
  | { readonly method: string; readonly status: "failed"; readonly error: Error; readonly seconds: number };

/** Checks a prior file. @throws FinitewidthError (code "input" or "shape") naming the field. */
export function planPrior(file: PriorFile, registry: Registry): PriorPlan {
  const network = resolveNetworkInput(file.network, registry);
  const inputs = checkInputs(toMatrix(file.inputs, "inputs"), network, registry, "inputs");
  const evaluateAt = file.evaluateAt.map((rows, i) => {
    const point = toMatrix(rows, `evaluateAt[${i}]`);
    if (point.shape[0] !== inputs.shape[0] || point.shape[1] !== file.outputs) {
      throw shapeError(`evaluateAt[${i}]`, `${inputs.shape[0]} × ${file.outputs} numbers`, `${point.shape[0]} × ${point.shape[1]}`);
    }
    return point;
  });
  const methods = file.methods.map((entry, i): PlannedMethod => {
    const theory = registry.theory(entry.method, `methods[${i}]`);
    return { name: entry.method, theory, options: validate(theory.options, entry.options, `methods[${i}]`) };
  });
  methods.forEach(({ name }, i) => {
    if (methods.findIndex((other) => other.name === name) !== i) throw inputError(`methods[${i}]`, "each method once", name);
  });
  return { file, registry, methods, problem: { network, inputs, outputs: file.outputs, evaluateAt, samples: file.samples } };
}

/** Asks every method; failures leave the others alone. */
export async function runPrior(plan: PriorPlan, run: Run, onMethod?: (label: string) => void): Promise<PriorOutcome[]> {
  const outcomes: PriorOutcome[] = [];
  for (const { name, theory, options } of plan.methods) {
    const started = performance.now();
    const seconds = (): number => (performance.now() - started) / 1000;
    onMethod?.(name);
    try {
      if (!theory.prior) throw refusal(name, "answers no prior questions; use nngp, exact, perturbative or monte-carlo.");
      const reason = theory.refusesPrior?.(plan.problem, options, plan.registry);
      if (reason !== undefined) throw refusal(name, reason);
      const result = await theory.prior(plan.problem, options, run);
      const bad = Object.entries(result).find(
        ([key, value]) => key !== "logDensity" && isTensor(value) && value.data.some((entry) => !Number.isFinite(entry)),
      )?.[0];
      if (bad !== undefined)
        throw new FinitewidthError(`[${name}] ${bad} came out as a number that is not finite; the result is withheld`, {
          code: "not-converged",
          path: bad,
        });
      outcomes.push({ method: name, status: "ok", result, seconds: seconds() });
    } catch (error) {
      run.signal?.throwIfAborted();
      outcomes.push({
        method: name,
        status: "failed",
        error: error instanceof Error ? error : new Error(String(error)),
        seconds: seconds(),
      });
    }
  }
  return outcomes;
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
