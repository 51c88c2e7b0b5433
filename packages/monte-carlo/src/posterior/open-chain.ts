import { inputError, type RandomStream } from "@finitewidth/core";
import {
  ellipticalSliceChain,
  hamiltonianChain,
  langevinChain,
  type ChainReport,
  type ChainState,
  type LogDensity,
  type Start,
} from "@finitewidth/numerics";
import type { MonteCarloOptions } from "../options.js";
import {
  collapsedDensity,
  collapsedLikelihood,
  collapsedLogLikelihood,
  fullDensity,
  fullLogLikelihood,
  type SamplingProblem,
} from "./densities.js";
import { gibbsChain } from "./gibbs.js";

const fromPrior: Start = (random, out) => void random.normals(out);

/** The chosen sampler as a generator. `stepwise`: the activation is piecewise constant, there are no gradients to follow. */
export function openChain(
  problem: SamplingProblem,
  options: MonteCarloOptions,
  random: RandomStream,
  tick: (fraction: number) => void,
  stepwise: boolean,
): Generator<ChainState, ChainReport, void> {
  const { sampler, draws, warmup } = options;
  if (sampler === "gibbs")
    return withReport(
      gibbsChain(problem, draws, warmup, random, tick),
      (warmup + draws) * problem.network.offsets.length * problem.targets.data.length,
    );
  if (stepwise) return openSlice(problem, options, random, tick);
  const sampled = options.readout === "sampled";
  if (sampler === "hmc" && options.integrator === "rotation") {
    const likelihood = sampled ? fullLogLikelihood(problem) : collapsedLogLikelihood(problem);
    const { targetAcceptance = 0.7 } = options;
    return hamiltonianChain(
      likelihood,
      { draws, warmup, integrator: "rotation", pathLength: 1.1, targetAcceptance },
      fromPrior,
      random,
      tick,
    );
  }
  const target = sampled ? fullDensity(problem) : collapsedDensity(problem);
  if (sampler === "langevin") return openLangevin(target, options, random, tick);
  return hamiltonianChain(
    target,
    {
      draws,
      warmup,
      adapt: options.metric === "unit" ? "none" : "diagonal",
      shrinkage: { variance: 1, weight: 50 },
      // trajectories a third shorter than a quarter turn gave the most effective draws per gradient (docs/theories/monte-carlo.md, "Costs")
      ...(sampler === "mala"
        ? { steps: 1, targetAcceptance: options.targetAcceptance ?? 0.57 }
        : { pathLength: 1.1, targetAcceptance: options.targetAcceptance ?? 0.8 }),
    },
    fromPrior,
    random,
    tick,
  );
}

/** Elliptical slice sampling of the hidden weights, block by block (about one hidden unit each, at most 20). */
function* openSlice(
  problem: SamplingProblem,
  { draws, warmup }: MonteCarloOptions,
  random: RandomStream,
  tick: (fraction: number) => void,
): Generator<ChainState, ChainReport, void> {
  const density = collapsedLikelihood(problem);
  const { evaluations } = yield* ellipticalSliceChain(
    density,
    { draws, warmup, blocks: Math.min(20, density.dimension) },
    fromPrior,
    random,
    tick,
  );
  return { stepSize: 0, acceptance: 1, divergences: 0, gradients: evaluations, energyFraction: 1 };
}

/** Unadjusted Langevin dynamics; without a step size, the warm-up is an adjusted chain that finds one. */
function* openLangevin(
  target: LogDensity,
  options: MonteCarloOptions,
  random: RandomStream,
  tick: (fraction: number) => void,
): Generator<ChainState, ChainReport, void> {
  const { draws, warmup } = options;
  let start = fromPrior;
  let stepSize = options.stepSize;
  let evaluations = draws;
  if (stepSize === undefined) {
    if (warmup === 0) throw inputError("stepSize", "a positive number when there is no warm-up to find one", stepSize);
    const adjusted = hamiltonianChain(
      target,
      { draws: 0, warmup, steps: 1, adapt: "none", targetAcceptance: 0.57 },
      fromPrior,
      random,
      (fraction) => tick((fraction * warmup) / (warmup + draws)),
    );
    let next = adjusted.next();
    let position = new Float64Array(target.dimension);
    for (; !next.done; next = adjusted.next()) {
      position = next.value.position.slice();
      yield next.value;
    }
    // a leapfrog step of size ε is a Langevin step of size ε²/2; half of that keeps the bias down
    stepSize = 0.25 * next.value.stepSize ** 2;
    evaluations += next.value.gradients;
    start = (_random, out) => void out.set(position);
  }
  const length = options.stepSize === undefined ? 0 : warmup;
  const offset = warmup - length;
  for (const state of langevinChain(target, { draws, warmup: length, stepSize }, start, random, (fraction) =>
    tick((offset + fraction * (length + draws)) / (warmup + draws)),
  )) {
    yield { ...state, iteration: state.iteration + offset };
  }
  return { stepSize, acceptance: 1, divergences: 0, gradients: evaluations + length, energyFraction: 1 };
}

function* withReport(chain: Generator<ChainState, void, void>, gradients: number): Generator<ChainState, ChainReport, void> {
  yield* chain;
  return { stepSize: 0, acceptance: 1, divergences: 0, gradients, energyFraction: 1 };
}
