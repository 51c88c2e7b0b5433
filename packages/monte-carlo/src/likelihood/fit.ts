import {
  likelihoodOf,
  resolveArchitecture,
  rowRange,
  toStandardScaling,
  zeros,
  type Matrix,
  type Posterior,
  type Prediction,
  type Problem,
  type Run,
} from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { archipelagoWarnings, chainMeans, latentAverages, runArchipelago, sizeOfIslands } from "@finitewidth/likelihoods";
import type { MonteCarloOptions } from "../options.js";
import { sampleNetworkIsland, type NetworkIslandChunk, type NetworkIslandResult } from "./island.js";

/** Draws of all weights. */
export interface NetworkDrawsState {
  readonly kind: "all-weights";
  /** draws × parameters. */
  readonly theta: Matrix;
  /** Sum to 1. */
  readonly weights: Float64Array;
  /** Chain of every draw, from 0. */
  readonly chains: Float64Array;
}

/** First index of the streams of networks under other likelihoods. */
const networkStreams = 8;
/** Bytes that stored weights may take, and draws of a chain that are stored at most. */
const [storageLimit, mostStored] = [2 ** 27, 16];
const mostParticles = 256;

/** Samples all weights under a likelihood other than Gaussian noise: annealed islands, log Z on request. */
export async function fitNetworkDraws(
  problem: Problem,
  options: MonteCarloOptions,
  run: Run,
): Promise<Posterior<MonteCarloOptions, NetworkDrawsState>> {
  const standard = toStandardScaling(problem, run.registry);
  const { inputs, targets } = standard;
  const [points, columns] = targets.shape;
  const likelihood = likelihoodOf(standard, run.registry)!;
  const d = likelihood.latents(columns);
  const architecture = resolveArchitecture(run.registry, standard.network);
  const { parameters } = realise(architecture, rowRange(inputs, 0, 1), d);
  const wanted = options.chains * options.draws;
  const size = sizeOfIslands(wanted, options.evidence);
  const stored = Math.max(1, Math.min(size.draws, mostStored, Math.floor(storageLimit / (8 * parameters * mostParticles))));
  const found = await runArchipelago<NetworkIslandChunk, NetworkIslandResult>(
    sampleNetworkIsland,
    { problem: standard, seed: run.seed, stored },
    { wanted, evidence: options.evidence, indices: [networkStreams] },
    run,
  );
  const { results, particles, draws, chainWeights } = found;
  const chainCount = results.length * particles;
  const averages = latentAverages(likelihood, columns, points, chainCount);
  const row = (m: Matrix, k: number, width: number): Matrix => ({
    data: m.data.subarray(k * points * width, (k + 1) * points * width),
    shape: [points, width],
  });
  for (let c = 0; c < chainCount; c++) {
    const { latents } = results[Math.floor(c / particles)]!;
    for (let k = 0; k < draws; k++) averages.add(c, chainWeights[c]! / draws, row(latents, (c % particles) * draws + k, d));
  }
  const kernels = (results[0]!.hiddenKernels ?? []).map((_, l) => {
    const perChain = zeros(chainCount, points ** 2);
    results.forEach(({ hiddenKernels }, g) => perChain.data.set(hiddenKernels[l]!.data.map((value) => value / draws), g * particles * points ** 2)); // prettier-ignore
    const { mean, error } = chainMeans(perChain, chainWeights);
    return { mean: { data: mean, shape: [points, points] as const }, error: { data: error, shape: [points, points] as const } };
  });
  const traced = Array.from(
    { length: Math.min(8, points * d) },
    (_, i) => (g: number, k: number) => results[g]!.latents.data[k * points * d + i]!,
  );
  const { rHat, effectiveDraws } = found.diagnose(traced);
  const theta = zeros(chainCount * stored, parameters);
  results.forEach((result, g) => theta.data.set(result.theta.data, g * particles * stored * parameters));
  const warnings = archipelagoWarnings(rHat, found.evidence);
  return {
    theory: "monte-carlo",
    problem,
    options,
    state: {
      kind: "all-weights",
      theta,
      weights: Float64Array.from({ length: chainCount * stored }, (_, k) => chainWeights[Math.floor(k / stored)]! / stored),
      chains: Float64Array.from({ length: chainCount * stored }, (_, k) => Math.floor(k / stored)),
    },
    solver: { converged: warnings.length === 0, iterations: found.gradients, residual: rHat - 1, jitter: 0 },
    train: averages.finish(),
    ...(found.evidence ? { logEvidence: found.evidence.logEvidence } : {}),
    hiddenKernels: kernels.map(({ mean }) => mean),
    standardError: {
      ...(found.evidence ? { logEvidence: found.evidence.standardError } : {}),
      hiddenKernels: kernels.map(({ error }) => error),
    },
    diagnostics: {
      sampler: "hmc with an exact Gaussian flow, all weights",
      chains: chainCount,
      draws: chainCount * draws,
      storedDraws: chainCount * stored,
      mixed: warnings.length === 0,
      rHat: Math.min(rHat, Number.MAX_VALUE),
      effectiveSamples: effectiveDraws,
      acceptance: found.acceptance,
      gradients: found.gradients,
    },
    warnings,
  };
}

/** Predictions from stored draws of all weights. */
export function predictNetworkDraws(posterior: Posterior<MonteCarloOptions, NetworkDrawsState>, inputs: Matrix, run: Run): Prediction {
  const problem = toStandardScaling(posterior.problem, run.registry);
  const likelihood = likelihoodOf(problem, run.registry)!;
  const columns = problem.targets.shape[1];
  const { theta, weights, chains } = posterior.state;
  const parameters = theta.shape[1];
  const network = realise(resolveArchitecture(run.registry, problem.network), inputs, likelihood.latents(columns));
  const averages = latentAverages(likelihood, columns, inputs.shape[0], chains.at(-1)! + 1);
  for (let k = 0; k < weights.length; k++) {
    run.signal?.throwIfAborted();
    averages.add(chains[k]!, weights[k]!, network.forward(theta.data.subarray(k * parameters, (k + 1) * parameters)).outputs);
  }
  return averages.finish();
}
