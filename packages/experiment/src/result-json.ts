import { nestedArrays, rowsOf, type Matrix, type MethodVerdict, type NestedNumbers, type Tensor } from "@finitewidth/core";
import type { MethodOutcome } from "./method-outcome.js";
import type { Plan } from "./plan.js";
import type { ProblemOutcome, StepOutcome } from "./run-experiment.js";
import { refereeToJson } from "./verdicts.js";

const pair = (prediction: { readonly mean: Matrix; readonly variance: Matrix; readonly probabilities?: Matrix }) => ({
  mean: rowsOf(prediction.mean),
  variance: rowsOf(prediction.variance),
  ...(prediction.probabilities ? { probabilities: rowsOf(prediction.probabilities) } : {}),
});
const parameter = (value: number | Tensor): NestedNumbers => (typeof value === "number" ? value : nestedArrays(value));
const kernels = (list: readonly Matrix[]) => list.map((kernel, l) => ({ layer: l + 1, mean: rowsOf(kernel) }));

/** Training points up to which hidden kernels are written as text; beyond, they go to a file of their own (`largeKernels`). */
export const kernelTextLimit = 200;

const fitsText = (kernel: Matrix): boolean => kernel.shape[0] <= kernelTextLimit;

/** Hidden kernels that are too large for text, named for an .npz file: `exact_layer_1`, … */
export function largeKernels(outcome: MethodOutcome, prefix = ""): Record<string, Matrix> {
  if (outcome.status === "failed") return {};
  const kernels = (outcome.posterior.hiddenKernels ?? []).filter((kernel) => !fitsText(kernel));
  return Object.fromEntries(kernels.map((kernel, l) => [`${prefix}${outcome.label}_layer_${l + 1}`, kernel]));
}

/** The method's entry in `result.json`, with what the referee says about it. */
export function outcomeToJson(outcome: MethodOutcome, verdict?: MethodVerdict): Record<string, unknown> {
  if (outcome.status === "failed") return { status: "failed", error: outcome.error.message, seconds: outcome.seconds };
  const { posterior, predictive } = outcome;
  const { standardError: scoreErrors, ...scores } = outcome.classification ?? { standardError: undefined };
  const errors = {
    ...(posterior.standardError?.logEvidence === undefined ? {} : { logEvidence: posterior.standardError.logEvidence }),
    ...(predictive?.standardError ? { predictive: pair(predictive.standardError) } : {}),
    ...(posterior.train?.standardError ? { train: pair(posterior.train.standardError) } : {}),
    ...(outcome.generalizationStandardError ? { generalizationError: outcome.generalizationStandardError } : {}),
    ...(scoreErrors ? { classification: scoreErrors } : {}),
    ...(posterior.standardError?.orderParameter === undefined ? {} : { orderParameter: parameter(posterior.standardError.orderParameter) }),
    ...(posterior.standardError?.hiddenKernels?.every(fitsText) ? { hiddenKernels: kernels(posterior.standardError.hiddenKernels) } : {}),
    ...(posterior.standardError?.hiddenKernelShifts?.every(fitsText)
      ? { hiddenKernelShifts: kernels(posterior.standardError.hiddenKernelShifts) }
      : {}),
  };
  return {
    status: "ok",
    ...(verdict ? { verdict } : {}),
    ...(posterior.logEvidence === undefined ? {} : { logEvidence: posterior.logEvidence }),
    ...(predictive ? { predictive: pair(predictive) } : {}),
    ...(posterior.train ? { train: pair(posterior.train) } : {}),
    ...(outcome.generalizationError ? { generalizationError: outcome.generalizationError } : {}),
    ...(outcome.classification ? { classification: scores } : {}),
    ...(posterior.orderParameter === undefined ? {} : { orderParameter: parameter(posterior.orderParameter) }),
    ...(posterior.hiddenKernels?.every(fitsText) ? { hiddenKernels: kernels(posterior.hiddenKernels) } : {}),
    ...(posterior.hiddenKernelShifts?.every(fitsText) ? { hiddenKernelShifts: kernels(posterior.hiddenKernelShifts) } : {}),
    ...(Object.keys(errors).length > 0 ? { standardError: errors } : {}),
    diagnostics: {
      ...posterior.diagnostics,
      ...(predictive?.diagnostics ? { predictive: predictive.diagnostics } : {}),
      solver: posterior.solver,
    },
    warnings:
      posterior.hiddenKernels?.every(fitsText) === false
        ? [...outcome.warnings, `hidden kernels of more than ${kernelTextLimit} points are in hidden-kernels.npz`]
        : outcome.warnings,
    seconds: outcome.seconds,
  };
}

