import type { Matrix } from "@finitewidth/core";
import type { SpectralData } from "./spectral-data.js";

/** The chain of mixing matrices at the minimiser, variances of their layers included. */
interface ChainState {
  /** M_1 … M_L. */
  readonly mixing: readonly Matrix[];
  /** Changes of M_1, M_2 … (as many as matter to the covariance) that make up N times its covariance. */
  readonly spread: readonly (readonly Matrix[])[];
}

/** One site, no biases above the first layer: the data in the eigenbasis of the input kernel. */
export interface KroneckerState extends ChainState {
  readonly kind: "kronecker";
  readonly spectrum: SpectralData;
}

/** Several sites, or biases above the first layer. */
export interface SiteState extends ChainState {
  readonly kind: "sites";
}

/** What predictions of `large-deviation` need. */
export type LargeDeviationState = KroneckerState | SiteState;
