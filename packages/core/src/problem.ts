import type { LikelihoodChoice } from "./likelihood.js";
import type { Network } from "./network.js";
import type { Matrix } from "./tensor.js";

/** Normalisation of the outputs. "mean-field": outputs divided by a further √N_L and noise variance T/N_L. */
export type Scaling = "standard" | "mean-field";

/** A problem: network, data, likelihood. Everything is resolved (defaults filled in, shapes checked). */
export interface Problem {
  readonly network: Network;
  /** X: P × N0. */
  readonly inputs: Matrix;
  /** Y: P × D. */
  readonly targets: Matrix;
  /** Noise variance T ≥ 0 of a Gaussian likelihood; 0 under any other. */
  readonly temperature: number;
  /** Left out for Gaussian noise; see `likelihoodOf`. */
  readonly likelihood?: LikelihoodChoice;
  readonly scaling: Scaling;
}

/** A question about the prior: the law of f at some inputs. */
export interface PriorProblem {
  readonly network: Network;
  /** X: P × N0. */
  readonly inputs: Matrix;
  /** D. */
  readonly outputs: number;
  /** Values of f(X), P × D each, at which log densities are wanted. */
  readonly evaluateAt: readonly Matrix[];
  /** Number of networks to draw, for sampling theories. */
  readonly samples: number;
}
