import type { Activation } from "./activation.js";
import type { FiniteNetwork } from "./finite-network.js";
import type { InfiniteWidthKernels, MixingLaw, SiteBlocks } from "./kernels.js";
import type { Matrix } from "./tensor.js";

/**
 * A linear map T between the sites of two layers in gather form: (T z)[a] = Σ_r weights[a·R + r] · z[sources[a·R + r]], R entries per
 * output site, −1 reading a zero. A filter tap has R = 1, a pooling window one entry per site it covers, a dense map R = inputSites.
 */
export interface SiteMap {
  readonly inputSites: number;
  readonly outputSites: number;
  /** outputSites × R. */
  readonly sources: Int32Array;
  /** outputSites × R. @defaultValue all 1 */
  readonly weights?: Float64Array;
}

/** Weights that are not Gaussian: w = σ value(θ) with θ ~ N(0, 1), independent, E w = 0, E w² = σ². */
export interface WeightLaw {
  value(theta: number): number;
  derivative(theta: number): number;
}

/**
 * Self-attention with tied random queries and keys: T_h = softmax of the rows of κ_h κ_hᵀ/keys, κ_h = √(scoreVariance/N) z U_hᵀ. With
 * infinitely many heads and keys T = softmax(scoreVariance · Q). Source: docs/theories/layers.md.
 */
export interface SoftmaxScores {
  readonly scoreVariance: number;
  /** For finite networks only. */
  readonly heads: number;
  readonly keys: number;
}

/**
 * A layer of independent weights, its units N(0, S) given what it reads: S = (σ_w²/K) Σ_k T_k Q̂ T_kᵀ + σ_b², Q̂ = Σ_i ψ_i ψ_iᵀ/N over the
 * units ψ it reads; a real network computes out_i = σ_w/√(N K) Σ_kj W_ijk (T_k z_j) + σ_b b_i. Dense: one identity; above a flattening T_k
 * = row k of the identity over sites; a convolution: one map per tap; fixed attention: one per head.
 */
export interface RandomLayer {
  readonly kind: "random";
  /** N, number of units or channels; left out for the readout. */
  readonly width?: number;
  /** σ_w². */
  readonly weightVariance: number;
  /** σ_b², the same bias at all sites. */
  readonly biasVariance: number;
  /** T_1 … T_K; empty when `scores` make them. */
  readonly maps: readonly SiteMap[];
  readonly scores?: SoftmaxScores;
  /** @defaultValue Gaussian */
  readonly weights?: WeightLaw;
  /** Order of a unit's weights among the parameters of a real network. @defaultValue "channel-map" */
  readonly order?: "channel-map" | "map-channel";
}

/** What every layer is made of (docs/theories/layers.md). */
export type Primitive =
  | RandomLayer
  /** z → φ(z). */
  | { readonly kind: "pointwise"; readonly activation: Activation }
  /** z → T z for every unit: pooling. */
  | { readonly kind: "site-map"; readonly map: SiteMap }
  /** z → (z − z̄)/√(v̂ + ε) over the units, for every point and site. */
  | { readonly kind: "normalise"; readonly epsilon: number }
  /** z → Σ_k coefficients_k branch_k(z); an empty branch is the identity. */
  | { readonly kind: "merge"; readonly branches: readonly (readonly Primitive[])[]; readonly coefficients: readonly number[] };

/**
 * What a network is: layers from the inputs to the readout, which is the last one. Kernels, the law of the mixing variable, finite networks
 * and corrections follow from the layers (`@finitewidth/kernels`); an override replaces one of them where the model knows a faster or
 * reduced form, or where a list of layers cannot say it.
 */
export interface Architecture {
  /** Channels and sites of an input row, last index fastest; left out when any number of features on one site will do. */
  readonly input?: { readonly channels: number; readonly sites: number };
  readonly layers: readonly Primitive[];
  readonly overrides?: ArchitectureOverrides;
}

/** Each does what the function of the same name in `@finitewidth/kernels` does. */
export interface ArchitectureOverrides {
  infiniteWidthKernels?(inputs: Matrix, others?: Matrix): InfiniteWidthKernels;
  /** Undefined: none is known. */
  mixingLaw?(): MixingLaw | undefined;
  siteBlocks?(inputs: Matrix, others?: Matrix): SiteBlocks;
  realise?(inputs: Matrix, outputs: number): FiniteNetwork;
}