/** `hidden-kernels.npz`: kernels that are too large for text, by method and layer, and by step and network where there are several. */
export function hiddenKernelArrays(steps: readonly StepOutcome[]): Record<string, Matrix> {
  return Object.assign(
    {},
    ...steps.flatMap(({ step, problems }, s) =>
      problems.flatMap(({ problem, outcomes }) =>
        outcomes.map((outcome) =>
          largeKernels(outcome, `${step.values ? `step_${s}_` : ""}${problem.label === undefined ? "" : `${problem.label}_`}`),
        ),
      ),
    ),
  ) as Record<string, Matrix>;
}

/**
 * `draws.npz`: what methods with `"save": true` sampled, as it stands in their posteriors, (chain, draw, …) as ArviZ reads it. The arrays
 * of one method have their own names, those of several the labels of step, network and method in front.
 */
export function savedDraws(steps: readonly StepOutcome[]): Record<string, Tensor> {
  const saved = steps.flatMap(({ step, problems }, s) =>
    problems.flatMap(({ problem, outcomes }) =>
      outcomes.flatMap((outcome) => {
        if (outcome.status === "failed" || !problem.methods.some(({ label, save }) => save && label === outcome.label)) return [];
        const place = [step.values ? `step_${s}` : undefined, problem.label, outcome.label].filter((part) => part !== undefined);
        return [{ prefix: `${place.join("_")}_`, arrays: tensorsOf(outcome.posterior.state) }];
      }),
    ),
  );
  return Object.assign(
    {},
    ...saved.map(({ prefix, arrays }) =>
      Object.fromEntries(Object.entries(arrays).map(([name, array]) => [saved.length > 1 ? `${prefix}${name}` : name, array])),
    ),
  ) as Record<string, Tensor>;
}

const tensorsOf = (state: unknown): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(typeof state === "object" && state !== null ? state : {}).filter(
      (entry): entry is [string, Tensor] => typeof entry[1] === "object" && entry[1] !== null && "data" in entry[1] && "shape" in entry[1],
    ),
  );

/** Content of `result.json`. The network and the methods are given with their defaults filled in; `more` goes in beside the results. */
export function resultToJson(plan: Plan, steps: readonly StepOutcome[], more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    schemaVersion: 1,
    experiment: resolvedExperiment(plan),
    ...(plan.experiment.sweep
      ? {
          sweep: steps.map((one) => ({
            values: one.step.values,
            ...classesOf(one),
            results: stepResults(one),
            ...refereeToJson(one.problems),
          })),
        }
      : { ...classesOf(steps[0]), results: steps[0] ? stepResults(steps[0]) : {}, ...refereeToJson(steps[0]?.problems ?? []) }),
    ...more,
  };
}

/** Names of the classes, in the order of the columns of `probabilities`. */
const classesOf = (one: StepOutcome | undefined): { readonly classes?: readonly string[] } =>
  one?.step.data.classes ? { classes: one.step.data.classes } : {};

const stepResults = ({ problems }: StepOutcome): Record<string, unknown> => {
  const methods = ({ outcomes, verdicts }: ProblemOutcome) =>
    Object.fromEntries(outcomes.map((one) => [one.label, outcomeToJson(one, verdicts?.verdicts[one.label])]));
  const [first] = problems;
  if (first === undefined) return {};
  return first.problem.label === undefined ? methods(first) : Object.fromEntries(problems.map((one) => [one.problem.label, methods(one)]));
};

/** The experiment as read, with the defaults of networks and methods where no sweep changes them. */
export function resolvedExperiment({ experiment, steps }: Plan): Record<string, unknown> {
  const { problems } = steps[0]!;
  const resolved = problems.map(({ label, problem }) => (label === undefined ? problem.network : { label, ...problem.network }));
  const methods = problems[0]!.methods.map(({ label, method, options, gradients, save }) => ({
    method,
    ...(label === method ? {} : { label }),
    ...(options as object),
    ...(gradients ? { gradients } : {}),
    ...(save ? { save } : {}),
  }));
  const networks = experiment.networks ? { networks: resolved } : { network: resolved[0] };
  return { ...experiment, ...(experiment.sweep ? {} : networks), methods: experiment.methods === "applicable" ? "applicable" : methods };
}
