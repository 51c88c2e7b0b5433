import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Matrix } from "./tensor.js";

/** Arrays that `Observation.evaluate` fills when they are given; d = latent outputs per point. */
export interface LikelihoodDerivatives {
  /** P: ℓ_μ = log p(y_μ | f_μ). */
  readonly perPoint?: Float64Array;
  /** P × d: ∂ℓ/∂f. */
  readonly gradient?: Float64Array;
  /** P × d × d: W = −∂²ℓ/∂f∂f. */
  readonly curvature?: Float64Array;
}

/** One latent output seen point by point: what one-dimensional integrals over p(y_μ | f) need. */
export interface ScalarObservation {
  logDensity(point: number, f: number): number;
  gradient(point: number, f: number): number;
  curvature(point: number, f: number): number;
  /**
   * [log ∫ N(f | m, v) p(y_μ | f) df, mean, variance] of the tilted density, where there is something better than general quadrature.
   */
  tilted?(point: number, mean: number, variance: number): readonly [logMass: number, mean: number, variance: number];
}

/** p(Y | f) as a function of the latent outputs at the training points, with its derivatives. */
export interface Observation {
  /** P. */
  readonly points: number;
  /** d: latent outputs per point. */
  readonly latents: number;
  /** Σ_μ log p(y_μ | f_μ) at `latent` (P × d, row-major), −∞ where the density vanishes, never NaN. Not reentrant. */
  evaluate(latent: Float64Array, out?: LikelihoodDerivatives): number;
  /** Writes Σ_jk S_jk ∂W_jk/∂f_i per point into `out` (P × d); `contraction`: S, P × d × d. */
  curvatureSlope(latent: Float64Array, contraction: Float64Array, out: Float64Array): void;
  /** For d = 1. */
  readonly scalar?: ScalarObservation;
}

/** A likelihood with its parameters. Log-concave in f (W positive semi-definite). */
export interface Likelihood {
  readonly name: string;
  /** τ > 0: f enters as f/τ; 1 where there is no such parameter. */
  readonly scale: number;
  /** T, when y = f + Gaussian noise of variance T; undefined for everything else. */
  readonly noise?: number;
  /** Latent outputs per point that the network must have for targets of so many columns. */
  latents(columns: number): number;
  /** Number of classes of targets with so many columns; undefined when targets are numbers or counts. */
  classes(columns: number): number | undefined;
  /**
   * H (d × D) when latent outputs are contrasts: what a user calls outputs is gH, D per point. Undefined when they are the outputs
   * themselves.
   */
  contrasts(columns: number): Matrix | undefined;
  /** @throws FinitewidthError (code "input" or "shape") naming the entry that is no target of this likelihood. */
  check(targets: Matrix, path?: string): void;
  observe(targets: Matrix): Observation;
  /** Class of every row of targets; for likelihoods of classes. */
  labels?(targets: Matrix): Int32Array;
  /** Targets of given classes out of so many, what `labels` undoes. */
  encode?(labels: ArrayLike<number>, classes: number): Matrix;
  /** Class probabilities of latent outputs, M × d to M × classes; for likelihoods of classes. */
  probabilities?(latents: Matrix): Matrix;
}

/** A likelihood by the name of its family, with its parameters: plain data, as in the `likelihood` of an experiment file. */
export interface LikelihoodChoice {
  readonly type: string;
  readonly [parameter: string]: unknown;
}

/** Plug-in kind 4: a family of likelihoods, `"likelihood": { "type": name, … }` in experiment files. */
export interface LikelihoodFamily<Parameters = unknown> {
  readonly name: string;
  readonly summary: string;
  /** Validates the parameters (everything but `type`) and fills in defaults. */
  readonly schema: StandardSchemaV1<unknown, Parameters>;
  create(parameters: Parameters): Likelihood;
}
