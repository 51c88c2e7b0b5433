import type { RandomStream } from "@finitewidth/core";
import { brentRoot } from "@finitewidth/numerics";
import { chainState, hamiltonianMove } from "./hamiltonian.js";
import { bridgeDensity, firstStep, trajectory } from "./markov.js";
import type { LaplaceFit, PosteriorTarget } from "./target.js";

/** Exponents of the path from a Gaussian fit (0) to the posterior (1). */
export const bridgePath: readonly number[] = [0, 0.05, 0.15, 0.3, 0.5, 0.75, 1];

/** Size of the simulation at every exponent. */
export interface BridgeOptions {
  readonly chains: number;
  readonly draws: number;
  readonly warmup: number;
  /** Called after every exponent; reject to cancel. */
  readonly pause?: (exponent: number) => Promise<void>;
}

/**
 * log evidence by Bennett's acceptance ratio along the geometric path from a Gaussian fit of the posterior to the posterior, Hamiltonian Monte
 * Carlo at every exponent. For more than about 12 dimensions, where importance weights degenerate.
 * Source: docs/theories/exact.md, "Several outputs"; C. Bennett, J. Comput. Phys. 22 (1976) 245.
 */
export async function bridgeEvidence(target: PosteriorTarget, fit: LaplaceFit, options: BridgeOptions, random: RandomStream): Promise<LogRatio> {
  const d = target.dimension;
  const bridge = bridgeDensity(target, fit);
  const stepSize = firstStep(d);
  const constant = 0.5 * d * Math.log(2 * Math.PI);
  const scratch = new Float64Array(d);
  /** log ratio of the unnormalised posterior to the normalised Gaussian at z. */
  const ratio = (z: Float64Array): number => {
    bridge.at(1)(z, scratch);
    return bridge.logPosterior() + 0.5 * z.reduce((sum, value) => sum + value * value, 0) + constant;
  };
  const gaussian = Array.from({ length: options.chains * options.draws }, () => random.normals(new Float64Array(d)));
  const ratios = [gaussian.map(ratio)];
  let positions = gaussian.slice(0, options.chains);
  for (const exponent of bridgePath.slice(1)) {
    const density = bridge.at(exponent);
    const here: number[] = [];
    positions = positions.map((start) => {
      let state = chainState(density, start);
      if (!(state.logDensity > -Infinity)) state = chainState(density, new Float64Array(d));
      for (let move = 0; move < options.warmup + options.draws; move++) {
        const size = stepSize * (0.7 + 0.5 * random.uniform());
        hamiltonianMove(density, state, random, size, Math.max(1, Math.ceil((trajectory * (0.7 + 0.6 * random.uniform())) / size)));
        if (move < options.warmup) continue;
        // exponent · log p − (1 − exponent)|z|²/2 is the density of the state
        const square = state.z.reduce((sum, value) => sum + value * value, 0);
        here.push((state.logDensity + 0.5 * (1 - exponent) * square) / exponent + 0.5 * square + constant);
      }
      return state.z;
    });
    ratios.push(here);
    await options.pause?.(exponent);
  }
  let value = 0;
  let variance = 0;
  for (let k = 0; k + 1 < bridgePath.length; k++) {
    const width = bridgePath[k + 1]! - bridgePath[k]!;
    const step = acceptanceRatio(ratios[k]!.map((entry) => width * entry), ratios[k + 1]!.map((entry) => width * entry));
    value += step.value;
    variance += step.variance;
  }
  return { value, variance };
}

/** A log ratio of normalising constants, and its variance if all draws were independent. */
export interface LogRatio {
  readonly value: number;
  readonly variance: number;
}

/** log(Z_1/Z_0) from log weights log(p_1/p_0) at equal numbers of draws from p_0 and p_1. */
export function acceptanceRatio(lower: readonly number[], upper: readonly number[]): LogRatio {
  const from = lower.filter((value) => value > -Infinity);
  const logistic = (t: number): number => (t >= 0 ? 1 / (1 + Math.exp(-t)) : Math.exp(t) / (1 + Math.exp(t)));
  const balance = (c: number): number => from.reduce((sum, a) => sum + logistic(a - c), 0) - upper.reduce((sum, a) => sum + logistic(c - a), 0);
  const all = [...from, ...upper];
  const least = all.reduce((a, b) => Math.min(a, b), Infinity) - 60;
  const most = all.reduce((a, b) => Math.max(a, b), -Infinity) + 60;
  const value = brentRoot(balance, least, most, { tolerance: 1e-12 }).root;
  return { value, variance: relativeVariance(lower.map((a) => logistic(a - value))) + relativeVariance(upper.map((a) => logistic(value - a))) };
}

/** Variance of a sample mean over its square. */
function relativeVariance(values: readonly number[]): number {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n * (n - 1) * mean * mean);
}
