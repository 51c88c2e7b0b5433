import { zeros, type Likelihood, type Matrix } from "@finitewidth/core";
import { binaryProbabilities } from "./class-probabilities.js";
import { factorSites, posteriorCovariance, predictSites, type SiteApproximation } from "./sites.js";
import type { ScaleMixture } from "./mixture.js";

/** Nodes whose weight is below this say nothing. */
const negligible = 1e-14;

/** Kernels at one q: q K plus whatever does not scale with q, such as a readout bias. */
export interface KernelsGivenScale {
  readonly train: Matrix;
  /** P × M. */
  readonly cross: Matrix;
  /** M prior variances. */
  readonly prior: Float64Array;
}

/** Moments of f at other points under a mixture over q, and class probabilities where the likelihood has classes. */
export interface MixturePrediction {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** M × 2. */
  readonly probabilities?: Matrix;
}

/** Mixture over the nodes of the predictions at every q. O(P³ + P² M) per node. */
export function predictMixture(
  likelihood: Likelihood,
  mixture: Pick<ScaleMixture<Pick<SiteApproximation, "alpha" | "weights">>, "logQ" | "weights" | "nodes">,
  kernelsAt: (q: number) => KernelsGivenScale,
): MixturePrediction {
  let mean: Float64Array | undefined;
  let second = new Float64Array(0);
  let probabilities: Matrix | undefined;
  const twoClasses = likelihood.encode !== undefined;
  for (const [k, node] of mixture.nodes.entries()) {
    const weight = mixture.weights[k]!;
    if (weight < negligible) continue;
    const { train, cross, prior } = kernelsAt(Math.exp(mixture.logQ[k]!));
    const at = predictSites(train, node, cross, prior);
    mean ??= new Float64Array(prior.length);
    if (second.length === 0) second = new Float64Array(prior.length);
    for (let i = 0; i < prior.length; i++) {
      mean[i]! += weight * at.mean[i]!;
      second[i]! += weight * (at.variance[i]! + at.mean[i]! ** 2);
    }
    if (!twoClasses) continue;
    const p = binaryProbabilities(likelihood, at.mean, at.variance);
    probabilities ??= zeros(prior.length, 2);
    for (let i = 0; i < p.data.length; i++) probabilities.data[i]! += weight * p.data[i]!;
  }
  const average = mean ?? new Float64Array(0);
  return {
    mean: average,
    variance: second.map((value, i) => Math.max(value - average[i]! ** 2, 0)),
    ...(probabilities ? { probabilities } : {}),
  };
}

/**
 * E[f fᵀ/q · m(u)] over the mixture, P × P, where f | q has the covariance qK: what hidden kernels of linear networks are made of.
 * `factor`: m at every node, @defaultValue 1. O(P³) per node.
 */
export function meanOuterOverScale(
  kernel: Matrix,
  mixture: ScaleMixture<SiteApproximation>,
  factor: (node: number) => number = () => 1,
): Matrix {
  const n = kernel.shape[0];
  const out = zeros(n, n);
  for (const [k, node] of mixture.nodes.entries()) {
    const weight = mixture.weights[k]!;
    if (weight < negligible) continue;
    const q = Math.exp(mixture.logQ[k]!);
    const scaled: Matrix = { data: kernel.data.map((value) => q * value), shape: kernel.shape };
    const covariance = posteriorCovariance(factorSites(scaled, node.weights), scaled);
    const c = (weight * factor(k)) / q;
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) out.data[i * n + j]! += c * (node.latent[i]! * node.latent[j]! + covariance.data[i * n + j]!);
  }
  return out;
}
