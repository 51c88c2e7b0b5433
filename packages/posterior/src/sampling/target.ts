import type { RandomStream } from "@finitewidth/core";

/**
 * A posterior over unconstrained coordinates x ∈ ℝᵈ: normalised prior density times likelihood. What every sampler of this folder works
 * on; the coordinates of a Wishart chain (fully connected or over sites) are one. Coordinates should be nearly N(0, 1) under the prior.
 */
export interface PosteriorTarget {
  /** d. */
  readonly dimension: number;
  /**
   * A summand of the log likelihood that no coordinate changes, left out of `evaluate`, whose digits it would use up: targets of 10³
   * outside the range of the kernel at T = 10⁻⁴ make it 10¹⁰. @defaultValue 0
   */
  readonly logConstant?: number;
  /**
   * log prior(x) and log likelihood(x), not yet added; −∞ for density 0, never NaN. With `gradients` their gradients are written there
   * (both arrays have d entries). May reuse internal work arrays: not reentrant.
   */
  evaluate(x: Float64Array, gradients?: TargetGradients): TargetValue;
  /** One draw from the prior, written into `out`. */
  samplePrior(stream: RandomStream, out: Float64Array): void;
}

/**
 * Points with a coordinate beyond this have density 0: diverged trajectories end there. Targets a thousand times what the prior expects
 * have their mode near √(1000 N): the limit is one of numbers, not of plausible values.
 */
export const farthestCoordinate = 1e8;

export interface TargetValue {
  readonly logPrior: number;
  readonly logLikelihood: number;
}

export interface TargetGradients {
  readonly prior: Float64Array;
  readonly likelihood: Float64Array;
}

/** A mode with the curvature there, or a Gaussian fit in its place. */
export interface LaplaceFit {
  /** d. */
  readonly mode: Float64Array;
  /** S (d × d, row-major) with S Sᵀ = covariance: whitens the sampler. */
  readonly factor: Float64Array;
  /** log |det S|. */
  readonly logDeterminant: number;
  /** log prior + log likelihood at the mode. */
  readonly logDensity: number;
  readonly converged: boolean;
}

/** Weighted draws of a posterior with its evidence and the diagnostics that say how far to trust them. */
export interface PosteriorSample {
  /** n points of d coordinates. */
  readonly points: readonly Float64Array[];
  /** n weights that sum to 1. */
  readonly weights: Float64Array;
  /**
   * Batch of each draw, 0 … batches − 1. Draws of different batches are independent, so the spread of batch averages gives standard
   * errors of any average (for Markov chains a batch is a long stretch of one chain).
   */
  readonly batches: Int32Array;
  readonly batchCount: number;
  /** log ∫ prior × likelihood. */
  readonly logEvidence: number;
  readonly logEvidenceStandardError: number;
  readonly diagnostics: SamplingDiagnostics;
  readonly warnings: readonly string[];
}

export interface SamplingDiagnostics {
  /** How the draws were made and how the evidence was found. */
  readonly method: "importance" | "hmc" | "smc" | "quadrature";
  readonly draws: number;
  /** Smallest over coordinates (Markov chains), or of the importance weights. */
  readonly effectiveSampleSize: number;
  /** Largest split R̂ over coordinates (Markov chains). */
  readonly rHat?: number;
  /** Pareto shape of the importance weights; above 0.7 the weights are not to be trusted. */
  readonly paretoShape?: number;
  readonly largestWeight?: number;
  /** Mean acceptance of Hamiltonian moves. */
  readonly acceptance?: number;
  /** Largest difference between independent estimates of the log evidence. */
  readonly logEvidenceSpread?: number;
  /** Temperatures of the likelihood, or bridge exponents. */
  readonly path?: readonly number[];
}
