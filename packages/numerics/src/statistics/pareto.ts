import { inputError } from "@finitewidth/core";

/** Generalised Pareto law of exceedances: density (1 + k x/σ)^{−1/k − 1}/σ. */
export interface ParetoFit {
  /** k. */
  readonly shape: number;
  /** σ. */
  readonly scale: number;
}

/**
 * Generalised Pareto law fitted to sorted exceedances > 0, by the posterior mean of Zhang and Stephens (2009) with the weak prior k ~ ½
 * worth ten observations; shape Infinity when it cannot be fitted. O(n^{3/2}).
 */
export function fitPareto(sorted: Float64Array): ParetoFit {
  const n = sorted.length;
  const candidates = 30 + Math.floor(Math.sqrt(n));
  const quartile = sorted[Math.floor(n / 4 + 0.5) - 1]!;
  const theta = Float64Array.from(
    { length: candidates },
    (_, j) => 1 / sorted[n - 1]! + (1 - Math.sqrt(candidates / (j + 0.5))) / (3 * quartile),
  );
  const meanLog = (t: number): number => {
    let sum = 0;
    for (const x of sorted) sum += Math.log1p(-t * x);
    return sum / n;
  };
  const logLikelihood = theta.map((t) => {
    const k = meanLog(t);
    return n * (Math.log(-t / k) - k - 1);
  });
  const largest = logLikelihood.reduce((a, b) => Math.max(a, b), -Infinity);
  let [weight, weighted] = [0, 0];
  logLikelihood.forEach((value, j) => {
    const w = Math.exp(value - largest);
    weight += w;
    weighted += w * theta[j]!;
  });
  const t = weighted / weight;
  const k = meanLog(t);
  const shape = (k * n + 5) / (n + 10);
  return Number.isFinite(shape) ? { shape, scale: -k / t } : { shape: Infinity, scale: Number.MAX_VALUE };
}

/** Importance weights after smoothing. */
export interface SmoothedWeights {
  /** Sum to 1. */
  readonly weights: Float64Array;
  /** Pareto k̂ of the largest weights: below 0.7 averages converge usefully; Infinity when there are too few draws or no tail to fit. */
  readonly paretoShape: number;
  /** 1/Σ w². */
  readonly effectiveSampleSize: number;
}

/**
 * Pareto-smoothed importance weights: the largest min(S/5, 3√S) of them replaced by quantiles of the fitted generalised Pareto law. Equal
 * weights are left alone (k̂ = −Infinity: no tail). @throws FinitewidthError (code "input") for NaN or +∞, or when all weights vanish. O(S
 * log S). Source: A. Vehtari et al., Pareto smoothed importance sampling, JMLR 25 (2024); R package loo, `psis`.
 */
export function paretoSmoothedWeights(logWeights: Float64Array): SmoothedWeights {
  const size = logWeights.length;
  let largest = -Infinity;
  logWeights.forEach((value, i) => {
    if (Number.isNaN(value) || value === Infinity) throw inputError(`logWeights[${i}]`, "a number below infinity", value);
    largest = Math.max(largest, value);
  });
  if (largest === -Infinity) throw inputError("logWeights", "at least one weight above 0", logWeights.length);
  const shifted = logWeights.map((value) => value - largest);
  const tail = Math.ceil(Math.min(0.2 * size, 3 * Math.sqrt(size)));
  let paretoShape = Infinity;
  if (tail >= 5) {
    const order = Uint32Array.from({ length: size }, (_, i) => i).sort((a, b) => shifted[a]! - shifted[b]!);
    const cutoff = Math.exp(shifted[order[size - tail - 1]!]!);
    const exceedances = Float64Array.from({ length: tail }, (_, i) => Math.exp(shifted[order[size - tail + i]!]!) - cutoff);
    if (exceedances[tail - 1] === exceedances[0]) paretoShape = -Infinity;
    else {
      const { shape, scale } = fitPareto(exceedances);
      paretoShape = shape;
      if (Number.isFinite(shape)) {
        for (let i = 0; i < tail; i++) {
          const p = (i + 0.5) / tail;
          const quantile = shape === 0 ? -scale * Math.log1p(-p) : (scale * Math.expm1(-shape * Math.log1p(-p))) / shape;
          shifted[order[size - tail + i]!] = Math.min(Math.log(quantile + cutoff), 0);
        }
      }
    }
  }
  let [sum, squares] = [0, 0];
  for (const value of shifted) sum += Math.exp(value);
  const weights = shifted.map((value) => Math.exp(value) / sum);
  for (const value of weights) squares += value * value;
  return { weights, paretoShape, effectiveSampleSize: 1 / squares };
}
