import { createPause } from "@finitewidth/core";
import type { RandomStream } from "@finitewidth/core";
import { brentRoot } from "@finitewidth/numerics";
import { chainState, hamiltonianMove } from "./hamiltonian.js";
import { bridgeDensity, firstStep, trajectory } from "./markov.js";
import type { LaplaceFit, PosteriorTarget } from "./target.js";
import { inverseFactor, unwhiten, whiten } from "./whitened.js";

/** Exponents of the path from a Gaussian fit (0) to the posterior (1). */
export const bridgePath: readonly number[] = [0, 0.05, 0.15, 0.3, 0.5, 0.75, 1];

/** Size of the simulation at every exponent. */
export interface BridgeOptions {
  readonly chains: number;
  readonly draws: number;
  readonly warmup: number;
}

/**
 * log evidence by Bennett's acceptance ratio along the geometric path from a Gaussian fit of the posterior to the posterior, Hamiltonian
 * Monte Carlo at every exponent. For more than about 12 dimensions, where importance weights degenerate. 6 × chains × (warmup + draws)
 * moves of about 2 d^¼ gradients each. Source: docs/theories/exact.md, "Several outputs"; C. Bennett, J. Comput. Phys. 22 (1976) 245.
 */
export async function bridgeEvidence(
  target: PosteriorTarget,
  fit: LaplaceFit,
  options: BridgeOptions,
  random: RandomStream,
  tick?: (fraction: number) => void,
): Promise<LogRatio> {
  const d = target.dimension;
  const stepSize = firstStep(d);
  const constant = 0.5 * d * Math.log(2 * Math.PI);
  const ratio = ratioTo(target, fit);
  const gaussian = Array.from({ length: options.chains * options.draws }, () => random.normals(new Float64Array(d)));
  const ratios = [gaussian.map(ratio)];
  const pause = createPause();
  const moves = (bridgePath.length - 1) * options.chains * (options.warmup + options.draws);
  let moved = 0;
  const positions = gaussian.slice(0, options.chains);
  for (const exponent of bridgePath.slice(1)) {
    const density = bridgeDensity(target, fit, exponent);
    const here: number[] = [];
    for (const [c, start] of positions.entries()) {
      let state = chainState(density, start);
      if (!(state.logDensity > -Infinity)) state = chainState(density, new Float64Array(d));
      for (let move = 0; move < options.warmup + options.draws; move++) {
        const size = stepSize * (0.7 + 0.5 * random.uniform());
        hamiltonianMove(density, state, random, size, Math.max(1, Math.ceil((trajectory * (0.7 + 0.6 * random.uniform())) / size)));
        tick?.(++moved / moves);
        await pause();
        if (move < options.warmup) continue;
        // exponent · log p − (1 − exponent)|z|²/2 is the density of the state
        const square = state.z.reduce((sum, value) => sum + value * value, 0);
        here.push((state.logDensity + 0.5 * (1 - exponent) * square) / exponent + 0.5 * square + constant);
      }
      positions[c] = state.z;
    }
    ratios.push(here);
  }
  let value = 0;
  let variance = 0;
  for (let k = 0; k + 1 < bridgePath.length; k++) {
    const width = bridgePath[k + 1]! - bridgePath[k]!;
    const step = acceptanceRatio(
      ratios[k]!.map((entry) => width * entry),
      ratios[k + 1]!.map((entry) => width * entry),
    );
    value += step.value;
    variance += step.variance;
  }
  return { value, variance };
}

/** log ratio of the unnormalised posterior to the normalised Gaussian fit, as a function of z in whitened coordinates. */
function ratioTo(target: PosteriorTarget, fit: LaplaceFit): (z: Float64Array) => number {
  const x = new Float64Array(target.dimension);
  return (z) => {
    unwhiten(fit, z, x);
    const { logPrior, logLikelihood } = target.evaluate(x);
    return logPrior + logLikelihood + fit.logDeterminant + gaussianTerm(z);
  };
}

/** −log N(z | 0, 1). */
const gaussianTerm = (z: Float64Array): number =>
  z.reduce((sum, value) => sum + value * value, 0) / 2 + 0.5 * z.length * Math.log(2 * Math.PI);

/** Log ratios of the unnormalised posterior to the Gaussian fit at draws from the fit: n evaluations. */
export async function gaussianRatios(
  target: PosteriorTarget,
  fit: LaplaceFit,
  draws: number,
  random: RandomStream,
  tick?: (fraction: number) => void,
): Promise<Float64Array> {
  const ratio = ratioTo(target, fit);
  const pause = createPause();
  const out = new Float64Array(draws);
  for (let k = 0; k < draws; k++) {
    out[k] = ratio(random.normals(new Float64Array(target.dimension)));
    tick?.(k / draws);
    await pause();
  }
  return out;
}

/** The same log ratios at given points with known log densities, such as the draws of a chain. O(d²) a point. */
export function ratiosAt(fit: LaplaceFit, points: readonly Float64Array[], logDensity: ArrayLike<number>): Float64Array {
  const d = fit.mode.length;
  const inverse = inverseFactor(fit.factor, d);
  const z = new Float64Array(d);
  return Float64Array.from(points, (x, k) => {
    whiten(fit.mode, inverse, x, z);
    return logDensity[k]! + fit.logDeterminant + gaussianTerm(z);
  });
}

/** A log ratio of normalising constants, and its variance if all draws were independent. */
export interface LogRatio {
  readonly value: number;
  readonly variance: number;
}

/**
 * log(Z_1/Z_0) from log weights log(p_1/p_0) at equal numbers of draws from p_0 and p_1. `independent`: how many independent draws the
 * latter count for in the variance. O(n) a step of the root search.
 */
export function acceptanceRatio(
  lower: ArrayLike<number>,
  upper: ArrayLike<number>,
  independent?: (values: Float64Array) => number,
): LogRatio {
  const from = Array.from(lower).filter((value) => value > -Infinity);
  const to = Array.from(upper);
  const logistic = (t: number): number => (t >= 0 ? 1 / (1 + Math.exp(-t)) : Math.exp(t) / (1 + Math.exp(t)));
  const balance = (c: number): number =>
    from.reduce((sum, a) => sum + logistic(a - c), 0) - to.reduce((sum, a) => sum + logistic(c - a), 0);
  const all = [...from, ...to];
  const least = all.reduce((a, b) => Math.min(a, b), Infinity) - 60;
  const most = all.reduce((a, b) => Math.max(a, b), -Infinity) + 60;
  const value = brentRoot(balance, least, most, { tolerance: 1e-12 }).root;
  const accepted = Float64Array.from(to, (a) => logistic(value - a));
  return {
    value,
    variance:
      relativeVariance(
        Float64Array.from(lower, (a) => logistic(a - value)),
        lower.length,
      ) + relativeVariance(accepted, independent?.(accepted) ?? accepted.length),
  };
}

/** Variance of a sample mean over its square, for so many independent values. */
function relativeVariance(values: Float64Array, independent: number): number {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / ((n - 1) * independent * mean * mean);
}
