import type { GeneralizationError, VerdictStatus } from "@finitewidth/core";
import { jackknifeError, regressed, studentQuantile, type LeftOut } from "@finitewidth/numerics";
import { controlled, type Control } from "./controls.js";

/** What a decision rests on. */
export interface Comparison {
  readonly theory: number;
  readonly truth: number;
  readonly standardError: number;
  readonly status: Exclude<VerdictStatus, "unchecked">;
}

/** How sure a decision must be. */
export interface Rule {
  /** τ: errors up to τ·truth do not count. */
  readonly tolerance: number;
  /** Two-sided level of a contradiction. */
  readonly alpha: number;
  /** Two-sided level of a confirmation. */
  readonly trust: number;
}

/** Averages over the draws of one chain at P* test points with D outputs. */
export interface ChainAverages {
  /** Conditional mean m, and its square: P*·D each. */
  readonly mean: Float64Array;
  readonly square: Float64Array;
  /** Conditional variance of one output: P*. */
  readonly variance: Float64Array;
  /** Control variates of the mean, the variance and the kernel, where there are any. */
  readonly control?: Control;
}

/**
 * Decides whether theory − truth lies within ± `allowed`: contradicted or confirmed by intervals of Student's t, doubtful in between.
 * `signed`: a difference that may lie below without limit, such as an excess.
 */
export function decide(
  difference: number,
  standardError: number,
  allowed: number,
  chains: number,
  { alpha, trust }: Rule,
  signed = false,
): Comparison["status"] {
  const size = signed ? difference : Math.abs(difference);
  if (size - studentQuantile(1 - alpha / 2, chains - 1) * standardError > allowed) return "contradicted";
  // equal: numbers without any scatter that agree to the last digit
  return size + studentQuantile(1 - trust / 2, chains - 1) * standardError <= allowed ? "confirmed" : "doubtful";
}

/**
 * Errors up to this part of the effect of finite width do not count; beyond it, a difference that stands out of the noise at this level of
 * Student's t makes a confirmation doubtful: two-sided for differences, one-sided for distances, which cannot lie below.
 */
export const effectRule = { part: 0.2, level: 0.05 };

/** Standard errors beyond which a difference, or a distance, stands out of the noise of so many independent units. */
export const visibleErrors = (units: number, kind: "difference" | "distance"): number =>
  studentQuantile(1 - effectRule.level / (kind === "distance" ? 1 : 2), units - 1);

/** Part of a number's size below which a difference is rounding: without scatter, as at zero inputs, there is no other noise. */
export const rounding = 1e-9;

/**
 * Withdraws a confirmation where the difference stands out of the noise of the chains (`standardError`, of them alone) and of rounding at
 * the `scale` of what is compared, and is more than a fifth of what finite width changes. The theory's own noise is no excuse: its number
 * is off.
 */
export function againstEffect(
  status: Comparison["status"],
  difference: number,
  standardError: number,
  effect: number | undefined,
  errors: number,
  scale = 0,
): Comparison["status"] {
  const visible = Math.abs(difference) > errors * standardError + rounding * scale;
  return status === "confirmed" && visible && effect !== undefined && Math.abs(difference) > effectRule.part * effect ? "doubtful" : status;
}

const average = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
};

/** Estimate and standard error of a mean over independent chains. */
const meanOf = (values: readonly number[]): { readonly value: number; readonly standardError: number } => {
  const value = average(values);
  const scatter = values.reduce((sum, x) => sum + (x - value) ** 2, 0);
  return { value, standardError: Math.sqrt(scatter / (values.length - 1) / values.length) };
};

/** Leave-one-out values of mean_i of (E r_i)² by the U-statistic over pairs of different rows, and the value with all rows. */
export function squaredMean(rows: readonly Float64Array[]): LeftOut {
  const count = rows.length;
  const size = rows[0]!.length;
  const total = new Float64Array(size);
  const squares = new Float64Array(size);
  for (const row of rows) {
    for (let i = 0; i < size; i++) {
      total[i]! += row[i]!;
      squares[i]! += row[i]! * row[i]!;
    }
  }
  const value = average(total.map((t, i) => t * t - squares[i]!)) / (count * (count - 1));
  const left = rows.map(
    (row) => average(total.map((t, i) => (t - row[i]!) ** 2 - (squares[i]! - row[i]! * row[i]!))) / ((count - 1) * (count - 2)),
  );
  return { value, left };
}

