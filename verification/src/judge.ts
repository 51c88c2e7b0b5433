import { normalDistribution, normalQuantile, studentQuantile } from "@finitewidth/numerics";
import type { Claim } from "@finitewidth/core";
import type { Estimate } from "./sufficient-sums.js";

/** Probability that a correct suite shows any false alarm. */
export const falseAlarmRate = 0.01;

/** Comparisons of the quick suite, rounded up: with fewer the threshold stays, so that a filter changes no verdict. */
export const suiteComparisons = 10_000;

/** Two-sided threshold of |z| for `comparisons` comparisons with a common false-alarm rate (Šidák). */
export function criticalScore(comparisons: number): number {
  const each = 1 - (1 - falseAlarmRate) ** (1 / Math.max(1, comparisons));
  return -normalQuantile(each / 2);
}

/** The threshold with the same rate of false alarms for errors that are estimated from `degreesOfFreedom` + 1 chunks (Student's t). */
export const studentScore = (threshold: number, degreesOfFreedom: number | undefined): number =>
  degreesOfFreedom === undefined ? threshold : -studentQuantile(normalDistribution(-threshold), degreesOfFreedom);

/** Claimed and sampled values at one width. */
export interface Comparison {
  readonly factor: number;
  readonly claimed: Float64Array;
  /** Standard error of the claimed value itself, where the theory samples too. */
  readonly claimedError?: Float64Array;
  readonly sampled: Estimate;
}

/** Verdict on one claim (or on a deliberately wrong version of it). */
export interface Verdict {
  readonly agrees: boolean;
  /** Largest |z| over the entries (allowance for stated errors subtracted), or that of the slope. */
  readonly score: number;
  /** Entry with the largest |z|. */
  readonly worst: number;
  /** −d log|residual| / d log N with its standard error, for claims with an error order. */
  readonly slope?: { readonly value: number; readonly standardError: number };
}

/** Combined standard error with a floor at rounding, so that quantities without any sampling noise are compared too. */
const spread = ({ sampled, claimedError }: Comparison, i: number): number =>
  Math.max(Math.hypot(sampled.standardError[i]!, claimedError?.[i] ?? 0), 1e-12 * Math.abs(sampled.value[i]!), 1e-300);

/**
 * Judges a claim against samples, `threshold` from `criticalScore`. Exact and relative claims by z-scores at the first width, others by the
 * slope.
 */
export function judge(error: Claim["error"], comparisons: readonly Comparison[], threshold: number): Verdict {
  if (typeof error === "object" && "order" in error && comparisons.length > 1) return judgeSlope(error.order, comparisons, threshold);
  const first = comparisons[0]!;
  const { claimed, sampled } = first;
  const scale = Math.max(...sampled.value.map(Math.abs));
  const allowance = typeof error === "object" && "relative" in error ? error.relative * scale : 0;
  // in units of the normal score with the same tail
  const unit = studentScore(threshold, sampled.degreesOfFreedom) / threshold;
  let [score, worst] = [0, 0];
  for (let i = 0; i < claimed.length; i++) {
    const z = Math.max(0, Math.abs(claimed[i]! - sampled.value[i]!) - allowance) / (unit * spread(first, i));
    if (!(z <= score)) [score, worst] = [z, i];
  }
  return { agrees: score <= threshold, score, worst };
}

/**
 * Residuals of an approximation must fall as N^−order. The squared residual is unbiased by subtracting the sampling variance; a weighted
 * regression of its logarithm gives the slope. Where sampling resolves too few widths for one, the residual of the largest width is
 * compared with that of the smallest; see `judgeFall`.
 */
