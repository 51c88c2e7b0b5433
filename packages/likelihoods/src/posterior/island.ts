import { createPause, type LikelihoodChoice, type Matrix, type Task, type TaskContext } from "@finitewidth/core";
import {
  anneal,
  createRotationSampler,
  nextStepSize,
  type AnnealedLevel,
  type AnnealedRun,
  type AnnealingLadder,
} from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { chainTarget, type OutputChain } from "../sampling/chain-target.js";
import { createLikelihood } from "./problem.js";

/** One annealed run from the prior to the posterior of the latent outputs, and draws of every particle there. */
export interface LatentIslandChunk {
  /** B with K = BBᵀ: P × rank. */
  readonly root: Matrix;
  readonly chain: OutputChain;
  readonly likelihood: LikelihoodChoice;
  readonly targets: Matrix;
  readonly seed: number;
  readonly indices: readonly number[];
  readonly particles: number;
  /** Without one the run finds it: a pilot, or a start for draws alone. */
  readonly ladder?: AnnealingLadder;
  /** Where all chains start, instead of being annealed from the prior: the mode of a log-concave posterior. */
  readonly start?: Float64Array;
  /** Draws of every particle, after as many trajectories of burn-in as `burnIn`. */
  readonly draws: number;
  readonly burnIn: number;
  /** K, when the learned hidden kernels are wanted. */
  readonly kernel?: Matrix;
}

export interface LatentIslandResult {
  readonly ladder: AnnealingLadder;
  readonly levels: readonly AnnealedLevel[];
  readonly gradients: number;
  readonly acceptance: number;
  /** (particles·draws) × dimension, particle after particle. */
  readonly positions: Matrix;
  readonly logLikelihoods: Float64Array;
  /** Sums over the draws of every particle: L matrices of particles × P². */
  readonly hiddenKernels: readonly Matrix[];
}

const movesPerLevel = 2;
const wantedAcceptance = 0.85;

/** Runs one island: exact in the limit, unbiased for Z with a ladder fixed in advance. Cost: see `anneal`. */
export const sampleLatentIsland: Task<LatentIslandChunk, LatentIslandResult> = {
  module: import.meta.url,
  name: "sampleLatentIsland",
  async run(chunk, { registry, tick }: TaskContext) {
    const { particles, draws, burnIn, ladder, kernel } = chunk;
    const observation = createLikelihood(registry, chunk.likelihood).observe(chunk.targets);
    const target = chainTarget(chunk.root, observation, chunk.chain);
    let progress = 0;
    const sampler = createRotationSampler(target, () => tick(progress));
    const random = stream(chunk.seed, ...chunk.indices);
    const pause = createPause();
    const share = chunk.start ? 0 : draws > 0 ? 0.5 : 1;
    const settings = { particles, moves: movesPerLevel, pause, onLevel: (exponent: number) => (progress = share * exponent) };
    const run: AnnealedRun = chunk.start
      ? {
          ladder: { exponents: [], stepSizes: [] },
          levels: [],
          states: Array.from({ length: particles }, () => sampler.open(chunk.start!)),
        }
      : await anneal(sampler, { ...settings, ...(ladder ? { ladder } : {}) }, random);
    const positions = new Float64Array(particles * draws * target.dimension);
    const logLikelihoods = new Float64Array(particles * draws);
    const size = chunk.targets.shape[0] ** 2;
    const hidden = chunk.chain.widths.map(() => new Float64Array(kernel && draws > 0 ? particles * size : 0));
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
        positions.set(state.position, at * target.dimension);
        logLikelihoods[at] = state.logLikelihood;
        if (kernel)
          for (const [l, { data }] of target.hiddenKernels(state.position, kernel).entries())
            for (let i = 0; i < size; i++) hidden[l]![k * size + i]! += data[i]!;
        await pause();
      }
      if (move < burnIn) stepSize = nextStepSize(stepSize, here, wantedAcceptance);
      else accepted += here / draws;
      progress = share + ((1 - share) * (move + 1)) / trajectories;
    }
    return {
      ladder: run.ladder,
      levels: run.levels,
      gradients: sampler.gradients,
      acceptance: accepted,
      positions: { data: positions, shape: [particles * draws, target.dimension] },
      logLikelihoods,
      hiddenKernels: hidden.map((data) => ({ data, shape: [data.length / size, size] as const })),
    };
  },
};
