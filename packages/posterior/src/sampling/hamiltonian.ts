import type { RandomStream } from "@finitewidth/core";
import type { LogDensity } from "./whitened.js";

/** A point of a Markov chain with its log density and gradient. */
export interface ChainState {
  z: Float64Array;
  gradient: Float64Array;
  logDensity: number;
}

/** State at a point. */
export function chainState(density: LogDensity, z: Float64Array): ChainState {
  const gradient = new Float64Array(z.length);
  return { z, gradient, logDensity: density(z, gradient) };
}

/**
 * One Hamiltonian Monte Carlo move with unit masses: `steps` leapfrog steps of size `step`, accepted or not in place. Returns the acceptance
 * probability (0 for a diverged trajectory). Cost: `steps` gradients.
 */
export function hamiltonianMove(density: LogDensity, state: ChainState, random: RandomStream, step: number, steps: number): number {
  const d = state.z.length;
  const momentum = random.normals(new Float64Array(d));
  let energy = state.logDensity;
  for (let i = 0; i < d; i++) energy -= 0.5 * momentum[i]! ** 2;
  const z = state.z.slice();
  const gradient = state.gradient.slice();
  let value = state.logDensity;
  for (let i = 0; i < d; i++) momentum[i]! += 0.5 * step * gradient[i]!;
  for (let k = 1; k <= steps; k++) {
    for (let i = 0; i < d; i++) z[i]! += step * momentum[i]!;
    value = density(z, gradient);
    if (!(value > -Infinity)) return 0;
    const kick = k < steps ? step : 0.5 * step;
    for (let i = 0; i < d; i++) momentum[i]! += kick * gradient[i]!;
  }
  let end = value;
  for (let i = 0; i < d; i++) end -= 0.5 * momentum[i]! ** 2;
  const acceptance = Math.exp(Math.min(0, end - energy));
  if (!(acceptance >= 0)) return 0;
  if (random.uniform() < acceptance) {
    state.z = z;
    state.gradient = gradient;
    state.logDensity = value;
  }
  return acceptance;
}

/** Settings of a run of a chain; lengths in whitened units. */
export interface ChainOptions {
  readonly draws: number;
  readonly warmup: number;
  /** Length of a trajectory, ± 30 %. */
  readonly trajectory: number;
  /** First step size; adapted to 85 % acceptance during warm-up. */
  readonly step: number;
  /** Called after every move; throw to cancel. */
  readonly onMove?: () => void;
}

/** Draws of a chain after warm-up, their log densities, the acceptance and the step that was used. */
export interface ChainRun {
  readonly draws: Float64Array[];
  readonly logDensities: Float64Array;
  readonly acceptance: number;
  readonly step: number;
}

/** Runs one chain from `state`, which it moves. */
export function runChain(density: LogDensity, state: ChainState, random: RandomStream, options: ChainOptions): ChainRun {
  let logStep = Math.log(options.step);
  const draws: Float64Array[] = [];
  const logDensities = new Float64Array(options.draws);
  let acceptance = 0;
  for (let move = 0; move < options.warmup + options.draws; move++) {
    const step = Math.exp(logStep) * (0.8 + 0.4 * random.uniform());
    const steps = Math.max(1, Math.ceil((options.trajectory * (0.7 + 0.6 * random.uniform())) / step));
    const rate = hamiltonianMove(density, state, random, step, steps);
    if (move < options.warmup) logStep += 0.1 * (rate - 0.85);
    else {
      logDensities[draws.length] = state.logDensity;
      draws.push(state.z);
      acceptance += rate / options.draws;
    }
    options.onMove?.();
  }
  return { draws, logDensities, acceptance, step: Math.exp(logStep) };
}
