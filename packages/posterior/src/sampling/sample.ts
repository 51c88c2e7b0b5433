import { FinitewidthError, type RandomStream, type Run } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { bridgeEvidence, bridgePath, type LogRatio } from "./bridge.js";
import { importanceSample } from "./importance.js";
import { laplaceFit } from "./laplace.js";
import { latticeSample } from "./lattice.js";
import { gaussianOf, hamiltonianSample, type MarkovSample } from "./markov.js";
import type { LaplaceFit, PosteriorSample, PosteriorTarget } from "./target.js";
import { temperedSample } from "./tempered.js";

/** How much to draw; the defaults suit a report (standard errors of a percent of a posterior standard deviation or so). */
export interface SamplingOptions {
  /** Importance draws (at most 12 dimensions). */
  readonly draws: number;
  /** Chains and draws per chain of Hamiltonian Monte Carlo (more dimensions). */
  readonly chains: number;
  readonly chainDraws: number;
  readonly warmup: number;
}
export const defaultSampling: SamplingOptions = { draws: 40_000, chains: 4, chainDraws: 500, warmup: 250 };

/** Dimensions up to which a lattice is tried, and importance sampling. */
const latticeLimit = 3;
const importanceLimit = 12;
const paretoLimit = 0.7;
const leastEffectiveFraction = 0.02;
const rHatLimit = 1.02;

/** What a sampler may use besides its target: the seed of its streams, cancellation and progress. */
export type SamplingRun = Pick<Run, "seed" | "signal" | "onProgress">;

/**
 * Samples a posterior and estimates its evidence with the method that suits its dimension d: deterministic lattice quadrature for d ≤ 3,
 * importance sampling for d ≤ 12, Hamiltonian Monte Carlo with Bennett's ratio above; tempered sequential Monte Carlo from the prior where
 * there is no mode to start from or the others report failure. Yields to the event loop, so that a run can be cancelled.
 * Source: docs/theories/exact.md, "Several outputs".
 */
export async function samplePosterior(target: PosteriorTarget, run: SamplingRun, options: SamplingOptions = defaultSampling): Promise<PosteriorSample> {
  const random = (...indices: number[]): RandomStream => stream(run.seed, 7331, ...indices);
  const breathe = async (done: number, total: number, note: string): Promise<void> => {
    run.onProgress?.(done, total, note);
    await new Promise((resolve) => setTimeout(resolve));
    run.signal?.throwIfAborted();
  };
  const fit = findMode(target, random(0));
  if (fit === undefined) return tempered(target, options, random, breathe);
  await breathe(1, 4, "mode of the posterior");
  if (target.dimension <= latticeLimit) {
    const exact = latticeSample(target, fit);
    await breathe(2, 4, "quadrature");
    // a sample that includes the prior finds modes that the lattice, grown from one, would miss
    const check = importanceSample(target, fit, Math.min(options.draws, 4000), random(6));
    if (exact !== undefined && Math.abs(exact.logEvidence - check.logEvidence) < 5 * check.logEvidenceStandardError + 1e-6) return exact;
  }
  let reference: PosteriorSample | undefined;
  if (target.dimension <= importanceLimit) {
    const weighted = importanceSample(target, fit, options.draws, random(1));
    await breathe(2, 4, "importance sampling");
    const { paretoShape = 0, effectiveSampleSize, draws } = weighted.diagnostics;
    if (paretoShape <= paretoLimit && effectiveSampleSize >= leastEffectiveFraction * draws) return weighted;
    reference = weighted;
  }
  const markov = await runChains(target, fit, options, random, breathe);
  if (markov.rHat > 1.1) return tempered(target, options, random, breathe);
  const bridged = await withBridge(target, markov, random, breathe);
  return reference !== undefined && missesMode(bridged, reference) ? tempered(target, options, random, breathe) : bridged;
}

/** Poor importance weights miss evidence, they do not invent it: more of it than the chains found means a mode that the chains did not visit. */
function missesMode(chains: PosteriorSample, reference: PosteriorSample): boolean {
  const excess = reference.logEvidence - chains.logEvidence;
  return excess > 0.2 && excess > 3 * Math.hypot(chains.logEvidenceStandardError, reference.logEvidenceStandardError);
}

type Breathe = (done: number, total: number, note: string) => Promise<void>;

