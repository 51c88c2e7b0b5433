import { createPause, resolveArchitecture, type Matrix, type Problem, type Task } from "@finitewidth/core";
import { realise } from "@finitewidth/kernels";
import { anneal, type AnnealedLevel, type AnnealingLadder, type RotationState } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { hiddenSampler } from "../evidence/island.js";
import { isStepwise, samplingProblem } from "../posterior/chain.js";
import { readoutAt } from "../posterior/densities.js";
import { createControl, createLikelihoodControl, type Control, type LinearResponse } from "./controls.js";
import type { ChainAverages } from "./judgement.js";

/** Some of the referee's chains: annealed together from the prior, or continued. */
export interface RefereeChunk {
  /** In standard scaling, T > 0. */
  readonly problem: Problem;
  /** Where outputs are compared. */
  readonly testInputs: Matrix;
  readonly seed: number;
  /** Which look, which group of chains. */
  readonly look: number;
  readonly group: number;
  /** Chains of the group. */
  readonly chains: number;
  /** Particles that are annealed; the chains start from as many of them. */
  readonly particles: number;
  /** Without one, the group finds it and records nothing: the pilot. */
  readonly ladder?: AnnealingLadder;
  /** Where the chains stand, to go on without annealing. */
  readonly states?: readonly RotationState[];
  /** For control variates. */
  readonly response?: LinearResponse;
  /** Trajectories thrown away, then recorded. */
  readonly burnIn: number;
  readonly draws: number;
}

/** What a group of chains found. Sums over draws are averages; traces have one value per draw, chain by chain. */
export interface RefereeGroup {
  readonly ladder: AnnealingLadder;
  readonly levels: readonly AnnealedLevel[];
  readonly states: readonly RotationState[];
  readonly averages: readonly ChainAverages[];
  /** Ĝ¹ … Ĝ^L of every chain: layer by layer, P² numbers each. */
  readonly kernels: readonly (readonly Float64Array[])[];
  readonly logLikelihoods: readonly Float64Array[];
  readonly stein: readonly Float64Array[];
  readonly acceptance: number;
  readonly gradients: number;
}

/** First index of the streams of the referee's chains, and of its control variates. */
const [refereeStreams, controlStreams] = [4, 12];

/** Anneals or continues a group of chains and records their conditional moments at the test inputs. */
export const runRefereeChains: Task<RefereeChunk, RefereeGroup> = {
  module: import.meta.url,
  name: "runRefereeChains",
  async run(chunk, { registry, tick }) {
    const problem = samplingProblem(chunk.problem, registry);
    const random = stream(chunk.seed, refereeStreams, chunk.look, chunk.group);
    const pause = createPause();
    let progress = 0;
    const { sampler, movesFactor } = hiddenSampler(
      problem,
      () => tick(progress),
      isStepwise(resolveArchitecture(registry, chunk.problem.network)),
    );
    const pilot = chunk.ladder === undefined;
    // a stream of its own, so that the chains are the same with and without
    const further = stream(chunk.seed, controlStreams, chunk.look, chunk.group);
    const ofLikelihood = chunk.response && !pilot && createLikelihoodControl(problem, chunk.response);
    const start = chunk.states
      ? { ladder: chunk.ladder!, levels: [], states: chunk.states }
      : await anneal(
          sampler,
          {
            particles: chunk.particles,
            moves: (pilot ? 1 : 2) * movesFactor,
            ...(chunk.ladder ? { ladder: chunk.ladder } : {}),
            pause,
            ...(ofLikelihood ? { control: (state, exponent) => ofLikelihood(state, exponent, further) } : {}),
            onLevel: (exponent) => (progress = 0.3 * exponent),
          },
          random,
        );
    if (pilot) return { ...empty, ladder: start.ladder, levels: start.levels, gradients: sampler.gradients };
    // spread over the particles: neighbours have the same ancestors
    const stride = start.states.length / chunk.chains;
    const states = Array.from({ length: chunk.chains }, (_, c) => start.states[Math.floor(c * stride)]!).map((state) => ({ ...state }));
    const outputs = problem.targets.shape[1];
    const tests = realise(resolveArchitecture(registry, chunk.problem.network), chunk.testInputs, outputs);
    const scratch = new Float64Array(problem.network.parameters);
    const move = { exponent: 1, stepSize: start.ladder.stepSizes.at(-1)! };
    const control = chunk.response && createControl(problem, tests, chunk.response);
    const found = {
      averages: [] as ChainAverages[],
      kernels: [] as Float64Array[][],
      logLikelihoods: [] as Float64Array[],
      stein: [] as Float64Array[],
    };
    let accepted = 0;
    for (const [c, state] of states.entries()) {
      const recorder = createRecorder(chunk.testInputs.shape[0], outputs, chunk.draws, chunk.response);
      for (let draw = -chunk.burnIn; draw < chunk.draws; draw++) {
        progress = 0.3 + (0.7 * (c + (draw + chunk.burnIn) / (chunk.draws + chunk.burnIn))) / chunk.chains;
        for (let k = 0; k < movesFactor; k++) {
          const acceptance = sampler.move(state, move, random);
          if (draw >= 0) accepted += acceptance / (movesFactor * chunk.draws * chunk.chains);
        }
        await pause();
        if (draw < 0) continue;
        const { readout, state: run } = readoutAt(problem, state.position, scratch);
        const kernels = run.hiddenKernels().map(({ data }) => data);
        recorder.add(draw, readout.predict(tests.forward(scratch).features), kernels, state.logLikelihood, sampler.stein(state, 1));
        if (control) addControl(recorder.averages.control!, control(state, further), 1 / chunk.draws);
      }
      found.averages.push(recorder.averages);
      found.kernels.push(recorder.kernels);
      found.logLikelihoods.push(recorder.logLikelihoods);
      found.stein.push(recorder.stein);
    }
    return { ladder: start.ladder, levels: start.levels, states, ...found, acceptance: accepted, gradients: sampler.gradients };
  },
};

