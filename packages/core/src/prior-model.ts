import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Activation } from "./activation.js";
import type { Network } from "./network.js";
import type { RandomStream } from "./random-stream.js";
import type { Matrix } from "./tensor.js";

/**
 * Plug-in kind 1: the law of the random kernel of an architecture. A prior model says what its network is, what its kernel becomes at
 * infinite width, what its exact mixing law is (where there is one) and how to run a real network of it (so that Monte Carlo can check
 * every theory on it).
 */
export interface PriorModel<N extends Network = Network> {
  /** Value of `network.type`. */
  readonly name: string;
  readonly summary: string;
  /** Validates the `network` object of an experiment file and fills in defaults (variances become lists of L + 1). */
  readonly schema: StandardSchemaV1<unknown, N>;
  /** Number of features of an input row, or undefined when any number will do. */
  inputSize(network: N): number | undefined;
  /**
   * Infinite-width kernels between the rows of `inputs` (and of `others`, when given: rectangular cross kernels plus the diagonal of
   * `others`).
   */
  infiniteWidth(network: N, activation: Activation, inputs: Matrix, others?: Matrix): InfiniteWidthKernels;
  /**
   * Covariances between the sites that the readout sees, for networks with one hidden layer that share weights between sites: what local
   * kernel renormalisation works on. @throws FinitewidthError (code "refused") for deeper ones.
   */
  siteBlocks?(network: N, activation: Activation, inputs: Matrix, others?: Matrix): SiteBlocks;
  /** Exact law of the mixing variable; undefined where none is known for this network (a nonlinear activation, say). */
  mixing?(network: N, activation: Activation): MixingLaw | undefined;
  /** A finite network as a differentiable function of whitened parameters, for sampling. */
  realise(network: N, activation: Activation, inputs: Matrix, outputs: number): FiniteNetwork;
}

/** Kernels of every layer at infinite width. With P inputs and P' others all matrices are P × P (others absent) or P × P'. */
export interface InfiniteWidthKernels {
  /** K¹ … K^{L+1}: preactivation kernels; the last is the prior covariance of one output. For convolutions averaged over sites. */
  readonly preactivation: readonly Matrix[];
  /** G¹ … G^L: post-activation second moments (averaged over sites). */
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

/** A network of finite width as a function of whitened parameters θ ~ N(0, 1), all inputs at once. */
export interface FiniteNetwork {
  /** Number of parameters; the last `readoutParameters` of them belong to the linear readout. */
  readonly parameters: number;
  readonly readoutParameters: number;
  /** Scales of the parameters by layer, for diagnostics: start offset of each layer in θ. */
  readonly offsets: readonly number[];
  /** Runs the network: fills `state` for a later pullback. */
  forward(theta: Float64Array): FiniteNetworkState;
  /** Gradient of Σ outputs ∘ cotangent with respect to θ, written into `gradient` (length `parameters`). */
  pullback(theta: Float64Array, state: FiniteNetworkState, cotangent: Matrix, gradient: Float64Array): void;
  /**
   * Gradient with respect to the hidden parameters (all but the readout's) of a scalar whose derivative with respect to the readout
   * features is `cotangent` (P × F).
   */
  pullbackFeatures(theta: Float64Array, state: FiniteNetworkState, cotangent: Matrix, gradient: Float64Array): void;
}

/**
 * What a forward run leaves. Arrays may be views of larger memory that the next forward run of the same network overwrites: copy what is to
 * be kept. Pullbacks take the state of the last run.
 */
export interface FiniteNetworkState {
  /** f(X), P × D. */
  readonly outputs: Matrix;
  /** Readout features Φ with f = Φ a + b, scaled so that K̂^{L+1} = Φ Φᵀ + σ_b²(L+1): P × F. */
  readonly features: Matrix;
  /** Ĝ¹ … Ĝ^L on the inputs, computed on demand: P × P each (averaged over sites). */
  hiddenKernels(): readonly Matrix[];
}
