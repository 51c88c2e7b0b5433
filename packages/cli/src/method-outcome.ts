import {
  nestedArrays,
  rowsOf,
  type FinitewidthError,
  type Matrix,
  type NestedNumbers,
  type Posterior,
  type Prediction,
  type Tensor,
} from "@finitewidth/core";

/** Squared error of the predictive mean and mean variance at the test points. */
export interface GeneralizationError {
  readonly bias: number;
  readonly variance: number;
  readonly total: number;
}

/** What one method gave. */
export type MethodOutcome =
  | {
      readonly method: string;
      readonly status: "ok";
      readonly posterior: Posterior;
      readonly predictive?: Prediction;
      readonly generalizationError?: GeneralizationError;
      readonly generalizationStandardError?: GeneralizationError;
      readonly warnings: readonly string[];
      readonly seconds: number;
    }
  | { readonly method: string; readonly status: "failed"; readonly error: FinitewidthError | Error; readonly seconds: number };

/** bias: mean over test points and outputs of (y − mean)²; variance: mean of the variance (docs/theories/effective-action.md). */
export function generalizationError({ mean, variance }: Prediction, targets: Matrix): GeneralizationError {
  const count = targets.data.length;
  let bias = 0;
  let spread = 0;
  for (let i = 0; i < count; i++) {
    bias += (targets.data[i]! - mean.data[i]!) ** 2 / count;
    spread += variance.data[i]! / count;
  }
  return { bias, variance: spread, total: bias + spread };
}

/** Standard errors of the above by linear propagation, treating test points as fully correlated (an upper bound: draws are shared). */
export function generalizationStandardError({ mean, standardError }: Prediction, targets: Matrix): GeneralizationError | undefined {
  if (!standardError) return undefined;
  const count = targets.data.length;
  let bias = 0;
  let spread = 0;
  for (let i = 0; i < count; i++) {
    bias += (2 * Math.abs(targets.data[i]! - mean.data[i]!) * standardError.mean.data[i]!) / count;
    spread += standardError.variance.data[i]! / count;
  }
  return { bias, variance: spread, total: bias + spread };
}

/** First place where an outcome holds a number that is not finite; results with one are failures, never written. */
export function findNonFinite(posterior: Posterior, predictive: Prediction | undefined): string | undefined {
  const bad = (t: Tensor | undefined): boolean => t !== undefined && t.data.some((value) => !Number.isFinite(value));
  if (posterior.logEvidence !== undefined && !Number.isFinite(posterior.logEvidence)) return "logEvidence";
  if (bad(posterior.train?.mean)) return "train.mean";
  if (bad(posterior.train?.variance)) return "train.variance";
  if (bad(predictive?.mean)) return "predictive.mean";
  if (bad(predictive?.variance)) return "predictive.variance";
  if (typeof posterior.orderParameter === "number" ? !Number.isFinite(posterior.orderParameter) : bad(posterior.orderParameter))
    return "orderParameter";
  const layer = posterior.hiddenKernels?.findIndex(bad) ?? -1;
  return layer >= 0 ? `hiddenKernels[${layer}]` : undefined;
}

const pair = (prediction: { readonly mean: Matrix; readonly variance: Matrix }) => ({
  mean: rowsOf(prediction.mean),
  variance: rowsOf(prediction.variance),
});
const parameter = (value: number | Tensor): NestedNumbers => (typeof value === "number" ? value : nestedArrays(value));
const kernels = (list: readonly Matrix[]) => list.map((kernel, l) => ({ layer: l + 1, mean: rowsOf(kernel) }));

/** Training points up to which hidden kernels are written as text; beyond, they go to a file of their own (`largeKernels`). */
export const kernelTextLimit = 1000;

const fitsText = (kernel: Matrix): boolean => kernel.shape[0] <= kernelTextLimit;

/** Hidden kernels that are too large for text, named for an .npz file: `exact_layer_1`, … */
export function largeKernels(outcome: MethodOutcome, prefix = ""): Record<string, Matrix> {
  if (outcome.status === "failed") return {};
  const kernels = (outcome.posterior.hiddenKernels ?? []).filter((kernel) => !fitsText(kernel));
  return Object.fromEntries(kernels.map((kernel, l) => [`${prefix}${outcome.method}_layer_${l + 1}`, kernel]));
}

/** The method's entry in `result.json`. */
export function outcomeToJson(outcome: MethodOutcome): Record<string, unknown> {
  if (outcome.status === "failed") return { status: "failed", error: outcome.error.message, seconds: outcome.seconds };
  const { posterior, predictive } = outcome;
  const errors = {
    ...(posterior.standardError?.logEvidence === undefined ? {} : { logEvidence: posterior.standardError.logEvidence }),
    ...(predictive?.standardError ? { predictive: pair(predictive.standardError) } : {}),
    ...(posterior.train?.standardError ? { train: pair(posterior.train.standardError) } : {}),
    ...(outcome.generalizationStandardError ? { generalizationError: outcome.generalizationStandardError } : {}),
    ...(posterior.standardError?.orderParameter === undefined ? {} : { orderParameter: parameter(posterior.standardError.orderParameter) }),
    ...(posterior.standardError?.hiddenKernels?.every(fitsText) ? { hiddenKernels: kernels(posterior.standardError.hiddenKernels) } : {}),
  };
  return {
    status: "ok",
    ...(posterior.logEvidence === undefined ? {} : { logEvidence: posterior.logEvidence }),
    ...(predictive ? { predictive: pair(predictive) } : {}),
    ...(posterior.train ? { train: pair(posterior.train) } : {}),
    ...(outcome.generalizationError ? { generalizationError: outcome.generalizationError } : {}),
    ...(posterior.orderParameter === undefined ? {} : { orderParameter: parameter(posterior.orderParameter) }),
    ...(posterior.hiddenKernels?.every(fitsText) ? { hiddenKernels: kernels(posterior.hiddenKernels) } : {}),
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
