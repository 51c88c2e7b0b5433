import { FinitewidthError, type RandomStream, type Run } from "@finitewidth/core";
import { meanEss } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { acceptanceRatio, bridgePath, ratiosAt, type LogRatio } from "./bridge.js";
import { drawPlans, importanceSample, importanceSummary } from "./importance.js";
import { laplaceFit } from "./laplace.js";
import { latticeSample } from "./lattice.js";
import { gaussianOf, joinChains, shrunkGaussian, type MarkovSample } from "./markov.js";
import type { LaplaceFit, PosteriorSample, PosteriorTarget } from "./target.js";
import { temperedSample } from "./tempered.js";
import { collect, samplingStreams, type SamplingSource } from "./work.js";

/** How much to draw; the defaults suit a report (standard errors of a percent of a posterior standard deviation or so). */
export interface SamplingOptions {
  /** Importance draws (at most 12 dimensions). */
  readonly draws: number;
  /** Chains and draws per chain of Hamiltonian Monte Carlo (more dimensions). */
  readonly chains: number;
  readonly chainDraws: number;
  readonly warmup: number;
  /** Coordinates up to which importance sampling is tried before Hamiltonian Monte Carlo. @defaultValue 12 */
  readonly importanceLimit?: number;
}
export const defaultSampling: SamplingOptions = { draws: 40_000, chains: 4, chainDraws: 500, warmup: 250 };

/** Dimensions up to which a lattice is tried, and importance sampling. */
const latticeLimit = 3;
const defaultImportanceLimit = 12;
const paretoLimit = 0.7;
const leastEffectiveFraction = 0.02;
const rHatLimit = 1.02;

/** Parts in which importance draws are made: their number fixes the streams, so it does not depend on the workers. */
const importanceParts = 8;

/**
 * Samples a posterior and estimates its evidence with the method that suits its dimension d: deterministic lattice quadrature for d ≤ 3,
 * importance sampling for d ≤ 12, Hamiltonian Monte Carlo with Bennett's ratio above; tempered sequential Monte Carlo from the prior where
 * there is no mode to start from or the others report failure. Chains, bridges and importance draws are chunks of `run.map`. See
 * `latticeSample`, `weightedDraws`, `hamiltonianRun`, `bridgeEvidence` and `temperedSample`. Source: docs/theories/exact.md, "Several
 * outputs".
 */
export async function samplePosterior<Data>(
  source: SamplingSource<Data>,
  run: Run,
  options: SamplingOptions = defaultSampling,
): Promise<PosteriorSample> {
  const sample = await sampleVarying(source, run, options);
  return { ...sample, logEvidence: sample.logEvidence + (source.target.logConstant ?? 0) };
}

/** The sample, its evidence without the constant of the target. */
async function sampleVarying<Data>(source: SamplingSource<Data>, run: Run, options: SamplingOptions): Promise<PosteriorSample> {
  const { target, data, tasks } = source;
  const random = (...indices: number[]): RandomStream => stream(run.seed, samplingStreams, ...indices);
  const breathe = async (done: number, total: number, note: string): Promise<void> => {
    run.onProgress?.(done, total, note);
    await new Promise((resolve) => setTimeout(resolve));
    run.signal?.throwIfAborted();
  };
  const fit = findMode(target, random(0));
  if (fit === undefined) return tempered(target, options, random, breathe);
  requireResolved(target.evaluate(fit.mode).logLikelihood);
  // a small part of a long fit: what follows begins at nothing done
  await breathe(0, 1, "mode of the posterior");
  if (target.dimension <= latticeLimit) {
    const exact = latticeSample(target, fit);
    await breathe(0, 1, "quadrature");
    // a sample that includes the prior finds modes that the lattice, grown from one, would miss
    const check = importanceSample(target, fit, Math.min(options.draws, 4000), random(6));
    if (exact !== undefined && Math.abs(exact.logEvidence - check.logEvidence) < 5 * check.logEvidenceStandardError + 1e-6) return exact;
  }
  let reference: PosteriorSample | undefined;
  if (target.dimension <= (options.importanceLimit ?? defaultImportanceLimit)) {
    const plans = drawPlans(options.draws, importanceParts).map((plan, part) => ({
      data,
      fit,
      options: plan,
      seed: run.seed,
      indices: [1, part],
    }));
    const weighted = importanceSummary(target.dimension, await collect(run, tasks.importance, plans));
    const { paretoShape = 0, effectiveSampleSize, draws } = weighted.diagnostics;
    if (paretoShape <= paretoLimit && effectiveSampleSize >= leastEffectiveFraction * draws) return weighted;
    reference = weighted;
  }
  const markov = await runChains(source, fit, options, run);
  if (markov.rHat > 1.1) return tempered(target, options, random, breathe);
  const bridged = await withEvidence(source, markov, fit, run);
  return reference !== undefined && missesMode(bridged, reference) ? tempered(target, options, random, breathe) : bridged;
}

