import { FinitewidthError, type Run } from "@finitewidth/core";
import { thinSample } from "../matrix/draws.js";
import { defaultSampling, samplePosterior, type SamplingOptions } from "../sampling/sample.js";
import type { PosteriorSample } from "../sampling/target.js";
import type { SiteProblem } from "./problem.js";
import { siteSource } from "./work.js";

/** Targets (P D) up to which an evaluation is so cheap that many importance draws beat few Markov ones in a few more coordinates too. */
const cheap = 60;

/** How much to draw when the user does not say: less where one evaluation costs (P D)³. */
export function siteSampling(size: number, options: Partial<SamplingOptions>): SamplingOptions {
  const scale = size <= 200 ? 1 : 0.4;
  const { draws, chains, chainDraws, warmup } = defaultSampling;
  return {
    draws: Math.round(scale * draws),
    chains,
    chainDraws: Math.round(scale * chainDraws),
    warmup: Math.round(scale * warmup),
    ...(size <= cheap ? { importanceLimit: 20 } : {}),
    ...options,
  };
}

/** Coordinates above which there is no Laplace start: its Hessian takes two gradients a coordinate. */
const largestDimension = 1500;

/**
 * Weighted draws of the chain's coordinates with its evidence. @throws FinitewidthError (code "memory") for more than 1500 coordinates.
 */
export async function sampleSiteChain(problem: SiteProblem, options: Partial<SamplingOptions>, run: Run): Promise<PosteriorSample> {
  const { dimension, layers } = problem.layout;
  if (dimension > largestDimension) {
    throw new FinitewidthError(
      `[exact] the mixing matrices over ${layers[0]!.layer.sites} sites have ${dimension} coordinates, more than ${largestDimension} (their Hessian alone would take ${8 * dimension * dimension} bytes); use larger strides, fewer heads, a pooled readout or "monte-carlo"`,
      { code: "memory" },
    );
  }
  return samplePosterior(siteSource(problem), run, siteSampling(problem.targets.length, options));
}

/** Draws kept for averages, each of which costs (P D)³ again. */
const keptDraws = (size: number): number => (size <= 60 ? 8000 : size <= 200 ? 2000 : 500);
/** Total weight of quadrature nodes that may be left out. */
const negligible = 1e-11;

/** The draws that averages are taken over: resampled where there are many, quadrature nodes without those of negligible weight. */
export function drawsForAverages(sample: PosteriorSample, size: number): PosteriorSample {
  if (sample.diagnostics.method !== "quadrature") return thinSample(sample, keptDraws(size));
  const order = Array.from(sample.weights.keys()).sort((a, b) => sample.weights[b]! - sample.weights[a]!);
  let [count, total] = [0, 0];
  while (count < order.length && total < 1 - negligible) total += sample.weights[order[count++]!]!;
  const kept = order.slice(0, count);
  return {
    ...sample,
    points: kept.map((k) => sample.points[k]!),
    weights: Float64Array.from(kept, (k) => sample.weights[k]! / total),
    batches: new Int32Array(count),
  };
}

/** Batches for standard errors of networks drawn at quadrature nodes. */
const networkBatches = 32;
/** Multiplications that all networks together may take. */
const networkBudget = 2e10;

/**
 * Draws of equal weight by systematic resampling, nodes repeated as their weights demand: one network is drawn at each. As many as the size
 * P D of the linear systems and the `cost` of a network (multiplications) allow, at least one per batch.
 */
export function drawsForNetworks(draws: PosteriorSample, size: number, cost: number): PosteriorSample {
  const most = size <= 60 ? 6400 : size <= 200 ? 1600 : 640;
  const count = Math.max(networkBatches, Math.min(most, Math.floor(networkBudget / cost)));
  const chosen: number[] = [];
  let cumulative = 0;
  draws.weights.forEach((weight, k) => {
    cumulative += weight;
    while (chosen.length < count && cumulative > (chosen.length + 0.5) / count) chosen.push(k);
  });
  const deterministic = draws.batchCount === 1;
  return {
    ...draws,
    points: chosen.map((k) => draws.points[k]!),
    weights: new Float64Array(chosen.length).fill(1 / chosen.length),
    batches: Int32Array.from(chosen, (k, at) => (deterministic ? at % networkBatches : draws.batches[k]!)),
    batchCount: deterministic ? networkBatches : draws.batchCount,
  };
}
