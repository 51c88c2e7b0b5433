import { FinitewidthError, type RandomStream } from "@finitewidth/core";
import { brentRoot, systematicResample } from "@finitewidth/numerics";
import { chainState, hamiltonianMove } from "./hamiltonian.js";
import { gaussianOf } from "./markov.js";
import type { PosteriorTarget } from "./target.js";
import { inverseFactor, unwhiten, whiten, whitenedTarget, type LogDensity } from "./whitened.js";

/** Particles of a tempered run, equally weighted, and the estimate of the evidence. */
export interface TemperedSample {
  readonly points: Float64Array[];
  readonly logEvidence: number;
  readonly temperatures: readonly number[];
}

const effectiveFraction = 0.6;
const movesPerTemperature = 3;
const stepsPerMove = 6;
/** Steps grow in proportion to the temperature, so that a hundred suffice for likelihoods that spread over 10¹⁰. */
const mostTemperatures = 1000;

/** Temperatures whose growth tells how many are still to come. */
const recent = 8;

/** Share of the temperatures that are done if they go on growing by the factor of the last ones: their values say little about it. */
export function fractionDone(temperatures: readonly number[]): number {
  const done = temperatures.length - 1;
  const steps = Math.min(recent, done - 1);
  const last = Math.log(temperatures[done]!);
  if (last === 0) return 1;
  if (steps < 1) return 0;
  return done / (done + Math.ceil((steps * -last) / (last - Math.log(temperatures[done - steps]!))));
}

/**
 * Likelihood-tempered sequential Monte Carlo from the prior: exponent raised so that the effective fraction stays at 0.6, systematic
 * resampling, three Hamiltonian moves whitened by the particles. Finds several modes and needs no start; noisy in many dimensions, so
 * repeat with twice the particles. `pause` is called after every temperature with the fraction done. Three moves of every particle at
 * every temperature. @throws FinitewidthError (code "not-converged") after 1000 temperatures. Source: docs/theories/exact.md, "Several
 * outputs".
 */
export async function temperedSample(
  target: PosteriorTarget,
  particles: number,
  random: RandomStream,
  pause?: (fraction: number) => Promise<void>,
): Promise<TemperedSample> {
  let points = Array.from({ length: particles }, () => {
    const x = new Float64Array(target.dimension);
    target.samplePrior(random, x);
    return x;
  });
  let likelihoods = points.map((x) => target.evaluate(x).logLikelihood);
  const temperatures = [0];
  let logEvidence = 0;
  let step = 0.3;
  while (temperatures.at(-1)! < 1) {
    if (temperatures.length > mostTemperatures)
      throw new FinitewidthError(
        `tempering from the prior reached ${temperatures.at(-1)!.toExponential(1)} of the likelihood in ${mostTemperatures} steps; raise the temperature`,
        { code: "not-converged" },
      );
    const from = temperatures.at(-1)!;
    const to = nextTemperature(likelihoods, from);
    const top = likelihoods.reduce((most, value) => Math.max(most, value), -Infinity);
    const weights = likelihoods.map((value) => Math.exp((to - from) * (value - top)));
    const sum = weights.reduce((total, value) => total + value, 0);
    logEvidence += (to - from) * top + Math.log(sum / particles);
    temperatures.push(to);
    const chosen = Array.from(
      systematicResample(
        Float64Array.from(weights, (weight) => weight / sum),
        particles,
        random,
      ),
    );
    points = chosen.map((k) => points[k]!.slice());
    likelihoods = chosen.map((k) => likelihoods[k]!);
    const fit = gaussianOf(points, 1);
    const inner = whitenedTarget(target, fit);
    let likelihood = 0;
    const density: LogDensity = (z, gradient) => {
      const value = inner.evaluate(z);
      likelihood = value.logLikelihood;
      for (let i = 0; i < z.length; i++) gradient[i] = inner.prior[i]! + to * inner.likelihood[i]!;
      return value.logPrior + to * value.logLikelihood;
    };
    let acceptance = 0;
    const inverse = inverseFactor(fit.factor, target.dimension);
    for (let k = 0; k < particles; k++) {
      const start = new Float64Array(target.dimension);
      whiten(fit.mode, inverse, points[k]!, start);
      const state = chainState(density, start);
      for (let move = 0; move < movesPerTemperature; move++) {
        acceptance +=
          hamiltonianMove(density, state, random, step * (0.7 + 0.6 * random.uniform()), stepsPerMove) / (particles * movesPerTemperature);
      }
      density(state.z, new Float64Array(target.dimension));
      likelihoods[k] = likelihood;
      unwhiten(fit, state.z, points[k]!);
    }
    await pause?.(fractionDone(temperatures));
    step = Math.min(Math.max(step * Math.exp(acceptance - 0.8), 0.02), 1.5);
  }
  return { points, logEvidence, temperatures };
}

function nextTemperature(likelihoods: readonly number[], from: number): number {
  const top = likelihoods.reduce((most, value) => Math.max(most, value), -Infinity);
  const fraction = (to: number): number => {
    let sum = 0;
    let squares = 0;
    for (const value of likelihoods) {
      const weight = Math.exp((to - from) * (value - top));
      sum += weight;
      squares += weight * weight;
    }
    return (sum * sum) / squares / likelihoods.length;
  };
  if (fraction(1) > effectiveFraction) return 1;
  // The step can be 1e-12 and less where the likelihood of prior draws spreads over 10¹⁰: its logarithm is sought.
  const bottom = likelihoods.reduce((least, value) => Math.min(least, value), Infinity);
  const least = Math.log(1e-3 / (1 + top - bottom));
  const excess = (logStep: number): number => fraction(from + Math.exp(logStep)) - effectiveFraction;
  const to =
    Number.isFinite(least) && excess(least) > 0
      ? from + Math.exp(brentRoot(excess, least, Math.log(1 - from), { tolerance: 1e-3 }).root)
      : from;
  if (to > from) return to;
  throw new FinitewidthError(
    "tempering stands still: the likelihood of the draws is not finite, or spreads over more than Float64 resolves; rescale inputs or targets, or raise the temperature",
    { code: "not-converged" },
  );
}
