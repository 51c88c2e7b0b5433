import type { RandomStream } from "./random-stream.js";
import type { Matrix } from "./tensor.js";

/**
 * Kernels of every layer at infinite width, averaged over sites. With P inputs and P' others all matrices are P × P (others absent) or P ×
 * P'.
 */
export interface InfiniteWidthKernels {
  /** K¹ … K^{L+1}: of every layer of weights in document order; the last is the prior covariance of one output. */
  readonly preactivation: readonly Matrix[];
  /** G¹ … G^L: post-activation second moments, those that every layer of weights reads that does not read the inputs. */
  readonly hidden: readonly Matrix[];
  /** K^{L+1} at the others paired with themselves, P' numbers; present when `others` was given. */
  readonly othersDiagonal?: Float64Array;
}

/** Postactivation covariances between S readout sites; Σ_i B_ii = K^{L+1} − σ_b²(L+1). */
export interface SiteBlocks {
  /** S. */
  readonly sites: number;
  /** B_ij, index i·S + j, σ_w²(L+1) and the readout's normalisation included: P × P, or P × P′ with others. */
  readonly blocks: readonly Matrix[];
  /** σ_w E φ(h_i) in the same normalisation at the inputs, or at the others when given: S × P (S × P′). */
  readonly means: Matrix;
  /** B_ij of each of the others with itself: P′ × S²; present when `others` was given. */
  readonly own?: Matrix;
}

/** K(x, x′) = weight x·x′ + bias. */
export interface LinearKernel {
  readonly weight: number;
  readonly bias: number;
}

/**
 * Law of a mixing variable Q such that, given Q, the outputs are Gaussian. With S sites (S = 1 for fully connected nets) Q is a symmetric
 * (D·S) × (D·S) matrix over (output, site), and cov(f_a(x), f_b(x')) = Σ_ij Q_{(a i),(b j)} K_ij(x, x') (+ bias terms).
 */
export interface MixingLaw {
  /** S, the number of (reduced) sites of the first layer's mixing matrix. */
  readonly sites: number;
  /** Q as a chain of Wishart layers: what posterior inference works on. */
  readonly chain: WishartChain;
  /** One draw of Q for D outputs: (D·S) × (D·S). */
  sample(outputs: number, stream: RandomStream): Matrix;
  /** log density of the mixing variable, where it has a closed or quadrature form (D = S = 1: of u = log q). */
  logDensity?(outputs: number, value: Matrix): number;
  /** Large-deviation rate of Q per reference width N. */
  rate?(outputs: number, value: Matrix, referenceWidth: number): number;
  /**
   * K_ij between inputs (P) and others (P'; default: inputs themselves): P × P' for each pair of sites, index i·S + j. Variance and bias of
   * the first layer included.
   */
  siteKernels(inputs: Matrix, others?: Matrix): readonly Matrix[];
  /** The one site kernel where it is linear in the inputs: with more points than features, work happens in their space. */
  readonly linearKernel?: (inputs: Matrix) => LinearKernel;
  /** Covariance of the outputs at inputs × others given Q (biases of later layers left out): (D·P) × (D·P'), output index first. */
  covariance(outputs: number, value: Matrix, inputs: Matrix, others?: Matrix): Matrix;
}

/**
 * M_L ~ W(N_L, c I), M_l | M_{l+1} ~ W(N_l, (s_l/N_l) |m|⁻¹ Σ_m (I⊗t_m) M_{l+1} (I⊗t_m)ᵀ), Q = M_1; index (output, site). Source:
 * docs/theories/exact.md and convolution.md; in site subspaces every matrix is positive definite. Plain data.
 */
export interface WishartChain {
  /** Layers 1 … L. */
  readonly layers: readonly WishartLayer[];
  /** σ_b²(L+1): adds a constant to every output. */
  readonly readoutBiasVariance: number;
}
/** α and T: sites_l × sites_{l+1}. */
export interface WishartSkip {
  readonly coefficient: number;
  readonly tap: Matrix;
}
export interface WishartLayer {
  /** N_l: width or number of channels, the degrees of freedom. */
  readonly width: number;
  /** Number of (reduced) sites of M_l. */
  readonly sites: number;
  /** s_l = σ_w²(l+1); for the last layer divided by the number of readout sites where the readout demands it (c = variance/width). */
  readonly variance: number;
  /** t_m: sites_l × sites_{l+1}, one per tap; empty for the last layer (and [[1]] for fully connected ones). */
  readonly taps: readonly Matrix[];
  /**
   * A skip connection from this layer's units to those of the layer above, which has the same width: with M_{l+1} = A Aᵀ over those units,
   * M_l = (α (I⊗T) A + G)(α (I⊗T) A + G)ᵀ, G Gᵀ the Wishart matrix of the taps, independent of A (a noncentral law).
   */
  readonly skip?: WishartSkip;
  /**
   * Bias variance σ_b²(l) that M_l multiplies (l ≥ 2; 0 for l = 1, whose bias is in the site kernels), and the weights v of its quadratic
   * form vᵀM_l v over sites.
   */
  readonly biasVariance: number;
  readonly biasWeights: Float64Array;
}
