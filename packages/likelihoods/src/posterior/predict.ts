import { matrix, zeros, type Likelihood, type Matrix } from "@finitewidth/core";
import { identity, multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { averageProbabilities, binaryProbabilities, contrastMoments } from "../inference/class-probabilities.js";
import { factorSoftmax, predictLaplaceSoftmax, type SoftmaxFactor } from "../inference/laplace-softmax.js";
import { predictMixture } from "../inference/mixture-predict.js";
import { predictSites } from "../inference/sites.js";
import { helmertContrasts } from "../family/contrasts.js";
import { latentAverages, type LatentPrediction } from "../sampling/averages.js";
import { kernelAtScale } from "./mixture.js";
import type { DrawsState, LatentState, LogitsState } from "./state.js";

/** Kernels of some points: K of the training points (on demand), P × M between, M prior variances; the readout bias of a chain left out. */
export interface LatentKernels {
  train(): Matrix;
  readonly cross: Matrix;
  readonly prior: Float64Array;
  /** @defaultValue 0 */
  readonly readoutBias?: number;
  /** Of a Laplace approximation of softmax, where it is at hand. */
  readonly factor?: SoftmaxFactor;
}

/** One latent output as what a user calls outputs: a column, or logits gH. */
function outputsOf(
  likelihood: Likelihood,
  columns: number,
  mean: Float64Array,
  variance: Float64Array,
): { mean: Matrix; variance: Matrix } {
  const lift = likelihood.contrasts(columns) ?? identity(1);
  return {
    mean: multiply(matrix(mean.length, 1, mean), lift),
    variance: multiply(matrix(variance.length, 1, variance), { data: lift.data.map((h) => h * h), shape: lift.shape }),
  };
}

/** First index of the streams of what training points do not fix. */
const residualStreams = 7;

/**
 * Predictions of a fitted latent state at points whose kernels are given. `columns`: of the targets. `seed`: for what the training points
 * leave open in sampled states. O(P² M) for M points, O(D P² M) for softmax, O(P³ + P² M) a node for mixtures over q.
 */
export function predictLatents(
  state: LatentState,
  likelihood: Likelihood,
  columns: number,
  kernels: LatentKernels,
  seed: number,
): LatentPrediction {
  if (state.kind === "draws") return predictDraws(state, likelihood, columns, kernels, seed);
  if (state.kind === "logits") return predictLogits(state, likelihood, kernels);
  const { cross, prior, readoutBias = 0 } = kernels;
  const train = kernels.train();
  if (state.kind === "sites") {
    const { mean, variance } = predictSites(train, state, cross, prior);
    return {
      ...outputsOf(likelihood, columns, mean, variance),
      ...(likelihood.encode ? { probabilities: binaryProbabilities(likelihood, mean, variance) } : {}),
    };
  }
  const points = state.alpha.shape[1];
  const row = (m: Matrix, k: number): Float64Array => m.data.subarray(k * points, (k + 1) * points);
  const nodes = Array.from(state.logQ, (_, k) => ({ alpha: row(state.alpha, k), weights: row(state.weights, k) }));
  const found = predictMixture(likelihood, { logQ: state.logQ, weights: state.nodeWeights, nodes }, (q) => ({
    train: kernelAtScale(train, readoutBias, q),
    cross: kernelAtScale(cross, readoutBias, q),
    prior: prior.map((value) => q * value + readoutBias),
  }));
  return {
    ...outputsOf(likelihood, columns, found.mean, found.variance),
    ...(found.probabilities ? { probabilities: found.probabilities } : {}),
  };
}

function predictLogits(
  state: LogitsState,
  likelihood: Likelihood,
  { train, cross, prior, factor: known }: LatentKernels,
): LatentPrediction {
  const { scale } = likelihood;
  const factorNow = (): SoftmaxFactor => {
    const kernel = train();
    return factorSoftmax({ data: kernel.data.map((value) => value / scale ** 2), shape: kernel.shape }, state.probabilities);
  };
  const factor = known ?? factorNow();
  const raw = predictLaplaceSoftmax({ scale, alpha: state.alpha, factor }, cross, prior);
  const D = state.alpha.shape[1];
  const basis = helmertContrasts(D);
  const { mean, covariance } = contrastMoments(basis, raw.mean, raw.covariance);
  const variance = zeros(prior.length, D);
  for (let j = 0; j < prior.length; j++) {
    const block = { data: covariance.slice(j * (D - 1) ** 2, (j + 1) * (D - 1) ** 2), shape: [D - 1, D - 1] as const };
    const lifted = multiplyTransposedLeft(basis, multiply(block, basis));
    for (let c = 0; c < D; c++) variance.data[j * D + c] = Math.max(lifted.data[c * D + c]!, 0);
  }
  return { mean: multiply(mean, basis), variance, probabilities: averageProbabilities(likelihood, mean, covariance, 10) };
}

/**
 * Averages over draws: given a draw, f_* is Gaussian with variance ρ FFᵀ, which the moments take in closed form and the probabilities by
 * one antithetic pair per draw and point. Standard errors from independent chains. O(draws·d·rank·M).
 */
function predictDraws(
  { basis, projected, factors, bias, weights, chains }: DrawsState,
  likelihood: Likelihood,
  columns: number,
  { cross, prior }: LatentKernels,
  seed: number,
): LatentPrediction {
  const m = prior.length;
  const d = bias.shape[1];
  const rank = basis.shape[1];
  const count = weights.length;
  const r1 = factors.shape[1] / d;
  const reach = multiplyTransposedLeft(cross, basis);
  const open = prior.map((value, j) => {
    let explained = 0;
    for (let i = 0; i < rank; i++) explained += reach.data[j * rank + i]! ** 2;
    // below rounding of the kernel nothing is open
    return value - explained > 1e-10 * value ? Math.sqrt(value - explained) : 0;
  });
  const averages = latentAverages(likelihood, columns, m, chains.at(-1)! + 1);
  const random = stream(seed, residualStreams);
  const noise = { data: new Float64Array(r1 * m), shape: [m, r1] as const };
  for (let k = 0; k < count; k++) {
    const factor = { data: factors.data.subarray(k * d * r1, (k + 1) * d * r1), shape: [d, r1] as const };
    const latent = multiplyTransposedRight(reach, { data: projected.data.subarray(k * d * rank, (k + 1) * d * rank), shape: [d, rank] });
    for (let i = 0; i < latent.data.length; i++) latent.data[i]! += bias.data[k * d + (i % d)]!;
    random.normals(noise.data);
    averages.add(chains[k]!, weights[k]!, latent, { open, factor, noise });
  }
  return averages.finish();
}