/** Mode from the centre of the prior and a few prior draws; undefined when none is found. */
function findMode(target: PosteriorTarget, random: RandomStream): LaplaceFit | undefined {
  const starts = [new Float64Array(target.dimension)];
  for (let k = 0; k < 2; k++) {
    const x = new Float64Array(target.dimension);
    target.samplePrior(random, x);
    starts.push(x);
  }
  try {
    const fit = laplaceFit(target, starts);
    return fit.converged ? fit : undefined;
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "not-converged") return undefined;
    throw error;
  }
}

/** Chains whitened by the Laplace fit; where they mix badly, up to two longer runs whitened by the covariance of the draws before. */
async function runChains(target: PosteriorTarget, fit: LaplaceFit, options: SamplingOptions, random: (...indices: number[]) => RandomStream, breathe: Breathe): Promise<MarkovSample> {
  let shape = fit;
  for (let attempt = 0; ; attempt++) {
    const pause = (chain: number, fraction: number): Promise<void> => breathe(chain + fraction, options.chains + 2, "Hamiltonian Monte Carlo");
    const length = 3 ** attempt;
    const markov = await hamiltonianSample(target, shape, { chains: options.chains, draws: length * options.chainDraws, warmup: length * options.warmup, pause }, (c) => random(2, attempt, c));
    if (attempt === 2 || (markov.rHat < 1.015 && markov.effectiveSampleSize > 400)) return markov;
    shape = gaussianOf(markov.points, 1);
  }
}

async function withBridge(target: PosteriorTarget, markov: MarkovSample, random: (...indices: number[]) => RandomStream, breathe: Breathe): Promise<PosteriorSample> {
  const fit = gaussianOf(markov.points, 1.2);
  const settings = { chains: 8, draws: 24, warmup: 16 };
  const repeats = 4;
  const estimates: LogRatio[] = [];
  for (let repeat = 0; repeat < repeats; repeat++) {
    estimates.push(await bridgeEvidence(target, fit, { ...settings, pause: (exponent) => breathe(repeat + exponent, repeats, "evidence") }, random(3, repeat)));
  }
  const values = estimates.map(({ value }) => value);
  const logEvidence = values.reduce((sum, value) => sum + value / repeats, 0);
  const scatter = values.reduce((sum, value) => sum + (value - logEvidence) ** 2, 0) / (repeats - 1);
  const inner = estimates.reduce((sum, { variance }) => sum + variance / repeats, 0);
  const spread = Math.max(...values) - Math.min(...values);
  const n = markov.points.length;
  return {
    points: markov.points,
    weights: new Float64Array(n).fill(1 / n),
    batches: markov.batches,
    batchCount: markov.batchCount,
    logEvidence,
    // four values say little about their own scatter: not below what correlated draws (correlation time 3) would give
    logEvidenceStandardError: Math.sqrt(Math.max(scatter, 3 * inner) / repeats),
    diagnostics: {
      method: "hmc",
      draws: n,
      effectiveSampleSize: markov.effectiveSampleSize,
      rHat: markov.rHat,
      acceptance: markov.acceptance,
      logEvidenceSpread: spread,
      path: bridgePath,
    },
    warnings: markov.rHat > rHatLimit ? [`split R-hat of the mixing variable is ${markov.rHat.toFixed(3)}; draw longer chains`] : [],
  };
}

async function tempered(target: PosteriorTarget, options: SamplingOptions, random: (...indices: number[]) => RandomStream, breathe: Breathe): Promise<PosteriorSample> {
  const particles = Math.max(1000, 50 * target.dimension, Math.ceil(options.draws / 10));
  const first = await temperedSample(target, particles, random(4), (temperature) => breathe(temperature, 3, "tempered Monte Carlo"));
  const second = await temperedSample(target, 2 * particles, random(5), (temperature) => breathe(1 + 2 * temperature, 3, "tempered Monte Carlo"));
  const spread = Math.abs(first.logEvidence - second.logEvidence);
  const points = [...first.points, ...second.points];
  const n = points.length;
  const batchCount = 32;
  return {
    points,
    weights: new Float64Array(n).fill(1 / n),
    batches: Int32Array.from({ length: n }, (_, k) => Math.floor((k * batchCount) / n)),
    batchCount,
    logEvidence: second.logEvidence,
    logEvidenceStandardError: Math.max(spread, 0.05),
    diagnostics: { method: "smc", draws: n, effectiveSampleSize: n, logEvidenceSpread: spread, path: second.temperatures },
    warnings: spread > 0.5 ? [`two tempered runs disagree by ${spread.toFixed(2)} in the log evidence; the posterior may have modes that are hard to reach`] : [],
  };
}
