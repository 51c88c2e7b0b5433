import {
  createPause,
  FinitewidthError,
  readoutOf,
  resolveArchitecture,
  zeros,
  type Matrix,
  type Network,
  type Task,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { cholesky, gram, solveLower, type Cholesky } from "@finitewidth/linalg";
import { addToMoments, emptyMoments, type RunningMoments } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";

/** Networks to draw from the prior. */
export interface PriorChunk {
  readonly network: Network;
  readonly inputs: Matrix;
  readonly outputs: number;
  readonly evaluateAt: readonly Matrix[];
  /** Whether products of kernel entries are wanted (P ≤ 8). */
  readonly products: boolean;
  readonly samples: number;
  readonly seed: number;
  readonly index: number;
}

/** Moments of K̂^{L+1} over the networks of a chunk. */
export interface PriorSums {
  /** Of the P(P+1)/2 entries on and below the diagonal, row by row. */
  readonly kernel: RunningMoments;
  /** Σ (k − k̄)(k − k̄)ᵀ over pairs of these entries, when wanted. */
  readonly coScatter?: Float64Array;
  /** Per value of f: log Σ N(f | 0, K̂) and log Σ N(f | 0, K̂)². */
  readonly logDensity: readonly { readonly logSum: number; readonly logSquares: number }[];
  /** Networks whose kernel was not positive definite in floating point. */
  readonly singular: number;
}

/** First index of the streams of prior chunks. */
const priorStreams = 2;

/**
 * Draws networks and gathers the moments of the random kernel of their outputs. Given the hidden layers an output is N(0, K̂), so the
 * kernels hold all that sampling outputs would tell, with less noise (Rao–Blackwell).
 */
export const drawPrior: Task<PriorChunk, PriorSums> = {
  module: import.meta.url,
  name: "drawPrior",
  async run(chunk, { registry, tick }) {
    const architecture = resolveArchitecture(registry, chunk.network);
    const points = chunk.inputs.shape[0];
    const network = realise(architecture, chunk.inputs, 1);
    const bias = readoutOf(architecture).biasVariance;
    const random = stream(chunk.seed, priorStreams, chunk.index);
    const theta = new Float64Array(network.parameters);
    const hidden = theta.subarray(0, network.parameters - network.readoutParameters);
    const entries = (points * (points + 1)) / 2;
    const kernel = emptyMoments(entries);
    const coScatter = chunk.products ? new Float64Array(entries * entries) : undefined;
    const row = new Float64Array(entries);
    const before = new Float64Array(entries);
    const densities = chunk.evaluateAt.map(() => ({ logSum: -Infinity, logSquares: -Infinity }));
    let singular = 0;
    const pause = createPause();
    for (let s = 0; s < chunk.samples; s++) {
      if (s % 16 === 0) {
        tick(s / chunk.samples);
        await pause();
      }
      random.normals(hidden);
      const sampled = gram(network.forward(theta).features);
      for (let i = 0; i < sampled.data.length; i++) sampled.data[i]! += bias;
      let at = 0;
      for (let a = 0; a < points; a++) for (let b = 0; b <= a; b++) row[at++] = sampled.data[a * points + b]!;
      for (let k = 0; k < entries; k++) before[k] = row[k]! - kernel.mean[k]!;
      addToMoments(kernel, row);
      if (coScatter)
        for (let k = 0; k < entries; k++)
          for (let m = 0; m < entries; m++) coScatter[k * entries + m]! += before[k]! * (row[m]! - kernel.mean[m]!);
      if (densities.length > 0 && !addDensities(sampled, chunk.evaluateAt, densities)) singular++;
    }
    if (kernel.mean.some((value) => !Number.isFinite(value)))
      throw new FinitewidthError("a network drawn from the prior overflowed; lower the weight variances or the depth", {
        code: "not-converged",
      });
    return { kernel, ...(coScatter ? { coScatter } : {}), logDensity: densities, singular };
  },
};

function addDensities(kernel: Matrix, values: readonly Matrix[], into: { logSum: number; logSquares: number }[]): boolean {
  let factor: Cholesky;
  try {
    factor = cholesky(kernel);
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "not-positive-definite") return false;
    throw error;
  }
  values.forEach((value, e) => {
    const [points, outputs] = value.shape;
    const half = solveLower(factor.factor, value);
    let quadratic = 0;
    for (const entry of half.data) quadratic += entry * entry;
    const log = -0.5 * (quadratic + outputs * factor.logDeterminant + points * outputs * Math.log(2 * Math.PI));
    into[e]!.logSum = logAdd(into[e]!.logSum, log);
    into[e]!.logSquares = logAdd(into[e]!.logSquares, 2 * log);
  });
  return true;
}

/** log(eᵃ + eᵇ). */
export function logAdd(a: number, b: number): number {
  const [high, low] = a > b ? [a, b] : [b, a];
  return low === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
}

/** Square matrix from the entries on and below the diagonal. */
export function symmetricFromRow(row: Float64Array, points: number): Matrix {
  const out = zeros(points, points);
  let at = 0;
  for (let a = 0; a < points; a++) {
    for (let b = 0; b <= a; b++) {
      out.data[a * points + b] = row[at]!;
      out.data[b * points + a] = row[at++]!;
    }
  }
  return out;
}
