import type { Matrix } from "@finitewidth/core";

/** Gaussian sites at infinite width, one latent output. */
export interface SitesState {
  readonly kind: "sites";
  readonly alpha: Float64Array;
  readonly weights: Float64Array;
}

/** Sites at the nodes of a quadrature over log q, one latent output: nodes × P each. */
export interface MixtureState {
  readonly kind: "mixture";
  readonly logQ: Float64Array;
  readonly nodeWeights: Float64Array;
  readonly alpha: Matrix;
  readonly weights: Matrix;
}

/** Laplace approximation of softmax at infinite width: A (+ t) and class probabilities at the mode, P × D each. */
export interface LogitsState {
  readonly kind: "logits";
  readonly alpha: Matrix;
  readonly probabilities: Matrix;
}

/**
 * Draws of the latent outputs: at a point with cross kernels k (P) to the training points, f_* = F g (basisᵀk) + bias + F ξ √ρ with
 * ρ = k_** − |basisᵀk|².
 */
export interface DrawsState {
  readonly kind: "draws";
  /** V λ^−½: P × rank. */
  readonly basis: Matrix;
  /** F_1 g: draws × (d·rank). */
  readonly projected: Matrix;
  /** F_1: draws × (d·r_1). */
  readonly factors: Matrix;
  /** draws × d. */
  readonly bias: Matrix;
  /** Sum to 1. */
  readonly weights: Float64Array;
  /** Chain of every draw, from 0; chains are independent. */
  readonly chains: Float64Array;
}

/** What predictions need. Plain data. */
export type LatentState = SitesState | MixtureState | LogitsState | DrawsState;
