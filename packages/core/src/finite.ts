import { FinitewidthError } from "./errors.js";
import type { Posterior } from "./posterior.js";
import type { Prediction } from "./prediction.js";
import type { Tensor } from "./tensor.js";

/** Whether all numbers are finite. One pass. */
export function allFinite(data: Float64Array): boolean {
  // x − x is 0 for finite x and NaN otherwise; four sums, for additions wait for one another
  let [a, b, c, d] = [0, 0, 0, 0];
  const { length } = data;
  const whole = length - (length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += data[i]! - data[i]!;
    b += data[i + 1]! - data[i + 1]!;
    c += data[i + 2]! - data[i + 2]!;
    d += data[i + 3]! - data[i + 3]!;
  }
  for (let i = whole; i < length; i++) a += data[i]! - data[i]!;
  return a + b + (c + d) === 0;
}

const bad = (t: Tensor | undefined): boolean => t !== undefined && !allFinite(t.data);

/** First place where results hold a number that is not finite. */
function firstBad(
  { logEvidence, train, orderParameter, hiddenKernels }: Partial<Posterior>,
  predictive: Partial<Prediction>,
): string | undefined {
  if (logEvidence !== undefined && !Number.isFinite(logEvidence)) return "logEvidence";
  if (bad(train?.mean)) return "train.mean";
  if (bad(train?.variance)) return "train.variance";
  if (bad(predictive.mean)) return "predictive.mean";
  if (bad(predictive.variance)) return "predictive.variance";
  if (bad(predictive.covariance)) return "predictive.covariance";
  if (bad(predictive.probabilities)) return "predictive.probabilities";
  if (typeof orderParameter === "number" ? !Number.isFinite(orderParameter) : bad(orderParameter)) return "orderParameter";
  const layer = hiddenKernels?.findIndex(bad) ?? -1;
  return layer >= 0 ? `hiddenKernels[${layer}]` : undefined;
}

/**
 * Results with a number that is not finite are failures. @throws FinitewidthError (code "not-converged") that names the method and the
 * field.
 */
export function requireFinite(method: string, posterior: Partial<Posterior>, predictive: Partial<Prediction> = {}): void {
  const path = firstBad(posterior, predictive);
  if (path === undefined) return;
  throw new FinitewidthError(
    `[${method}] ${path} came out as a number that is not finite; the result is withheld. Inputs or targets of a size about 1, or a higher temperature, help where numbers overflow`,
    { code: "not-converged", path },
  );
}
