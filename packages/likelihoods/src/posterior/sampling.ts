import { zeros, type Matrix, type Run } from "@finitewidth/core";
import { multiply, multiplyTransposedRight, symmetricEigen } from "@finitewidth/linalg";
import { diagnoseChains, evidenceOfIslands } from "@finitewidth/numerics";
import { laplaceSoftmax } from "../inference/laplace-softmax.js";
import { chainTarget } from "../sampling/chain-target.js";
import { sampleLatentIsland, type LatentIslandChunk, type LatentIslandResult } from "./island.js";
import { createLikelihood, type LatentProblem } from "./problem.js";
import type { DrawsState } from "./state.js";

/** What sampling found. */
export interface SampledLatents {
  readonly state: DrawsState;
  /** E Q, d × d, with standard errors. */
  readonly mixing: Matrix;
  readonly mixingError: Matrix;
  readonly hiddenKernels?: readonly Matrix[];
  readonly hiddenKernelErrors?: readonly Matrix[];
  readonly evidence?: { readonly logEvidence: number; readonly standardError: number };
  readonly rHat: number;
  readonly effectiveDraws: number;
  readonly acceptance: number;
  readonly gradients: number;
  readonly warnings: readonly string[];
}

const islands = 8;
const burnIn = 8;
/** Particles of an island: a start alone, or an evidence with an error to be believed. */
const particlesForStart = 8;
const particlesForEvidence = 32;
const leastDraws = 4;
/** First index of the streams of latent outputs. */
const latentStreams = 5;
const largestRHat = 1.02;

/** B and V λ^−½ of a positive semi-definite kernel; eigenvalues below 10⁻¹² of the largest are left out. O(P³). */
function rootAndBasis(kernel: Matrix): { readonly root: Matrix; readonly basis: Matrix } {
  const { values, vectors } = symmetricEigen(kernel);
  const n = values.length;
  const kept = Array.from(values.keys()).filter((k) => values[k]! > 1e-12 * values[n - 1]!);
  const root = zeros(n, kept.length);
  const basis = zeros(n, kept.length);
  kept.forEach((k, c) => {
    const scale = Math.sqrt(values[k]!);
    for (let i = 0; i < n; i++) {
      root.data[i * kept.length + c] = vectors.data[i * n + k]! * scale;
      basis.data[i * kept.length + c] = vectors.data[i * n + k]! / scale;
    }
  });
  return { root, basis };
}

/** g at the mode of a softmax Gaussian process, Aᵀ in contrasts times B: the posterior is log-concave there, so chains may start at its mode. */
function modeOf({ kernel, likelihood, targets }: LatentProblem, root: Matrix, run: Run): Float64Array | undefined {
  const { scale, contrasts } = createLikelihood(run.registry, likelihood);
  const basis = contrasts(targets.shape[1]);
  if (basis === undefined) return undefined;
  const { alpha } = laplaceSoftmax(kernel, targets, scale);
  const inContrasts = multiplyTransposedRight(basis, alpha);
  return multiply(inContrasts, root).data.map((value) => value / scale);
}

/** Mean over chains of equal length with weights, and its standard error from their spread. */
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

/**
 * Samples (chain, g) of a latent problem by Hamiltonian Monte Carlo with an exact Gaussian flow, started by annealed islands (from the
 * mode at infinite width); with `evidence`,
 * log Z from the islands. Exact up to standard errors from independent chains. Cost: 8 islands × particles × (levels × 2 + burn-in + draws) ×
 * about 6 gradients. Same numbers for any number of workers. Source: docs/theories/classification.md.
 */