/**
 * Unbiased estimate of mean_i (E r_i)² from independent rows r (chains × entries), with its jackknife error. Source:
 * docs/theories/referee.md, "The rule".
 */
export function uStatisticSquare(rows: readonly Float64Array[]): { readonly value: number; readonly standardError: number } {
  const { value, left } = squaredMean(rows);
  return { value, standardError: jackknifeError(left) };
}

/** mean_i (E r_i)² of rows less a target, with the help of their controls: the difference of `squaredMean` without and with them. */
export function squaredDistance(
  rows: readonly Float64Array[],
  controls: readonly (Float64Array | undefined)[],
  target: Float64Array,
): LeftOut {
  const to = (all: readonly Float64Array[]): LeftOut => squaredMean(all.map((row) => row.map((value, i) => value - target[i]!)));
  const without = controlled(rows, controls);
  return regressed(to(rows), without && to(without));
}

/** `squaredDistance` of the means of chains, with its jackknife error. */
export function meanDistance(
  chains: readonly ChainAverages[],
  target: Float64Array,
): { readonly value: number; readonly standardError: number } {
  const { value, left } = squaredDistance(
    chains.map(({ mean }) => mean),
    chains.map(({ control }) => control?.mean),
    target,
  );
  return { value, standardError: jackknifeError(left) };
}

/** The mean of independent numbers, and what it is with each left out. */
function estimateOf(values: readonly number[]): LeftOut {
  const sum = values.reduce((a, b) => a + b, 0);
  return { value: sum / values.length, left: values.map((value) => (sum - value) / (values.length - 1)) };
}

const minus = (a: LeftOut, b: LeftOut): LeftOut => ({ value: a.value - b.value, left: a.left.map((value, g) => value - b.left[g]!) });

/** Generalisation error of a theory against sampled chains, and its two parts. */
export interface ErrorComparison {
  readonly total: Comparison;
  readonly bias: Comparison;
  readonly variance: Comparison;
}

/**
 * Compares ⟨(m − y)² + v⟩ and its parts with a theory's mean (P*·D) and variance (P*·D) of the latent outputs: bias by the U-statistic over
 * chains, unbiased for the square of a mean; variance as the difference, jackknifed together. Chains are the independent units. The `own`
 * standard errors of a sampled theory join those of the chains. With a `baseline` (infinite width) control variates of the chains lessen
 * these, and nothing is confirmed that is seen to miss a fifth of the effect of finite width.
 */
