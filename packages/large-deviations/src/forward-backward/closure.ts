import type { Matrix } from "@finitewidth/core";

/** Averages under the tilted measure p(h) ∝ N(h | 0, C) exp(g φ(h)ᵀ A φ(h)) of one unit. */
export interface TiltedAverages {
  /** ⟨φφᵀ⟩: P × P. */
  readonly secondMoment: Matrix;
  /** ∂W/∂C as a full symmetric gradient, dW = tr(∂W/∂C · dC); present when asked for. */
  readonly gradient?: Matrix;
  /** W(A|C) = ln E exp(g φᵀAφ), without the bias term; absent at first order in A. */
  readonly cumulant?: number;
  /** Covariance of the Gaussian that the measure was computed with, a start for the next call. */
  readonly proposal?: Matrix;
  /** 1/(n Σ p²) of the importance weights; 1 for closed forms. */
  readonly effectiveFraction: number;
  /** Of lattice rules: estimated error of the averages, relative to the largest. */
  readonly quadratureError?: number;
}

/** A tilted measure to average under. */
export interface TiltedMeasure {
  /** C: P × P, positive semi-definite. */
  readonly kernel: Matrix;
  /** A: P × P, symmetric. */
  readonly conjugate: Matrix;
  /** g = σ_w² of the layer above. */
  readonly weightVariance: number;
}

/** Test points of a layer: kernels between them and the training points (P* × P), and their own variances (P*). */
export interface TestKernels {
  readonly cross: Matrix;
  readonly variances: Float64Array;
  /** Kernel among the test points, P* × P*; closures without a Gaussian of their own leave it out. */
  readonly joint?: Matrix;
  /** What random nodes of the last layer leave in predictions, where asked for: of C*V (P* × D) and of c** − C*RC*ᵀ (P*). */
  readonly errors?: { readonly mean: Matrix; readonly variance: Float64Array };
  /** What groups of random nodes move of the kernels, where asked for. */
  readonly moves?: KernelMoves;
}

/**
 * First-order changes of a layer's kernels with the weights of groups of random nodes in all layers below: dC (P × P) and dc (P* × P) of
 * each group, dc** (P* × groups).
 */
export interface KernelMoves {
  readonly training: readonly Matrix[];
  readonly cross: readonly Matrix[];
  readonly variances: Matrix;
}

/** What makes predictions of kernels between test and training points: C* = g⟨φ(h*)φ(h)⟩ + g_b, V (P × D), R = (C + T)⁻¹. */
export interface Readout {
  readonly weights: Matrix;
  readonly resolvent: Matrix;
  readonly gain: number;
  readonly bias: number;
}

/** One way to average under tilted measures. */
export interface TiltClosure {
  /** @throws FinitewidthError (code "not-positive-definite") where the tilt is not integrable. */
  averages(measure: TiltedMeasure, want: { readonly gradient: boolean }, start?: Matrix): TiltedAverages;
  /**
   * ⟨φ(h*)φ(h)⟩ and ⟨φ(h*)²⟩ at test points, which carry no tilt: h* given h is Gaussian. Random nodes also tell their `errors` in the
   * predictions of a readout, or their `moves` of the kernels above.
   */
  extend(measure: TiltedMeasure, test: TestKernels, want?: Readout | "moves"): TestKernels;
  /** Of random nodes: from now on averages are taken over another scramble of them, in the same memory. */
  rescramble?(seed: number): void;
}
