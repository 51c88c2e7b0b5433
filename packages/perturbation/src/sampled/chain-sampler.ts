import { zeros, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { forwardBackward, pushToOutput, type ForwardBackward, type KernelChain } from "../kernel-flow/kernel-chain.js";
import type { GaussianPieces } from "../posterior/gaussian-pieces.js";
import { accumulateProjection, type SampledProjection } from "./accumulate.js";
import { conditionalFactor, sampleActivations } from "./joint-sampler.js";

/** How many draws: `batches` independent estimates of 2^log2Draws each. */
export interface SamplingPlan {
  readonly batches: number;
  readonly log2Draws: number;
  readonly seed: number;
}

/** At least `samples` draws in 8 batches. */
export function samplingPlan(samples: number, seed: number): SamplingPlan {
  return { batches: 8, log2Draws: Math.max(4, Math.ceil(Math.log2(samples / 8))), seed };
}

/** One batch: kernels' shifts of all layers, and the projections of each layer's noise (coefficients of 1/N_k). */
export interface SampledBatch {
  readonly shifts: ForwardBackward;
  readonly projections: readonly SampledProjection[];
}

/** What to sample on a chain over n points, `trainRows` of whose composite indices (points × sites) come from training inputs. */
export interface ChainSampling {
  readonly chain: KernelChain;
  readonly sites: number;
  readonly trainPoints: number;
  /** Rows through which the fluctuation is seen, m × n. */
  readonly rows: Matrix;
  readonly pieces: GaussianPieces;
  readonly covariance: boolean;
  readonly plan: SamplingPlan;
  readonly tick?: (batch: number) => void;
}

/**
 * Single-neuron noise of every layer pushed linearly to the output: h ~ N(0, Kᵏ), M = lift(φφᵀ − Gᵏ) and so on up to K^{L+1}; to first order
 * Σ = Σ_k E[M ⊗ M]/N_k. Scrambled Sobol points, batch by batch. O(batches · draws · L · (L n² + n P)) time, O(n²) memory.
 * Source: docs/theories/perturbative.md §5.
 */
export function* sampleChain({ chain, sites, trainPoints, rows, pieces, covariance, plan, tick }: ChainSampling): Generator<SampledBatch> {
  const points = chain.output.shape[0];
  const gradient = zeros(points, points);
  for (let i = 0; i < trainPoints; i++) gradient.data.set(pieces.gradient.data.subarray(i * trainPoints, (i + 1) * trainPoints), i * points);
  const factors = chain.layers.map((layer) => conditionalFactor(layer.kernel, trainPoints * sites, sites, covariance));
  for (let batch = 0; batch < plan.batches; batch++) {
    tick?.(batch);
    const phi = factors.map((factor, k) => sampleActivations(chain.activation, factor, plan.log2Draws, plan.seed, batch, k));
    const shifts = forwardBackward(chain, gradient, (l, b) => sampledContraction(phi[l]!, b));
    const projections = chain.layers.map((_, k) => accumulateProjection(pushedNoise(chain, k, phi[k]!), 2 ** plan.log2Draws, rows, pieces, stream(plan.seed, batch, k, 1), covariance));
    yield { shifts, projections };
  }
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

function* pushedNoise(chain: KernelChain, k: number, phi: Matrix): Generator<Matrix> {
  const [count, n] = phi.shape;
  const g = chain.layers[k]!.secondMoment.data;
  for (let s = 0; s < count; s++) {
    const noise = zeros(n, n);
    for (let i = 0; i < n; i++) {
      const own = phi.data[s * n + i]!;
      for (let j = 0; j < n; j++) noise.data[i * n + j] = own * phi.data[s * n + j]! - g[i * n + j]!;
    }
    yield pushToOutput(chain, k, noise);
  }
}
