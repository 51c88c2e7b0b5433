import type { Matrix } from "./tensor.js";

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
