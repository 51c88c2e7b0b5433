import {
  createPause,
  resolveArchitecture,
  type Architecture,
  type Problem,
  type RandomStream,
  type Task,
  type TaskContext,
} from "@finitewidth/core";
import { denseChain } from "@finitewidth/kernels";
import {
  anneal,
  createRotationSampler,
  logMean,
  type AnnealedLevel,
  type AnnealedRun,
  type AnnealingLadder,
  type RotationSampler,
  type RotationState,
} from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { isStepwise, samplingProblem } from "../posterior/chain.js";
import { collapsedLogLikelihood, readoutAt, type SamplingProblem } from "../posterior/densities.js";
import { hiddenBlocks } from "./parameter-blocks.js";
import { scoresOf } from "./scores.js";
import { fadeLastUnit, lastLayerDeletions } from "./width-ratios.js";

/** One annealed run from the prior to the posterior of the hidden weights. */
export interface IslandChunk {
  /** In standard scaling, T > 0. */
  readonly problem: Problem;
  readonly seed: number;
  /** Distinguishes streams: which attempt, which network, which island. */
  readonly indices: readonly number[];
  readonly particles: number;
  /** Trajectories per level. */
  readonly moves: number;
  /** Without one, the run finds it: a pilot. */
  readonly ladder?: AnnealingLadder;
  /** Draws of every particle at the posterior whose scores, or ratios, are averaged. */
  readonly draws: number;
  /** What is averaged over the draws. @defaultValue the scores */
  readonly narrower?: { readonly layer: number; readonly by: "deletion" | "fading" };
}

/** What an island found. */
export interface IslandResult {
  readonly ladder: AnnealingLadder;
  readonly levels: readonly AnnealedLevel[];
  readonly gradients: number;
  /** Scores and controls of every particle, averaged over its draws: particles × (2L + 3), particles × blocks; empty unless asked for. */
  readonly scores: readonly Float64Array[];
  readonly controls: readonly Float64Array[];
  /** log Z_{N−1}/Z_N of the layer asked for, from this island's particles. */
  readonly narrower?: number;
}

/** First index of the streams of evidence. */
const evidenceStreams = 3;

/** A sampler of the hidden weights; activations without slopes are moved by one rotation at a time, so that step sizes can adapt. */
export function hiddenSampler(
  problem: SamplingProblem,
  tick: () => void,
  stepwise: boolean,
): { readonly sampler: RotationSampler; readonly movesFactor: number } {
  const inner = createRotationSampler(collapsedLogLikelihood(problem), tick);
  if (!stepwise) return { sampler: inner, movesFactor: 1 };
  const sampler: RotationSampler = {
    dimension: inner.dimension,
    get gradients() {
      return inner.gradients;
    },
    open: inner.open,
    draw: inner.draw,
    move: (state, move, random) => inner.move(state, { ...move, length: 0 }, random),
    stein: () => 0,
  };
  return { sampler, movesFactor: 16 };
}

/** Runs one island (or the pilot, without a ladder), then the draws that scores or width ratios are averaged over. */
export const annealIsland: Task<IslandChunk, IslandResult> = {
  module: import.meta.url,
  name: "annealIsland",
  async run(chunk, { registry, tick }: TaskContext) {
    const { particles, moves, ladder, narrower } = chunk;
    const problem = samplingProblem(chunk.problem, registry);
    const architecture = resolveArchitecture(registry, chunk.problem.network);
    let progress = 0;
    const { sampler, movesFactor } = hiddenSampler(problem, () => tick(progress), isStepwise(architecture));
    const random = stream(chunk.seed, evidenceStreams, ...chunk.indices);
    const pause = createPause();
    const settings = { particles, moves: moves * movesFactor, ...(ladder ? { ladder } : {}), pause };
    const share = chunk.draws > 0 || narrower ? 0.5 : 1;
    const run = await anneal(sampler, { ...settings, onLevel: (exponent) => (progress = share * exponent) }, random);
    const further = { ...run, chunk, problem, architecture, sampler, random, pause, moves: Math.max(1, settings.moves / 2) };
    const found = narrower ? { narrower: await narrowerRatio(further) } : await averagedScores(further);
    return { ladder: run.ladder, levels: run.levels, gradients: sampler.gradients, scores: [], controls: [], ...found };
  },
};

interface Further extends AnnealedRun {
  readonly chunk: IslandChunk;
  readonly problem: SamplingProblem;
  readonly architecture: Architecture;
  readonly sampler: RotationSampler;
  readonly random: RandomStream;
  readonly pause: () => Promise<void> | undefined;
  /** Trajectories between two draws. */
  readonly moves: number;
}

/** Visits every particle's state after the annealing and after each further draw at the posterior. */
async function visitDraws(
  { chunk, states, ladder, sampler, random, pause, moves }: Further,
  visit: (k: number, state: RotationState) => void,
) {
  const move = { exponent: 1, stepSize: ladder.stepSizes.at(-1)! };
  for (const [k, state] of states.entries()) {
    for (let draw = 0; draw < chunk.draws; draw++) {
      if (draw > 0) for (let i = 0; i < moves; i++) sampler.move(state, move, random);
      visit(k, state);
    }
    await pause();
  }
}

async function averagedScores(further: Further): Promise<Pick<IslandResult, "scores" | "controls">> {
  const { problem, architecture, chunk } = further;
  if (chunk.draws === 0) return { scores: [], controls: [] };
  const blocks = hiddenBlocks(architecture, problem.network);
  const scratch = new Float64Array(problem.network.parameters);
  const scores: Float64Array[] = [];
  const controls: Float64Array[] = [];
  await visitDraws(further, (k, state) => {
    const { readout } = readoutAt(problem, state.position, scratch);
    const found = scoresOf(state, blocks, readout, problem.targets, problem.temperature);
    scores[k] ??= new Float64Array(found.values.length);
    controls[k] ??= new Float64Array(found.controls.length);
    found.values.forEach((value, i) => (scores[k]![i]! += value / chunk.draws));
    found.controls.forEach((value, i) => (controls[k]![i]! += value / chunk.draws));
  });
  return { scores, controls };
}

async function narrowerRatio(further: Further): Promise<number> {
  const { problem, architecture, chunk, states, ladder, random, moves } = further;
  const network = denseChain(architecture);
  if (network === undefined) throw new TypeError("width ratios are for fully connected networks");
  const { layer, by } = chunk.narrower!;
  if (by === "fading") return fadeLastUnit(network, problem, layer)(states, ladder.stepSizes.at(-1)!, moves, random);
  const ratio = lastLayerDeletions(problem);
  const ratios: number[] = [];
  await visitDraws(further, (_, state) => ratios.push(ratio(state.position)));
  return logMean(Float64Array.from(ratios));
}
