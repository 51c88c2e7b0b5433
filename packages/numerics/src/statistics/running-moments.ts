import { shapeError } from "@finitewidth/core";

/** Mean and scatter of vectors seen one after another: plain data, so parts can be made apart and merged in a fixed order. */
export interface RunningMoments {
  count: number;
  readonly mean: Float64Array;
  /** Σ (x − x̄)², entry by entry. */
  readonly scatter: Float64Array;
}

/** No vectors seen yet. */
export function emptyMoments(size: number): RunningMoments {
  return { count: 0, mean: new Float64Array(size), scatter: new Float64Array(size) };
}

/** Adds one vector in place (Welford): no cancellation however large the mean. @throws FinitewidthError (code "shape"). */
export function addToMoments(moments: RunningMoments, x: ArrayLike<number>): void {
  const { mean, scatter } = moments;
  if (x.length !== mean.length) throw shapeError("x", `${mean.length} numbers`, `${x.length}`);
  const n = ++moments.count;
  for (let i = 0; i < mean.length; i++) {
    const delta = x[i]! - mean[i]!;
    mean[i]! += delta / n;
    scatter[i]! += delta * (x[i]! - mean[i]!);
  }
}

/** Moments of both parts together (Chan, Golub, LeVeque 1979). @throws FinitewidthError (code "shape"). */
export function mergeMoments(a: RunningMoments, b: RunningMoments): RunningMoments {
  if (a.mean.length !== b.mean.length) throw shapeError("b", `${a.mean.length} numbers`, `${b.mean.length}`);
  const count = a.count + b.count;
  if (count === 0) return emptyMoments(a.mean.length);
  const share = b.count / count;
  return {
    count,
    mean: a.mean.map((value, i) => value + share * (b.mean[i]! - value)),
    scatter: a.scatter.map((value, i) => value + b.scatter[i]! + a.count * share * (b.mean[i]! - a.mean[i]!) ** 2),
  };
}

/** Sample variances, Σ (x − x̄)²/(n − 1). */
export function momentVariance(moments: RunningMoments): Float64Array {
  return moments.scatter.map((value) => value / (moments.count - 1));
}

/** Standard errors of the means of independent vectors. */
export function momentStandardError(moments: RunningMoments): Float64Array {
  return momentVariance(moments).map((value) => Math.sqrt(value / moments.count));
}