function judgeSlope(order: number, comparisons: readonly Comparison[], threshold: number): Verdict {
  const points = comparisons.map((comparison) => {
    const { factor, claimed, sampled } = comparison;
    let [square, variance] = [0, 0];
    for (let i = 0; i < claimed.length; i++) {
      const s2 = spread(comparison, i) ** 2;
      const r = claimed[i]! - sampled.value[i]!;
      square += r * r - s2;
      variance += 4 * Math.max(r * r - s2, 0) * s2 + 2 * s2 * s2;
    }
    return { x: Math.log(factor), square, error: Math.sqrt(variance) };
  });
  // Squared residuals below four times their own error, residuals of some eight standard errors, carry no slope.
  const resolved = points.filter((point) => point.square > 4 * point.error);
  if (resolved.length < 2) return judgeFall(order, comparisons[0]!, comparisons.at(-1)!, threshold);
  const worst = worstEntry(comparisons[0]!);
  let [sw, sx, sy, sxx, sxy] = [0, 0, 0, 0, 0];
  for (const { x, square, error } of resolved) {
    const y = 0.5 * Math.log(square);
    // Next-order terms bend the line by a few per cent; a floor on the error keeps the best-measured points from deciding alone.
    const sigma = Math.hypot((0.5 * error) / square, 0.05);
    const w = 1 / (sigma * sigma);
    sw += w;
    sx += w * x;
    sy += w * y;
    sxx += w * x * x;
    sxy += w * x * y;
  }
  const determinant = sw * sxx - sx * sx;
  const slope = -(sw * sxy - sx * sy) / determinant;
  const standardError = Math.sqrt(sw / determinant);
  const score = Math.max(0, order - slopeMargin - slope) / standardError;
  return { agrees: score <= threshold, score, worst, slope: { value: slope, standardError } };
}

/**
 * No entry's residual at the largest width may exceed, beyond the noise of both, the largest residual at the smallest width times the fall
 * that the order asks for, the margin of slopes allowed.
 */
function judgeFall(order: number, smallest: Comparison, largest: Comparison, threshold: number): Verdict {
  const fall = (smallest.factor / largest.factor) ** (order - slopeMargin);
  const unit = studentScore(threshold, largest.sampled.degreesOfFreedom) / threshold;
  const residual = ({ claimed, sampled }: Comparison, i: number): number => Math.abs(claimed[i]! - sampled.value[i]!);
  let widest = 0;
  smallest.claimed.forEach((_, i) => {
    if (residual(smallest, i) > residual(smallest, widest)) widest = i;
  });
  const [allowed, noise] = [fall * residual(smallest, widest), fall * spread(smallest, widest)];
  let [score, worst] = [0, 0];
  for (let i = 0; i < largest.claimed.length; i++) {
    const z = Math.max(0, residual(largest, i) - allowed) / (unit * Math.hypot(spread(largest, i), noise));
    if (!(z <= score)) [score, worst] = [z, i];
  }
  return { agrees: score <= threshold, score, worst };
}

/** Finite widths show the next order too: a slope may fall short of its order by this much. */
export const slopeMargin = 0.35;

function worstEntry(comparison: Comparison): number {
  const { claimed, sampled } = comparison;
  let [worst, score] = [0, -1];
  for (let i = 0; i < claimed.length; i++) {
    const z = Math.abs(claimed[i]! - sampled.value[i]!) / spread(comparison, i);
    if (z > score) [worst, score] = [i, z];
  }
  return worst;
}

/** Relative errors that `smallestCaught` tries, in steps of a tenth. */
const [finest, coarsest] = [1e-6, 10];

/**
 * Smallest common relative error, of either sign, with which a claim would be rejected: what agreement is worth. Larger ones are rejected
 * too; undefined where even a tenfold value would pass.
 */
export function smallestCaught(error: Claim["error"], comparisons: readonly Comparison[], threshold: number): number | undefined {
  const caught = (relative: number): boolean =>
    [1 + relative, 1 - relative].every(
      (factor) =>
        !judge(
          error,
          comparisons.map((one) => ({ ...one, claimed: one.claimed.map((value) => factor * value) })),
          threshold,
        ).agrees,
    );
  let smallest: number | undefined;
  for (let relative = coarsest; relative >= finest && caught(relative); relative /= 1.1) smallest = relative;
  return smallest;
}

/** Two-sided tail probability of a z-score, for the report. */
export const tailProbability = (score: number): number => 2 * normalDistribution(-Math.abs(score));
