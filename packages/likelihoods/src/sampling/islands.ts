import { createPause, type RandomStream, type Run, type Task } from "@finitewidth/core";
import {
  anneal,
  createRotationSampler,
  diagnoseChains,
  evidenceOfIslands,
  nextStepSize,
  type AnnealedLevel,
  type AnnealedRun,
  type AnnealingLadder,
  type IslandEvidence,
  type LogDensity,
} from "@finitewidth/numerics";

/** Size of one island. */
export interface IslandSettings {
  readonly particles: number;
  /** Draws of every particle at the posterior, after `burnIn` trajectories that adapt the step size. */
  readonly draws: number;
  readonly burnIn: number;
  /** Fixed in advance, for an unbiased evidence; without it found on the way: a pilot, or a start for draws alone. */
  readonly ladder?: AnnealingLadder;
  /** Where all chains start instead of being annealed from the prior: the mode of a log-concave posterior. */
  readonly start?: Float64Array;
}

/** What an island found. Plain data. */
export interface IslandDraws {
  readonly ladder: AnnealingLadder;
  readonly levels: readonly AnnealedLevel[];
  readonly gradients: number;
  readonly acceptance: number;
  /** Of every draw, particle after particle. */
  readonly logLikelihoods: Float64Array;
}

const movesPerLevel = 2;
const wantedAcceptance = 0.85;

/**
 * Anneals particles from the prior N(0, 1) to the posterior of one likelihood and draws from there; `visit` sees every draw, index particle
 * · draws + draw. Cost: particles × (levels × 2 + burn-in + draws) × about 6 gradients.
 */
export async function drawIsland(
  target: LogDensity,
  settings: IslandSettings,
  random: RandomStream,
  tick: (fraction: number) => void,
  visit: (draw: number, position: Float64Array) => void,
): Promise<IslandDraws> {
  const { particles, draws, burnIn, ladder, start } = settings;
  let progress = 0;
  const sampler = createRotationSampler(target, () => tick(progress));
  const pause = createPause();
  const share = start ? 0 : draws > 0 ? 0.5 : 1;
  const annealing = { particles, moves: movesPerLevel, pause, onLevel: (exponent: number) => (progress = share * exponent) };
  const run: AnnealedRun = start
    ? { ladder: { exponents: [], stepSizes: [] }, levels: [], states: Array.from({ length: particles }, () => sampler.open(start)) }
    : await anneal(sampler, { ...annealing, ...(ladder ? { ladder } : {}) }, random);
  const logLikelihoods = new Float64Array(particles * draws);
  let stepSize = run.ladder.stepSizes.at(-1) ?? 0.3;
  let accepted = 0;
  const trajectories = draws > 0 ? burnIn + draws : 0;
  // all particles take a trajectory before any takes the next, so that one step size serves all while it adapts
  for (let move = 0; move < trajectories; move++) {
    let here = 0;
    for (const [k, state] of run.states.entries()) {
      here += sampler.move(state, { exponent: 1, stepSize }, random) / particles;
      if (move < burnIn) continue;
      const at = k * draws + move - burnIn;
      logLikelihoods[at] = state.logLikelihood;
      visit(at, state.position);
      await pause();
    }
    if (move < burnIn) stepSize = nextStepSize(stepSize, here, wantedAcceptance);
    else accepted += here / draws;
    progress = share + ((1 - share) * (move + 1)) / trajectories;
  }
  return { ladder: run.ladder, levels: run.levels, gradients: sampler.gradients, acceptance: accepted, logLikelihoods };
}

/** Islands with what they say together. */
export interface Archipelago<Result extends IslandDraws> {
  readonly results: readonly Result[];
  readonly particles: number;
  /** Of every particle. */
  readonly draws: number;
  /** Particles of all islands, each an independent chain: weights that sum to 1. */
  readonly chainWeights: Float64Array;
  readonly evidence?: IslandEvidence;
  readonly gradients: number;
  readonly acceptance: number;
  /** R̂ and effective draws over the log likelihood and `traces`, island against island. */
  diagnose(traces: readonly ((island: number, draw: number) => number)[]): { readonly rHat: number; readonly effectiveDraws: number };
}

