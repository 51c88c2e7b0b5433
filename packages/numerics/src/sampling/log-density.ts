import type { RandomStream } from "@finitewidth/core";

/** An unnormalised log density on ℝᵈ with its gradient: what every sampler here works on. */
export interface LogDensity {
  /** d. */
  readonly dimension: number;
  /** log p(x), with ∇ log p(x) written into `gradient`; −∞ where the density vanishes. May reuse work arrays. */
  evaluate(x: Float64Array, gradient: Float64Array): number;
}

/** Writes a starting point into `out`; not far from where the mass is, and different for every chain. */
export type Start = (random: RandomStream, out: Float64Array) => void;

/** One iteration of a chain. Arrays are reused by the next one: copy what you keep. */
export interface ChainState {
  /** From 0, warm-up included. */
  readonly iteration: number;
  readonly warmup: boolean;
  readonly position: Float64Array;
  readonly logDensity: number;
  /** Acceptance probability of this iteration. */
  readonly acceptance: number;
  readonly divergent: boolean;
}

/** How a chain went, warm-up left out except where it says so. */
export interface ChainReport {
  readonly stepSize: number;
  /** Mean acceptance probability. */
  readonly acceptance: number;
  /** Iterations whose energy error passed 1000 or was not a number: the integrator left the region where it can be trusted. */
  readonly divergences: number;
  /** Evaluations of the gradient, warm-up included. */
  readonly gradients: number;
  /** Energy–Bayesian fraction of missing information, E(ΔH)²/Var H; below 0.3 the tails are explored slowly. */
  readonly energyFraction: number;
}
