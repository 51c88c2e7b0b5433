import type { RandomStream } from "@finitewidth/core";
import { brentRoot } from "../roots/brent.js";
import { logSumExp, systematicResample } from "./importance.js";
import type { RotationSampler, RotationState } from "./rotation.js";

/** From the prior (exponent 0) to the posterior (exponent 1), and the step sizes of the levels after the first. Plain data. */
export interface AnnealingLadder {
  readonly exponents: readonly number[];
  readonly stepSizes: readonly number[];
}

/** What one level of an annealed run saw, after its moves. */
export interface AnnealedLevel {
  readonly exponent: number;
  /** ℓ of every particle. */
  readonly logLikelihoods: Float64Array;
  /** Mean Stein residual; 0 at the prior, which is sampled exactly. */
  readonly stein: number;
  /** Mean acceptance probability. */
  readonly acceptance: number;
  /** Mean of the control variate over the particles, where there is one. */
  readonly control?: number;
}

/** An annealed run: its levels, and the particles at exponent 1. */
export interface AnnealedRun {
  readonly ladder: AnnealingLadder;
  readonly levels: readonly AnnealedLevel[];
  readonly states: readonly RotationState[];
}

/** Settings of an annealed run. */
export interface AnnealingOptions {
  readonly particles: number;
  /** Trajectories of every particle at every level. */
  readonly moves: number;
  /** Fixed in advance, which makes Ẑ = Π mean e^{Δbℓ} unbiased; without it, found on the way. */
  readonly ladder?: AnnealingLadder;
  /** Conditional effective fraction (E w)²/E w² of the next level when the ladder is found. @defaultValue 0.5 */
  readonly effectiveFraction?: number;
  /** Acceptance that step sizes are led to when the ladder is found. @defaultValue 0.85 */
  readonly acceptance?: number;
  /** Awaited after every particle's moves. */
  readonly pause?: () => Promise<void> | undefined;
  /** What moves with ℓ and has mean zero under N(0, 1)e^{bℓ}: lessens the error of the evidence. */
  readonly control?: (state: RotationState, exponent: number) => number;
  readonly onLevel?: (exponent: number) => void;
}

/** log of the mean of e^{v}. */
export const logMean = (values: Float64Array): number => logSumExp(values) - Math.log(values.length);

/**
 * Largest b′ ≤ 1 at which the weights e^{(b′−b)ℓ} of the particles keep the effective fraction (E w)²/E w² ≥ `fraction`. O(n) per step of a
 * root search.
 */
export function nextExponent(logLikelihoods: Float64Array, exponent: number, fraction: number): number {
  const logFraction = (to: number): number => {
    const scaled = (power: number): Float64Array => logLikelihoods.map((value) => power * (to - exponent) * value);
    return 2 * logMean(scaled(1)) - logMean(scaled(2)) - Math.log(fraction);
  };
  if (logFraction(1) >= 0) return 1;
  return brentRoot(logFraction, exponent, 1, { tolerance: 1e-13 }).root;
}

/**
 * Likelihood-tempered sequential Monte Carlo from N(0, 1): at every level the particles are resampled (systematically) by e^{Δbℓ} and moved
 * by the rotation sampler at the new exponent. Resampling lets go of particles that are stuck. Cost: particles × levels × moves ×
 * (π/2)/step gradients, 16·particles·dimension bytes. Source: docs/theories/evidence.md, "Ladder and islands"; P. Del Moral, A. Doucet, A.
 * Jasra, Sequential Monte Carlo samplers (2006).
 */
export async function anneal(sampler: RotationSampler, options: AnnealingOptions, random: RandomStream): Promise<AnnealedRun> {
  const { particles, moves, ladder, effectiveFraction = 0.5, acceptance: wanted = 0.85, pause, control, onLevel } = options;
  let states = Array.from({ length: particles }, () => sampler.draw(random));
  const likelihoods = (): Float64Array => Float64Array.from(states, (state) => state.logLikelihood);
  const controls = (at: number): Pick<AnnealedLevel, "control"> =>
    control ? { control: states.reduce((sum, state) => sum + control(state, at) / particles, 0) } : {};
  const levels: AnnealedLevel[] = [{ exponent: 0, logLikelihoods: likelihoods(), stein: 0, acceptance: 1, ...controls(0) }];
  const stepSizes: number[] = [];
  let stepSize = 0.5;
  let exponent = 0;
  for (let level = 0; exponent < 1; level++) {
    const here = levels.at(-1)!.logLikelihoods;
    const next = ladder?.exponents[level + 1] ?? nextExponent(here, exponent, effectiveFraction);
    states = resampleStates(
      states,
      here.map((value) => (next - exponent) * value),
      random,
    );
    exponent = next;
    stepSize = ladder?.stepSizes[level] ?? stepSize;
    let accepted = 0;
    for (let move = 0; move < moves; move++) {
      let sweep = 0;
      for (const state of states) {
        sweep += sampler.move(state, { exponent, stepSize }, random);
        await pause?.();
      }
      accepted += sweep / (particles * moves);
      // what this level needs, not what the one before needed: steps that lag behind a ladder get smaller too late
      if (!ladder) stepSize = nextStepSize(stepSize, sweep / particles, wanted);
    }
    const stein = states.reduce((sum, state) => sum + sampler.stein(state, exponent) / particles, 0);
    levels.push({ exponent, logLikelihoods: likelihoods(), stein, acceptance: accepted, ...controls(exponent) });
    stepSizes.push(stepSize);
    onLevel?.(exponent);
  }
  return { ladder: { exponents: levels.map((level) => level.exponent), stepSizes }, levels, states };
}

/** The step size after one level or trajectory that was accepted with probability `accepted`. */
export const nextStepSize = (stepSize: number, accepted: number, wanted: number): number =>
  Math.min(Math.PI / 2, Math.max(1e-3, stepSize * Math.exp(accepted - wanted)));

/** As many states as there are, drawn systematically with weights ∝ e^{logWeights}, copied. */
export function resampleStates(states: readonly RotationState[], logWeights: Float64Array, random: RandomStream): RotationState[] {
  const total = logSumExp(logWeights);
  const chosen = systematicResample(
    logWeights.map((value) => Math.exp(value - total)),
    states.length,
    random,
  );
  return Array.from(chosen, (k) => {
    const { position, gradient, logLikelihood } = states[k]!;
    return { position: position.slice(), gradient: gradient.slice(), logLikelihood };
  });
}