const islands = 8;
const burnIn = 8;
/** Particles of an island: a start alone, or an evidence with an error to be believed. */
const particlesForStart = 8;
const particlesForEvidence = 32;
const leastDraws = 4;
/** As everywhere here; islands of a thousand good draws reach 1.02 by chance. */
const largestRHat = 1.05;

/** Particles of an island and draws of each for `wanted` draws of all islands. */
export function sizeOfIslands(wanted: number, evidence: boolean): { readonly particles: number; readonly draws: number } {
  const particles = evidence ? particlesForEvidence : particlesForStart;
  return { particles, draws: Math.max(leastDraws, Math.ceil(wanted / (islands * particles))) };
}

/**
 * Eight islands, each a chunk of `task`: `wanted` draws in all, and with `evidence` log Z on a ladder that a pilot found. Same numbers for
 * any number of workers. `indices`: of the random streams, before that of the island. Work: eight times one island.
 */
export async function runArchipelago<Chunk extends IslandSettings, Result extends IslandDraws>(
  task: Task<Chunk & { readonly indices: readonly number[] }, Result>,
  chunk: Omit<Chunk, "particles" | "draws" | "burnIn" | "ladder" | "indices">,
  { wanted, evidence, indices }: { readonly wanted: number; readonly evidence: boolean; readonly indices: readonly number[] },
  run: Run,
): Promise<Archipelago<Result>> {
  const { particles, draws } = sizeOfIslands(wanted, evidence);
  const runAll = async (settings: readonly (IslandSettings & { readonly indices: readonly number[] })[]): Promise<Result[]> => {
    const out: Result[] = [];
    const chunks = settings.map((one) => ({ ...chunk, ...one }) as unknown as Chunk & { readonly indices: readonly number[] });
    for await (const result of run.map(task, chunks)) out.push(result);
    return out;
  };
  const pilot = evidence ? (await runAll([{ particles: 2 * particles, draws: 0, burnIn, indices: [...indices, 0] }]))[0] : undefined;
  const results = await runAll(
    Array.from({ length: islands }, (_, g) => ({
      particles,
      draws,
      burnIn,
      indices: [...indices, g + 1],
      ...(pilot ? { ladder: pilot.ladder } : {}),
    })),
  );
  const found = evidence ? evidenceOfIslands(results.map(({ levels }) => levels)) : undefined;
  const islandWeights = found?.islandWeights ?? new Float64Array(islands).fill(1 / islands);
  return {
    results,
    particles,
    draws,
    chainWeights: Float64Array.from({ length: islands * particles }, (_, c) => islandWeights[Math.floor(c / particles)]! / particles),
    ...(found ? { evidence: found } : {}),
    gradients: results.reduce((sum, { gradients }) => sum + gradients, pilot?.gradients ?? 0),
    acceptance: results.reduce((sum, { acceptance }) => sum + acceptance / islands, 0),
    diagnose: (traces) => {
      // particles are too short for R̂: whether islands agree is asked of all draws of an island
      const all = [(g: number, k: number): number => results[g]!.logLikelihoods[k]!, ...traces];
      const reports = all.map((of) =>
        diagnoseChains(results.map((_, g) => Float64Array.from({ length: particles * draws }, (__, k) => of(g, k)))),
      );
      return {
        rHat: Math.max(...reports.map((report) => report.rHat)),
        effectiveDraws: Math.min(...reports.map((report) => report.bulkEss)),
      };
    },
  };
}

/** Sentences about what is wrong with a run; empty for one to be believed. */
export const archipelagoWarnings = (rHat: number, evidence: IslandEvidence | undefined): string[] => [
  ...(rHat > largestRHat ? [`islands of chains disagree: R̂ = ${rHat.toFixed(3)}; ask for more draws`] : []),
  ...(evidence?.objections ?? []),
];
