import type { Matrix } from "@finitewidth/core";
import type { LatentPosteriorState } from "@finitewidth/likelihoods";
import type { Tridiagonalisation } from "@finitewidth/linalg";
import type { KeptBasis } from "../input-space/eigenbasis.js";

/** One output, no hidden biases: nodes and weights of the quadrature over log q, in the eigenvectors of the kernel. */
export interface ScalarState extends KeptBasis {
  readonly kind: "scalar";
  readonly targets: Float64Array;
  readonly ones: Float64Array;
  readonly logQ: Float64Array;
  readonly weights: Float64Array;
  readonly offset: number;
  readonly readoutBias: number;
  /** K = Q T Qᵀ in place of eigenvectors (`vectors` is empty): predictions take no more, `completeState` makes them where one does. */
  readonly form?: Tridiagonalisation;
}

/** Several outputs or hidden biases: weighted draws of the mixing matrix and of the bias of the outputs (D × D each). */
export interface MatrixState extends KeptBasis {
  readonly kind: "matrix";
  readonly targets: Matrix;
  readonly ones: Float64Array;
  readonly rotation: Matrix;
  readonly offset: Float64Array;
  readonly mixing: Float64Array;
  readonly bias: Float64Array;
  readonly weights: Float64Array;
  readonly batches: Float64Array;
}

/** Several sites: weighted draws of the coordinates of the chain. */
export interface SiteState {
  readonly kind: "sites";
  readonly points: Matrix;
  readonly weights: Float64Array;
  readonly batches: Float64Array;
  readonly batchCount: number;
  readonly rotation: Matrix;
  /** E[A]: posterior covariance of the first layer's filters over features. */
  readonly featureCovariance?: Matrix;
  /** Labels of the parts of the sites in the order in which pruning removes them, where the law has parts. */
  readonly removed?: readonly string[];
}

/** What predictions of `exact` need, by the form of the mixing variable. */
export type ExactState = ScalarState | MatrixState | SiteState | LatentPosteriorState;
