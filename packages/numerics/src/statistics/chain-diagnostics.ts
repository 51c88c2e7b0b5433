import { inputError, shapeError } from "@finitewidth/core";
import { normalScores, pool, sortedQuantile } from "./ranks.js";

/** What the draws of one quantity say about themselves. */
export interface ChainDiagnostics {
  readonly mean: number;
  /** Sample variance, over all chains. */
  readonly variance: number;
  /** Monte Carlo standard errors of the mean and of the variance. */
  readonly standardError: { readonly mean: number; readonly variance: number };
  /** Rank-normalised split R̂, the larger of bulk and folded; 1 when all is well, Infinity for chains stuck at different values. */
  readonly rHat: number;
  readonly bulkEss: number;
  readonly tailEss: number;
}

/** First and second halves of every chain; of an odd length the middle draw is left out. */
function splitChains(chains: readonly Float64Array[]): Float64Array[] {
  return chains.flatMap((chain) => {
    const half = Math.floor(chain.length / 2);
    return [chain.subarray(0, half), chain.subarray(chain.length - half)];
  });
}

function meanOf(values: Float64Array): number {
  // Relative to the first value, so that the mean of a constant is exact.
  const origin = values[0]!;
  let sum = 0;
  for (const value of values) sum += value - origin;
  return origin + sum / values.length;
}

function varianceOf(values: Float64Array): number {
  const mean = meanOf(values);
  let sum = 0;
  for (const value of values) sum += (value - mean) ** 2;
  return sum / (values.length - 1);
}

function check(chains: readonly Float64Array[]): void {
  if (chains.length === 0) throw inputError("chains", "at least one chain", []);
  const length = chains[0]!.length;
  if (length < 4) throw inputError("chains[0]", "at least 4 draws", `${length}`);
  chains.forEach((chain, c) => {
    if (chain.length !== length) throw shapeError(`chains[${c}]`, `${length} draws, like the first chain`, `${chain.length}`);
    for (let i = 0; i < length; i++) if (!Number.isFinite(chain[i])) throw inputError(`chains[${c}][${i}]`, "a finite number", chain[i]);
  });
}

/** √((B/W + n − 1)/n) of chains that have been split and transformed already. */
function potentialScaleReduction(chains: readonly Float64Array[]): number {
  const n = chains[0]!.length;
  const between = n * varianceOf(Float64Array.from(chains, meanOf));
  const within = chains.reduce((sum, chain) => sum + varianceOf(chain), 0) / chains.length;
  if (within === 0) return between === 0 ? 1 : Infinity;
  return Math.sqrt((between / within + n - 1) / n);
}

/** Effective sample size of chains as they are, by Geyer's initial monotone sequence of pair sums of autocorrelations. */
function effectiveSampleSize(chains: readonly Float64Array[]): number {
  const n = chains[0]!.length;
  const total = n * chains.length;
  const centred = chains.map((chain) => {
    const mean = meanOf(chain);
    return chain.map((value) => value - mean);
  });
  const autocovariance = (lag: number): number => {
    let sum = 0;
    for (const chain of centred) for (let i = lag; i < n; i++) sum += chain[i]! * chain[i - lag]!;
    return sum / total;
  };
  const within = (autocovariance(0) * n) / (n - 1);
  let variance = (within * (n - 1)) / n;
  if (chains.length > 1) variance += varianceOf(Float64Array.from(chains, meanOf));
  if (!(variance > 0)) return total;
  const correlation = (lag: number): number => 1 - (within - autocovariance(lag)) / variance;

  // pair sums ρ_2k + ρ_2k+1, positive, then made decreasing; of the pair that ends the sum only a positive ρ_2k counts, once
  let previous = 1 + correlation(1);
  let sum = 0;
  let last = 1;
  for (let lag = 2; lag < n - 3 && previous > 0; lag += 2) {
    sum += previous;
    const even = correlation(lag);
    const pair = even + correlation(lag + 1);
    last = Math.max(even, 0);
    if (!(pair >= 0)) break;
    previous = Math.min(previous, pair);
  }
  const time = Math.max(2 * sum - 1 + last, 1 / Math.log10(total));
  return total / time;
}

/**
 * Rank-normalised split R̂ of equally long chains: the larger of that of the draws and that of their distances from the median, so that
 * chains of different location or different spread are both seen. 1 for constant draws, Infinity for chains stuck at different values. O(n
 * log n) for n draws in all.
 * @throws FinitewidthError for fewer than 4 draws, unequal lengths, NaN or infinity. Source: A. Vehtari et al., Rank-normalization,
 * folding, and localization, Bayesian Analysis 16 (2021); R package posterior, `rhat`.
 */
export function rHat(chains: readonly Float64Array[]): number {
  check(chains);
  const split = splitChains(chains);
  const median = sortedQuantile(pool(chains).sort(), 0.5);
  const folded = splitChains(chains.map((chain) => chain.map((value) => Math.abs(value - median))));
  return Math.max(potentialScaleReduction(normalScores(split)), potentialScaleReduction(normalScores(folded)));
}

/**
 * Effective sample size of the bulk: of the rank-normalised draws, split chains. All draws when they are constant. O(n log n + n τ) for n
 * draws in all and τ lags until the correlations have gone. @throws like `rHat`. Source: `rHat`'s.
 */
export function bulkEss(chains: readonly Float64Array[]): number {
  check(chains);
  return effectiveSampleSize(normalScores(splitChains(chains)));
}

/**
 * Effective sample size of the tails: the smaller of those of the 5 % and 95 % quantiles. O(n log n + n τ). @throws like `rHat`. Source:
 * `rHat`'s.
 */
export function tailEss(chains: readonly Float64Array[]): number {
  check(chains);
  const sorted = pool(chains).sort();
  const ofQuantile = (probability: number): number => {
    const edge = sortedQuantile(sorted, probability);
    return effectiveSampleSize(splitChains(chains.map((chain) => chain.map((value) => (value <= edge ? 1 : 0)))));
  };
  return Math.min(ofQuantile(0.05), ofQuantile(0.95));
}

/**
 * Effective sample size for the mean: split chains, no transformation. O(n τ) for n draws in all and τ lags until the correlations have
 * gone. @throws like `rHat`.
 */
export function meanEss(chains: readonly Float64Array[]): number {
  check(chains);
  return effectiveSampleSize(splitChains(chains));
}

/** Monte Carlo standard error of the mean of all draws, √(variance/ESS). O(n τ). @throws like `rHat`. */
export function meanStandardError(chains: readonly Float64Array[]): number {
  return Math.sqrt(varianceOf(pool(chains)) / meanEss(chains));
}

/** Monte Carlo standard error of the variance of all draws, √(Var (x − x̄)²/ESS). O(n τ). @throws like `rHat`. */
export function varianceStandardError(chains: readonly Float64Array[]): number {
  const mean = meanOf(pool(chains));
  return meanStandardError(chains.map((chain) => chain.map((value) => (value - mean) ** 2)));
}

/** Everything above for one quantity. @throws like `rHat`. O(S log S + S × correlation time) for S draws. */
export function diagnoseChains(chains: readonly Float64Array[]): ChainDiagnostics {
  const all = pool(chains);
  return {
    rHat: rHat(chains),
    bulkEss: bulkEss(chains),
    tailEss: tailEss(chains),
    mean: meanOf(all),
    variance: varianceOf(all),
    standardError: { mean: meanStandardError(chains), variance: varianceStandardError(chains) },
  };
}
