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
 * One Hamiltonian Monte Carlo move with unit masses: `steps` leapfrog steps of size `step`, accepted or not in place. Returns the
 * acceptance probability (0 for a diverged trajectory). Cost: `steps` gradients.
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