export async function sampleLatents(problem: LatentProblem, wanted: number, evidence: boolean, run: Run): Promise<SampledLatents> {
  const { kernel, chain, likelihood, targets, linear = false } = problem;
  const { root, basis } = rootAndBasis(kernel);
  const particles = evidence ? particlesForEvidence : particlesForStart;
  const draws = Math.max(leastDraws, Math.ceil(wanted / (islands * particles)));
  const start = evidence || chain.widths.length > 0 ? undefined : modeOf(problem, root, run);
  const chunk = {
    root,
    chain,
    likelihood,
    targets,
    seed: run.seed,
    burnIn,
    ...(linear && chain.widths.length > 0 ? { kernel } : {}),
    ...(start ? { start } : {}),
  };
  const runAll = async (chunks: readonly LatentIslandChunk[]): Promise<LatentIslandResult[]> => {
    const out: LatentIslandResult[] = [];
    for await (const result of run.map(sampleLatentIsland, chunks)) out.push(result);
    return out;
  };
  const pilot = evidence ? (await runAll([{ ...chunk, particles: 2 * particles, draws: 0, indices: [latentStreams, 0] }]))[0] : undefined;
  const results = await runAll(
    Array.from({ length: islands }, (_, g) => ({
      ...chunk,
      particles,
      draws,
      indices: [latentStreams, g + 1],
      ...(pilot ? { ladder: pilot.ladder } : {}),
    })),
  );
  const found = evidence ? evidenceOfIslands(results.map(({ levels }) => levels)) : undefined;
  const islandWeights = found?.islandWeights ?? new Float64Array(islands).fill(1 / islands);

  const target = chainTarget(root, createLikelihood(run.registry, likelihood).observe(targets), chain);
  const count = islands * particles * draws;
  const d = target.latent(new Float64Array(target.dimension)).length / targets.shape[0];
  const first = target.pointAt(new Float64Array(target.dimension)).factor;
  const state: DrawsState = {
    kind: "draws",
    basis,
    projected: zeros(count, d * root.shape[1]),
    factors: zeros(count, first.data.length),
    bias: zeros(count, d),
    weights: Float64Array.from({ length: count }, (_, k) => islandWeights[Math.floor(k / (particles * draws))]! / (particles * draws)),
    chains: Int32Array.from({ length: count }, (_, k) => Math.floor(k / draws)),
  };
  const chainCount = islands * particles;
  const chainWeights = Float64Array.from({ length: chainCount }, (_, c) => islandWeights[Math.floor(c / particles)]! / particles);
  const mixing = zeros(chainCount, d * d);
  for (let k = 0; k < count; k++) {
    const { positions } = results[Math.floor(k / (particles * draws))]!;
    const at = k % (particles * draws);
    const { factor, g, bias } = target.pointAt(positions.data.subarray(at * target.dimension, (at + 1) * target.dimension));
    state.projected.data.set(multiply(factor, g).data, k * state.projected.shape[1]);
    state.factors.data.set(factor.data, k * factor.data.length);
    state.bias.data.set(bias, k * d);
    const r1 = factor.shape[1];
    for (let a = 0; a < d; a++) {
      for (let b = 0; b < d; b++) {
        let sum = 0;
        for (let e = 0; e < r1; e++) sum += factor.data[a * r1 + e]! * factor.data[b * r1 + e]!;
        mixing.data[state.chains[k]! * d * d + a * d + b]! += sum / draws;
      }
    }
  }
  const averaged = chainMeans(mixing, chainWeights);
  const hidden = chunk.kernel
    ? chain.widths.map((_, l) => {
        const size = results[0]!.hiddenKernels[l]!.shape[1];
        const perChain = zeros(chainCount, size);
        results.forEach(({ hiddenKernels }, g) => perChain.data.set(hiddenKernels[l]!.data.map((value) => value / draws), g * particles * size)); // prettier-ignore
        const { mean, error } = chainMeans(perChain, chainWeights);
        return { mean: { data: mean, shape: kernel.shape }, error: { data: error, shape: kernel.shape } };
      })
    : undefined;
  // particles are too short for R̂: whether islands agree is asked of all draws of an island
  const islandsOf = (of: (k: number) => number): Float64Array[] =>
    Array.from({ length: islands }, (_, g) => Float64Array.from({ length: count / islands }, (__, i) => of((g * count) / islands + i)));
  const likelihoodAt = (k: number): number => results[Math.floor(k / (particles * draws))]!.logLikelihoods[k % (particles * draws)]!;
  const reports = [diagnoseChains(islandsOf(likelihoodAt))];
  const size = state.projected.shape[1];
  for (let i = 0; i < Math.min(8, size); i++)
    reports.push(diagnoseChains(islandsOf((k) => state.projected.data[k * size + size - 1 - i]!)));
  const rHat = Math.max(...reports.map((report) => report.rHat));
  return {
    state,
    mixing: { data: averaged.mean, shape: [d, d] },
    mixingError: { data: averaged.error, shape: [d, d] },
    ...(hidden ? { hiddenKernels: hidden.map(({ mean }) => mean), hiddenKernelErrors: hidden.map(({ error }) => error) } : {}),
    ...(found ? { evidence: { logEvidence: found.logEvidence, standardError: found.standardError } } : {}),
    rHat,
    effectiveDraws: Math.min(...reports.map((report) => report.bulkEss)),
    acceptance: results.reduce((sum, { acceptance }) => sum + acceptance / islands, 0),
    gradients: results.reduce((sum, { gradients }) => sum + gradients, pilot?.gradients ?? 0),
    warnings: [
      ...(rHat > largestRHat ? [`islands of chains disagree: R̂ = ${rHat.toFixed(3)}; raise draws`] : []),
      ...(found?.objections ?? []),
    ],
  };
}
