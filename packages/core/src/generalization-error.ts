import type { Prediction } from "./prediction.js";
import type { Matrix } from "./tensor.js";

/** Squared error of the predictive mean and mean variance at the test points. */
export interface GeneralizationError {
  readonly bias: number;
  readonly variance: number;
  readonly total: number;
}

/** bias: mean over test points and outputs of (y − mean)²; variance: mean of the variance (docs/theories/effective-action.md). */
export function generalizationError({ mean, variance }: Pick<Prediction, "mean" | "variance">, targets: Matrix): GeneralizationError {
  const count = targets.data.length;
  let bias = 0;
  let spread = 0;
  for (let i = 0; i < count; i++) {
    bias += (targets.data[i]! - mean.data[i]!) ** 2 / count;
    spread += variance.data[i]! / count;
  }
  return { bias, variance: spread, total: bias + spread };
}

/**
 * Standard errors of the above by linear propagation: from the scatter of the replicates, which know how points are correlated, or else
 * treating test points as fully correlated (an upper bound: draws are shared). Undefined for predictions that are not sampled. O(replicates
 * P* D).
 */
export function generalizationStandardError(
  { mean, standardError, replicates = [] }: Pick<Prediction, "mean" | "standardError" | "replicates">,
  targets: Matrix,
): GeneralizationError | undefined {
  if (!standardError) return undefined;
  const count = targets.data.length;
  const misfit = mean.data.map((m, i) => (2 * (m - targets.data[i]!)) / count);
  if (replicates.length > 1) {
    const parts = replicates.map((one) => {
      let [bias, variance] = [0, 0];
      for (let i = 0; i < count; i++) {
        bias += misfit[i]! * (one.mean.data[i]! - mean.data[i]!);
        variance += one.variance.data[i]! / count;
      }
      return { bias, variance, total: bias + variance };
    });
    const scatter = (part: keyof GeneralizationError): number => {
      const average = parts.reduce((sum, one) => sum + one[part], 0) / parts.length;
      const squares = parts.reduce((sum, one) => sum + (one[part] - average) ** 2, 0);
      return Math.sqrt(squares / (parts.length * (parts.length - 1)));
    };
    return { bias: scatter("bias"), variance: scatter("variance"), total: scatter("total") };
  }
  let bias = 0;
  let spread = 0;
  for (let i = 0; i < count; i++) {
    bias += Math.abs(misfit[i]!) * standardError.mean.data[i]!;
    spread += standardError.variance.data[i]! / count;
  }
  return { bias, variance: spread, total: bias + spread };
}
