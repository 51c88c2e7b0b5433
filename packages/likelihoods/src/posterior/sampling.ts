import { createLikelihood, zeros, type Matrix, type Run } from "@finitewidth/core";
import { multiply, multiplyTransposedRight, symmetricEigen } from "@finitewidth/linalg";
import { laplaceSoftmax } from "../inference/laplace-softmax.js";
import { chainMeans } from "../sampling/averages.js";
import { chainTarget } from "../sampling/chain-target.js";
import { archipelagoWarnings, runArchipelago } from "../sampling/islands.js";
import { sampleLatentIsland } from "./island.js";
import type { LatentProblem } from "./problem.js";
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

/** First index of the streams of latent outputs. */
const latentStreams = 5;

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

/**
 * g at the mode of a softmax Gaussian process, Aᵀ in contrasts times B: the posterior is log-concave there, so chains may start at its
 * mode.
 */
function modeOf({ kernel, likelihood, targets }: LatentProblem, root: Matrix, run: Run): Float64Array | undefined {
  const { scale, contrasts } = createLikelihood(run.registry, likelihood);
  const basis = contrasts(targets.shape[1]);
  if (basis === undefined) return undefined;
  const { alpha } = laplaceSoftmax(kernel, targets, scale);
  const inContrasts = multiplyTransposedRight(basis, alpha);
  return multiply(inContrasts, root).data.map((value) => value / scale);
}

/**
 * Samples (chain, g) of a latent problem by Hamiltonian Monte Carlo with an exact Gaussian flow, started by annealed islands (from the
 * mode at infinite width); with `evidence`,
 * log Z from the islands. Exact up to standard errors from independent chains. Cost: 8 islands × particles × (levels × 2 + burn-in + draws)
 * × about 6 gradients. Same numbers for any number of workers. Source: docs/theories/classification.md.
 */
export async function sampleLatents(problem: LatentProblem, wanted: number, evidence: boolean, run: Run): Promise<SampledLatents> {
  const { kernel, chain, likelihood, targets, linear = false } = problem;
  const { root, basis } = rootAndBasis(kernel);
  const start = evidence || chain.widths.length > 0 ? undefined : modeOf(problem, root, run);
  const chunk = {
    root,
    chain,
    likelihood,
    targets,
    seed: run.seed,
    ...(linear && chain.widths.length > 0 ? { kernel } : {}),
    ...(start ? { start } : {}),
  };
  const found = await runArchipelago(sampleLatentIsland, chunk, { wanted, evidence, indices: [latentStreams] }, run);
  const { results, particles, draws, chainWeights } = found;
  const target = chainTarget(root, createLikelihood(run.registry, likelihood).observe(targets), chain);
  const count = results.length * particles * draws;
  const chainCount = results.length * particles;
  const d = target.latent(new Float64Array(target.dimension)).length / targets.shape[0];
  const first = target.pointAt(new Float64Array(target.dimension)).factor;
  const state: DrawsState = {
    kind: "draws",
    basis,
    projected: zeros(count, d * root.shape[1]),
    factors: zeros(count, first.data.length),
    bias: zeros(count, d),
    weights: Float64Array.from({ length: count }, (_, k) => chainWeights[Math.floor(k / draws)]! / draws),
    chains: Float64Array.from({ length: count }, (_, k) => Math.floor(k / draws)),
  };
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
  const size = state.projected.shape[1];
  const perIsland = particles * draws;
  const last = Array.from({ length: Math.min(8, size) }, (_, i) => size - 1 - i);
  const { rHat, effectiveDraws } = found.diagnose(
    last.map((i) => (g: number, k: number) => state.projected.data[(g * perIsland + k) * size + i]!),
  );
  return {
    state,
    mixing: { data: averaged.mean, shape: [d, d] },
    mixingError: { data: averaged.error, shape: [d, d] },
    ...(hidden ? { hiddenKernels: hidden.map(({ mean }) => mean), hiddenKernelErrors: hidden.map(({ error }) => error) } : {}),
    ...(found.evidence ? { evidence: { logEvidence: found.evidence.logEvidence, standardError: found.evidence.standardError } } : {}),
    rHat,
    effectiveDraws,
    acceptance: found.acceptance,
    gradients: found.gradients,
    warnings: archipelagoWarnings(rHat, found.evidence),
  };
}
