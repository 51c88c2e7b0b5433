import { rowRange, type Matrix } from "@finitewidth/core";
import { block, multiply, multiplyTransposedLeft, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { forwardBackward, pushToOutput, type ForwardBackward, type KernelChain } from "../kernel-flow/kernel-chain.js";
import { padGradient, type GaussianPieces } from "../posterior/gaussian-pieces.js";
import { accumulateProjection, type SampledProjection } from "./accumulate.js";
import type { NeuronNoise } from "./neuron-noise.js";
import { conditionalFactor, sampleActivations } from "./joint-sampler.js";

/** One batch: shifts of the kernels of all layers, and the projections of each layer's noise (coefficients of 1/N_k). */
export interface SampledBatch {
  readonly shifts: ForwardBackward;
  readonly projections: readonly SampledProjection[];
}

/** What to sample on a chain whose first `trainPoints` points are training points. */
export interface ChainSampling {
  readonly chain: KernelChain;
  readonly trainPoints: number;
  /** Rows through which the fluctuation is seen, m × n. */
  readonly rows: Matrix;
  readonly pieces: GaussianPieces;
  /** Joint law of all points (needed for covariances); otherwise that of each further point with the training points. */
  readonly covariance: boolean;
  /** Draws for Z and W; C:B uses four times as many. */
  readonly log2Draws: number;
  readonly seed: number;
  readonly batch: number;
  tick(fraction: number): void;
}

/** C:B costs two matrix products and carries most of the noise of evidence and kernels: it uses 2² times the draws of the projections. */
const log2ContractionFactor = 2;

/**
 * Single-neuron noise of every layer pushed linearly to the output: h ~ N(0, Kᵏ), M = lift(φφᵀ − Gᵏ) and so on up to K^{L+1}; to first
 * order Σ = Σ_k E[M ⊗ M]/N_k. Scrambled Sobol points. O(draws · L · (L n² + n P)) time, O(n²) memory besides the draws.
 * Source: docs/theories/perturbative.md §5.
 */
export function sampleChainBatch({
  chain,
  trainPoints,
  rows,
  pieces,
  covariance,
  log2Draws,
  seed,
  batch,
  tick,
}: ChainSampling): SampledBatch {
  const { layers, sites, activation } = chain;
  const L = layers.length;
  const count = 2 ** log2Draws;
  const phi = layers.map((layer, k) =>
    sampleActivations(
      activation,
      conditionalFactor(layer.kernel, trainPoints * sites, sites, covariance),
      log2Draws + log2ContractionFactor,
      seed,
      batch,
      k,
    ),
  );
  const shifts = forwardBackward(chain, padGradient(pieces, chain.output.shape[0]), (l, b) => sampledContraction(phi[l]!, b));
  const projections = layers.map((_, k) =>
    accumulateProjection(
      pushedNoise(chain, k, rowRange(phi[k]!, 0, count), trainPoints, (fraction) => tick((k + fraction) / L)),
      count,
      rows,
      pieces,
      stream(seed, batch, k, 1),
      covariance,
    ),
  );
  return { shifts, projections };
}

/** C:B = Cov(φᵀBφ, φφᵀ) over draws φ (draws × n), unbiased. */
export function sampledContraction(phi: Matrix, b: Matrix): Matrix {
  const [count, n] = phi.shape;
  const image = multiply(phi, b);
  const q = new Float64Array(count);
  for (let s = 0; s < count; s++) for (let i = s * n; i < (s + 1) * n; i++) q[s]! += image.data[i]! * phi.data[i]!;
  const mean = q.reduce((sum, value) => sum + value, 0) / count;
  const weighted: Matrix = { data: phi.data.map((value, i) => ((q[Math.floor(i / n)]! - mean) * value) / (count - 1)), shape: phi.shape };
  return multiplyTransposedLeft(weighted, phi);
}

/** The pushed noise of every draw, columns of the first P points: its factors, or matrix by matrix where sites mix. */
function pushedNoise(
  chain: KernelChain,
  k: number,
  phi: Matrix,
  P: number,
  tick: (fraction: number) => void,
): Iterable<Matrix> | NeuronNoise {
  const n = phi.shape[1];
  const points = chain.output.shape[0];
  const slopes = chain.outputSlopes?.[k];
  const mean = block(pushToOutput(chain, k, chain.layers[k]!.secondMoment), 0, points, 0, P);
  tick(0);
  if (slopes === undefined) return pushedMatrices(chain, k, phi, mean, tick);
  const noise = { phi, mean, slope: block(slopes.slope, 0, n, 0, P) };
  if (slopes.curvature.data.every((value) => value === 0)) return noise;
  return { ...noise, own: block(slopes.curvature, 0, n, 0, P), other: block(transpose(slopes.curvature), 0, n, 0, P) };
}

function* pushedMatrices(chain: KernelChain, k: number, phi: Matrix, mean: Matrix, tick: (fraction: number) => void): Generator<Matrix> {
  const [count, n] = phi.shape;
  const [points, P] = mean.shape;
  for (let s = 0; s < count; s++) {
    tick(s / count);
    const row: Matrix = { data: phi.data.subarray(s * n, (s + 1) * n), shape: [n, 1] };
    const pushed = block(pushToOutput(chain, k, multiplyTransposedRight(row, row)), 0, points, 0, P);
    yield { data: pushed.data.map((value, i) => value - mean.data[i]!), shape: mean.shape };
  }
}