const empty: Omit<RefereeGroup, "ladder" | "levels" | "gradients"> = {
  states: [],
  averages: [],
  kernels: [],
  logLikelihoods: [],
  stein: [],
  acceptance: 1,
};

const addControl = (sum: Control, term: Control, weight: number): void =>
  (["mean", "variance", "kernel"] as const).forEach((part) => term[part].forEach((value, i) => (sum[part][i]! += weight * value)));

function createRecorder(tests: number, outputs: number, draws: number, response: LinearResponse | undefined) {
  const moments = () => ({ mean: new Float64Array(tests * outputs), variance: new Float64Array(tests) });
  const averages: ChainAverages = {
    ...moments(),
    square: new Float64Array(tests * outputs),
    ...(response ? { control: { ...moments(), kernel: new Float64Array(response.kernel.length) } } : {}),
  };
  const kernels: Float64Array[] = [];
  const logLikelihoods = new Float64Array(draws);
  const stein = new Float64Array(draws);
  return {
    averages,
    kernels,
    logLikelihoods,
    stein,
    add(
      draw: number,
      { mean, variance }: { readonly mean: Matrix; readonly variance: Float64Array },
      hidden: readonly Float64Array[],
      logLikelihood: number,
      residual: number,
    ): void {
      mean.data.forEach((m, i) => {
        averages.mean[i]! += m / draws;
        averages.square[i]! += (m * m) / draws;
      });
      variance.forEach((v, i) => (averages.variance[i]! += v / draws));
      hidden.forEach((kernel, l) => {
        const sum = (kernels[l] ??= new Float64Array(kernel.length));
        kernel.forEach((value, i) => (sum[i]! += value / draws));
      });
      logLikelihoods[draw] = logLikelihood;
      stein[draw] = residual;
    },
  };
}

/** Two records of the same chains, one after the other, as one. */
export function joinGroups(first: RefereeGroup, second: RefereeGroup): RefereeGroup {
  const [n, m] = [first.logLikelihoods[0]!.length, second.logLikelihoods[0]!.length];
  const mix = (a: Float64Array, b: Float64Array): Float64Array => a.map((value, i) => (n * value + m * b[i]!) / (n + m));
  const append = (a: Float64Array, b: Float64Array): Float64Array => Float64Array.of(...a, ...b);
  return {
    ...second,
    levels: first.levels,
    averages: first.averages.map((a, c) => {
      const b = second.averages[c]!;
      return {
        mean: mix(a.mean, b.mean),
        square: mix(a.square, b.square),
        variance: mix(a.variance, b.variance),
        ...(a.control && b.control
          ? {
              control: {
                mean: mix(a.control.mean, b.control.mean),
                variance: mix(a.control.variance, b.control.variance),
                kernel: mix(a.control.kernel, b.control.kernel),
              },
            }
          : {}),
      };
    }),
    kernels: first.kernels.map((layers, c) => layers.map((kernel, l) => mix(kernel, second.kernels[c]![l]!))),
    logLikelihoods: first.logLikelihoods.map((trace, c) => append(trace, second.logLikelihoods[c]!)),
    stein: first.stein.map((trace, c) => append(trace, second.stein[c]!)),
    acceptance: (n * first.acceptance + m * second.acceptance) / (n + m),
    gradients: first.gradients + second.gradients,
  };
}
