import { zeros, type Likelihood, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";

/** Mean over independent chains with weights, and its standard error from their spread: one row per chain. */
export function chainMeans(perChain: Matrix, chainWeights: Float64Array): { readonly mean: Float64Array; readonly error: Float64Array } {
  const [count, size] = perChain.shape;
  const mean = new Float64Array(size);
  const error = new Float64Array(size);
  for (let c = 0; c < count; c++) for (let i = 0; i < size; i++) mean[i]! += chainWeights[c]! * perChain.data[c * size + i]!;
  for (let c = 0; c < count; c++)
    for (let i = 0; i < size; i++) error[i]! += (chainWeights[c]! * (perChain.data[c * size + i]! - mean[i]!)) ** 2;
  const correction = count > 1 ? count / (count - 1) : 0;
  return { mean, error: error.map((value) => Math.sqrt(correction * value)) };
}

/** Latent outputs (M × outputs, logits where the latent ones are contrasts) and class probabilities. */
export interface LatentPrediction {
  readonly mean: Matrix;
  readonly variance: Matrix;
  /** M × classes. */
  readonly probabilities?: Matrix;
  readonly standardError?: { readonly mean: Matrix; readonly variance: Matrix; readonly probabilities?: Matrix };
}

/** What a draw leaves open: f = latent + open_j · factor ξ_j at point j, ξ standard normal. */
export interface OpenResidual {
  /** M. */
  readonly open: Float64Array;
  /** d × r. */
  readonly factor: Matrix;
  /** M × r: one draw of ξ, used with both signs. */
  readonly noise: Matrix;
}

/** Averages over posterior draws of several chains. */
export interface LatentAverages {
  /** One draw of the latent outputs (M × d) of chain `c`, worth `share`. */
  add(c: number, share: number, latent: Matrix, residual?: OpenResidual): void;
  finish(): LatentPrediction;
}

/**
 * Mean, variance and class probabilities of latent outputs over weighted draws, with standard errors from independent chains. O(points ·
 * outputs (latents + outputs)) a draw and 8 chains · points · (2 outputs + classes) bytes.
 */
export function latentAverages(likelihood: Likelihood, columns: number, points: number, chains: number): LatentAverages {
  const lift = likelihood.contrasts(columns);
  const d = likelihood.latents(columns);
  const outputs = lift ? lift.shape[1] : d;
  const classes = likelihood.classes(columns) ?? 0;
  const size = points * outputs;
  const [first, second, p] = [zeros(chains, size), zeros(chains, size), zeros(chains, points * classes)];
  const weights = new Float64Array(chains);
  return {
    add: (c, share, latent, residual) => {
      weights[c]! += share;
      const lifted = lift ? multiply(latent, lift) : latent;
      const spread = residual && (lift ? multiplyTransposedLeft(lift, residual.factor) : residual.factor);
      for (let o = 0; o < outputs; o++) {
        let square = 0;
        if (spread) for (let e = 0; e < spread.shape[1]; e++) square += spread.data[o * spread.shape[1] + e]! ** 2;
        for (let j = 0; j < points; j++) {
          const value = lifted.data[j * outputs + o]!;
          first.data[c * size + j * outputs + o]! += share * value;
          second.data[c * size + j * outputs + o]! += share * (value * value + (residual ? residual.open[j]! ** 2 * square : 0));
        }
      }
      if (classes === 0) return;
      const jitter = residual && multiplyTransposedRight(residual.noise, residual.factor);
      for (const sign of jitter ? [1, -1] : [0]) {
        const at = jitter
          ? { data: latent.data.map((value, i) => value + sign * residual.open[Math.floor(i / d)]! * jitter.data[i]!), shape: latent.shape }
          : latent;
        const { data } = likelihood.probabilities!(at);
        const part = jitter ? 0.5 * share : share;
        for (let i = 0; i < data.length; i++) p.data[c * points * classes + i]! += part * data[i]!;
      }
    },
    finish: () => {
      const average = (sums: Matrix, shape: readonly [number, number]): { mean: Matrix; error: Matrix } => {
        const perChain = { data: sums.data.map((value, i) => value / weights[Math.floor(i / sums.shape[1])]!), shape: sums.shape };
        const { mean, error } = chainMeans(perChain, weights);
        return { mean: { data: mean, shape }, error: { data: error, shape } };
      };
      const mean = average(first, [points, outputs]);
      // squares about the mean of all chains
      const about = second.data.map((value, at) => {
        const centre = mean.mean.data[at % size]!;
        return value + centre * (centre * weights[Math.floor(at / size)]! - 2 * first.data[at]!);
      });
      const variance = average({ data: about, shape: second.shape }, [points, outputs]);
      const probabilities = classes > 0 ? average(p, [points, classes]) : undefined;
      return {
        mean: mean.mean,
        variance: variance.mean,
        ...(probabilities ? { probabilities: probabilities.mean } : {}),
        standardError: { mean: mean.error, variance: variance.error, ...(probabilities ? { probabilities: probabilities.error } : {}) },
      };
    },
  };
}