/**
 * Poor importance weights miss evidence, they do not invent it: more of it than the chains found means a mode that the chains did not
 * visit.
 */
function missesMode(chains: PosteriorSample, reference: PosteriorSample): boolean {
  const excess = reference.logEvidence - chains.logEvidence;
  return excess > 0.2 && excess > 3 * Math.hypot(chains.logEvidenceStandardError, reference.logEvidenceStandardError);
}

/** Rounding of the log likelihood, in nats, above which draws are told apart by noise. */
const coarsest = 0.01;

/** @throws FinitewidthError (code "not-converged") where Float64 does not resolve differences of the log likelihood. */
function requireResolved(logLikelihood: number): void {
  const rounding = 4 * Number.EPSILON * Math.abs(logLikelihood);
  if (!(rounding > coarsest)) return;
  throw new FinitewidthError(
    `[exact] the targets are so far from what the network can fit that Float64 resolves their log likelihood, ${logLikelihood.toExponential(1)}, to ${rounding.toPrecision(1)} only: raise the temperature, or give every layer as many units as there are outputs`,
    { code: "not-converged" },
  );
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
async function runChains<Data>(
  { data, tasks }: SamplingSource<Data>,
  fit: LaplaceFit,
  options: SamplingOptions,
  run: Run,
): Promise<MarkovSample> {
  let shape = fit;
  for (let attempt = 0; ; attempt++) {
    const length = 3 ** attempt;
    const settings = { draws: length * options.chainDraws, warmup: length * options.warmup };
    const chunks = Array.from({ length: options.chains }, (_, c) => ({
      data,
      fit: shape,
      options: settings,
      seed: run.seed,
      indices: [2, attempt, c],
    }));
    const markov = joinChains(await collect(run, tasks.chain, chunks), shape);
    if (attempt === 2 || (markov.rHat < 1.015 && markov.effectiveSampleSize > 400)) return markov;
    shape = gaussianOf(markov.points, 1);
  }
}

/** Largest standard error with which the evidence is taken from the ratio of the chains to a Gaussian, without bridges in between. */
const directLimit = 0.05;

interface Evidence {
  readonly logEvidence: number;
  readonly standardError: number;
  readonly spread: number;
  /** Exponents of the path. */
  readonly path: readonly number[];
}

async function withEvidence<Data>(
  source: SamplingSource<Data>,
  markov: MarkovSample,
  frame: LaplaceFit,
  run: Run,
): Promise<PosteriorSample> {
  const evidence = (await directEvidence(source, markov, frame, run)) ?? (await bridgedEvidence(source, markov, run));
  const n = markov.points.length;
  return {
    points: markov.points,
    weights: new Float64Array(n).fill(1 / n),
    batches: markov.batches,
    batchCount: markov.batchCount,
    logEvidence: evidence.logEvidence,
    logEvidenceStandardError: evidence.standardError,
    diagnostics: {
      method: "hmc",
      draws: n,
      effectiveSampleSize: markov.effectiveSampleSize,
      rHat: markov.rHat,
      acceptance: markov.acceptance,
      logEvidenceSpread: evidence.spread,
      path: evidence.path,
    },
    warnings: markov.rHat > rHatLimit ? [`split R-hat of the mixing variable is ${markov.rHat.toFixed(3)}; draw longer chains`] : [],
  };
}

/**
 * Bennett's ratio between the posterior and a Gaussian fitted to it, from the draws that the chains have made already: the Gaussian from
 * one half of the chains, the ratio from the other, and the other way round. Undefined when they overlap too little.
 */
async function directEvidence<Data>(
  { data, tasks, target }: SamplingSource<Data>,
  markov: MarkovSample,
  frame: LaplaceFit,
  run: Run,
): Promise<Evidence | undefined> {
  const perChain = markov.points.length / markov.chains;
  const cut = Math.ceil(markov.chains / 2) * perChain;
  const halves = [
    { fitted: [0, cut], used: [cut, markov.points.length] },
    { fitted: [cut, markov.points.length], used: [0, cut] },
  ] as const;
  const share = markov.effectiveSampleSize / markov.points.length;
  const fits = halves.map(({ fitted: [from, to] }) =>
    shrunkGaussian(markov.points.slice(from, to), frame, Math.max(2, share * (to - from))),
  );
  if (markov.points.length < target.dimension) return undefined;
  const gaussian = await collect(
    run,
    tasks.ratios,
    halves.map(({ used: [from, to] }, half) => ({
      data,
      fit: fits[half]!,
      options: { draws: to - from },
      seed: run.seed,
      indices: [8, half],
    })),
  );
  const [first, second] = halves.map(({ used: [from, to] }, half) => {
    const ratios = ratiosAt(fits[half]!, markov.points.slice(from, to), markov.logDensity.subarray(from, to));
    const byChain = (values: Float64Array): Float64Array[] =>
      Array.from({ length: (to - from) / perChain }, (_, c) => values.subarray(c * perChain, (c + 1) * perChain));
    return acceptanceRatio(gaussian[half]!, ratios, (values) => Math.min(to - from, Math.max(2, meanEss(byChain(values)))));
  }) as [LogRatio, LogRatio];
  const spread = Math.abs(first.value - second.value);
  const expected = Math.sqrt(first.variance + second.variance);
  // half the difference is one draw of the error of the mean: it may not contradict the formula, and the formula may not be below it
  const standardError = Math.max(expected, spread) / 2;
  if (!(expected / 2 < directLimit) || spread > 4 * expected) return undefined;
  return { logEvidence: (first.value + second.value) / 2, standardError, spread, path: [0, 1] };
}

/** Bennett's ratio along the path of `bridgePath`, four times. */
async function bridgedEvidence<Data>({ data, tasks }: SamplingSource<Data>, markov: MarkovSample, run: Run): Promise<Evidence> {
  const fit = gaussianOf(markov.points, 1.2);
  const settings = { chains: 8, draws: 24, warmup: 16 };
  const repeats = 4;
  const chunks = Array.from({ length: repeats }, (_, repeat) => ({ data, fit, options: settings, seed: run.seed, indices: [3, repeat] }));
  const estimates = await collect(run, tasks.bridge, chunks);
  const values = estimates.map(({ value }) => value);
  const logEvidence = values.reduce((sum, value) => sum + value / repeats, 0);
  const scatter = values.reduce((sum, value) => sum + (value - logEvidence) ** 2, 0) / (repeats - 1);
  const inner = estimates.reduce((sum, { variance }) => sum + variance / repeats, 0);
  // four values say little about their own scatter: not below what correlated draws (correlation time 3) would give
  return {
    logEvidence,
    standardError: Math.sqrt(Math.max(scatter, 3 * inner) / repeats),
    spread: Math.max(...values) - Math.min(...values),
    path: bridgePath,
  };
}

async function tempered(
  target: PosteriorTarget,
  options: SamplingOptions,
  random: (...indices: number[]) => RandomStream,
  breathe: Breathe,
): Promise<PosteriorSample> {
  const particles = Math.max(1000, 50 * target.dimension, Math.ceil(options.draws / 10));
  const first = await temperedSample(target, particles, random(4), (fraction) => breathe(fraction, 3, "tempered Monte Carlo"));
  const second = await temperedSample(target, 2 * particles, random(5), (fraction) => breathe(1 + 2 * fraction, 3, "tempered Monte Carlo"));
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
    warnings:
      spread > 0.5
        ? [`two tempered runs disagree by ${spread.toFixed(2)} in the log evidence; the posterior may have modes that are hard to reach`]
        : [],
  };
}