export function compareErrors(
  chains: readonly ChainAverages[],
  targets: Float64Array,
  theory: { readonly mean: Float64Array; readonly variance: Float64Array; readonly own?: GeneralizationError },
  rule: Rule,
  baseline?: { readonly mean: Float64Array; readonly variance: Float64Array },
): ErrorComparison {
  const count = chains.length;
  const errors = chains.map(
    ({ mean, square, variance }) => average(square.map((s, i) => s - 2 * targets[i]! * mean[i]! + targets[i]! ** 2)) + average(variance),
  );
  // (m − y)² moves by 2(m∞ − y) times what m moves by, to first order
  const explained = chains.map(
    ({ control }) =>
      control && baseline && average(control.mean.map((c, i) => 2 * (baseline.mean[i]! - targets[i]!) * c)) + average(control.variance),
  );
  const has = explained.every((value) => value !== undefined);
  const [plain, full] = [estimateOf(errors), has ? estimateOf(errors.map((value, c) => value - explained[c]!)) : undefined];
  const biasOf = (means: readonly Float64Array[]): LeftOut => squaredMean(means.map((mean) => mean.map((m, i) => m - targets[i]!)));
  const means = chains.map(({ mean }) => mean);
  const without = controlled(
    means,
    chains.map(({ control }) => control?.mean),
  );
  const [plainBias, fullBias] = [biasOf(means), without && biasOf(without)];
  const total = regressed(plain, full);
  const bias = regressed(plainBias, fullBias);
  const variance = regressed(minus(plain, plainBias), full && fullBias && minus(full, fullBias));
  const theoryBias = average(theory.mean.map((m, i) => (m - targets[i]!) ** 2));
  const theoryVariance = average(theory.variance);
  const own = theory.own ?? { bias: 0, variance: 0, total: 0 };
  const bare = baseline && { bias: average(baseline.mean.map((m, i) => (m - targets[i]!) ** 2)), variance: average(baseline.variance) };
  // parts may hardly change where the whole does: the largest change is the yardstick of all three
  const effect =
    bare && Math.max(...[bare.bias - bias.value, bare.variance - variance.value, bare.bias + bare.variance - total.value].map(Math.abs));
  const scale = theoryBias + theoryVariance;
  const compare = (value: number, { value: truth, left }: LeftOut, own: number): Comparison => {
    const sampled = jackknifeError(left);
    const standardError = Math.hypot(sampled, own);
    const status = decide(value - truth, standardError, rule.tolerance * Math.abs(truth) + rounding * scale, count, rule);
    return {
      theory: value,
      truth,
      standardError,
      status: againstEffect(status, value - truth, sampled, effect, visibleErrors(count, "difference"), scale),
    };
  };
  return {
    total: compare(theoryBias + theoryVariance, total, own.total),
    bias: compare(theoryBias, bias, own.bias),
    variance: compare(theoryVariance, variance, own.variance),
  };
}

/** The verdict of several comparisons: contradicted if one is, confirmed if all are. */
export function worstStatus(statuses: readonly Comparison["status"][]): Comparison["status"] {
  if (statuses.includes("contradicted")) return "contradicted";
  return statuses.every((status) => status === "confirmed") ? "confirmed" : "doubtful";
}

/** How the chains themselves went. */
export interface ChainHealth {
  readonly acceptance: number;
  /** Drift of ℓ from the first to the second half, and the Stein residual, in standard errors over chains. */
  readonly driftScore: number;
  readonly steinScore: number;
  readonly stuckChains: number;
  readonly healthy: boolean;
}

/**
 * Chains that never moved in six draws or more, or whose mean ℓ lies more than 20 robust deviations below the median. `traces`: one ℓ per
 * draw, chain by chain. Where ℓ is one and the same number in all of them, as at zero inputs, it does not depend on the weights, and none
 * is stuck.
 */
export function stuckChains(traces: readonly Float64Array[]): number {
  const first = traces[0]?.[0];
  if (traces.length > 1 && traces.every((trace) => trace.every((value) => value === first))) return 0;
  const means = traces.map(average);
  const median = (values: readonly number[]): number => {
    const sorted = values.toSorted((a, b) => a - b);
    const middle = sorted.length / 2;
    return 0.5 * (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!);
  };
  const centre = median(means);
  const spread = 1.4826 * median(means.map((value) => Math.abs(centre - value))) + 1e-12;
  return traces.filter((trace, c) => (trace.length >= 6 && trace.every((value) => value === trace[0])) || centre - means[c]! > 20 * spread)
    .length;
}

/** Health of chains: `likelihoods` and `stein` hold one value per draw, chain by chain. */
export function chainHealth(likelihoods: readonly Float64Array[], stein: readonly Float64Array[], acceptance: number): ChainHealth {
  const half = Math.floor(likelihoods[0]!.length / 2);
  const score = (values: readonly number[]): number => {
    const { value, standardError } = meanOf(values);
    return value / (standardError + Number.MIN_VALUE);
  };
  const driftScore =
    half === 0 ? 0 : score(likelihoods.map((trace) => average(trace.subarray(0, half)) - average(trace.subarray(trace.length - half))));
  const steinScore = score(stein.map(average));
  const stuck = stuckChains(likelihoods);
  const bound = studentQuantile(1 - 0.0005, likelihoods.length - 1);
  return {
    acceptance,
    driftScore,
    steinScore,
    stuckChains: stuck,
    healthy: stuck === 0 && acceptance > 0.5 && Math.abs(driftScore) < bound && Math.abs(steinScore) < bound,
  };
}
