import { applyAdjointSlopes, applySlopes, kernelMap, kernelSlopes, type KernelSlopes } from "@finitewidth/activations";
import { zeros, type Activation, type Matrix } from "@finitewidth/core";

/**
 * One hidden layer of the random-kernel chain: given its preactivation kernel the units are independent, so Ĝˡ fluctuates around G(K̂ˡ)
 * with covariance C(K̂ˡ)/N_l, and the next kernel is `lift(Ĝˡ)` plus a constant.
 */
export interface KernelLayer {
  /** N_l: units, or channels. */
  readonly width: number;
  /** Kˡ: n × n at infinite width (n points, or points × sites). */
  readonly kernel: Matrix;
  /** Gˡ = G(Kˡ). */
  readonly secondMoment: Matrix;
  /** Derivatives of the kernel map at Kˡ. */
  readonly slopes: KernelSlopes;
  /** The linear map from symmetric perturbations of Gˡ to those of K^{l+1}. */
  lift(x: Matrix): Matrix;
  /** Its adjoint over ordered index pairs. */
  liftAdjoint(b: Matrix): Matrix;
}

/** Random-kernel chain of a network at some inputs: layers 1 … L, and the kernel K^{L+1} of the outputs (points × points). */
export interface KernelChain {
  readonly activation: Activation;
  readonly layers: readonly KernelLayer[];
  readonly output: Matrix;
  /**
   * Without convolutions: the map from perturbations of Gᵏ to those of the output kernel, which acts on each pair of points by itself
   * (two-input closure).
   */
  readonly outputSlopes?: readonly KernelSlopes[];
  /** Sites per point; 1 without convolutions. */
  readonly sites: number;
  /** For linear units: Uᵏ (sites × sites) with K^{L+1}_μν ∋ Σ_ab U_ab h_{μa} h_{νb} for the units h of hidden layer k. */
  readonly siteForms: readonly Matrix[];
}

const scale =
  (factor: number) =>
  (x: Matrix): Matrix => {
    const data = new Float64Array(x.data.length);
    for (let i = 0; i < data.length; i++) data[i] = factor * x.data[i]!;
    return { data, shape: x.shape };
  };

/** Entries of a fully connected network that the chain needs. */
export interface FullyConnectedChain {
  readonly activation: Activation;
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  /** σ_w²(2) … σ_w²(L+1). */
  readonly weightVariance: readonly number[];
  /** σ_b²(2) … σ_b²(L+1). */
  readonly biasVariance: readonly number[];
}

/**
 * Chain of a fully connected network above its first kernel K¹ (n × n). O(L n²) Gaussian moments. Source: docs/theories/perturbative.md §1.
 */
export function fullyConnectedChain(
  { activation, widths, weightVariance, biasVariance }: FullyConnectedChain,
  firstKernel: Matrix,
): KernelChain {
  let kernel = firstKernel;
  const layers = widths.map((width, l): KernelLayer => {
    const secondMoment = kernelMap(activation, kernel);
    const [w, b] = [weightVariance[l]!, biasVariance[l]!];
    const layer: KernelLayer = {
      width,
      kernel,
      secondMoment,
      slopes: kernelSlopes(activation, kernel),
      lift: scale(w),
      liftAdjoint: scale(w),
    };
    kernel = { data: secondMoment.data.map((value) => w * value + b), shape: kernel.shape };
    return layer;
  });
  let slopes = constantSlopes(1, kernel.shape[0]);
  const outputSlopes: KernelSlopes[] = [];
  for (let l = widths.length - 1; l >= 0; l--) {
    outputSlopes.unshift(composeSlopes(slopes, constantSlopes(weightVariance[l]!, kernel.shape[0])));
    slopes = composeSlopes(outputSlopes[0]!, layers[l]!.slopes);
  }
  return {
    activation,
    layers,
    output: kernel,
    outputSlopes,
    sites: 1,
    siteForms: widths.map((_, k) => ({ data: Float64Array.of(weightVariance.slice(k).reduce((all, w) => all * w, 1)), shape: [1, 1] })),
  };
}

/** Multiplication by a number as a linear response. */
const constantSlopes = (factor: number, n: number): KernelSlopes => ({
  slope: { data: new Float64Array(n * n).fill(factor), shape: [n, n] },
  curvature: zeros(n, n),
});

/** `outer` after `inner`, again of the form Ġ_ab X_ab + ½ X̄_ab X_aa + ½ X̄_ba X_bb. */
function composeSlopes(outer: KernelSlopes, inner: KernelSlopes): KernelSlopes {
  const n = outer.slope.shape[0];
  const [slope, curvature] = [zeros(n, n), zeros(n, n)];
  for (let a = 0; a < n; a++) {
    const own = inner.slope.data[a * n + a]! + inner.curvature.data[a * n + a]!;
    for (let at = a * n; at < (a + 1) * n; at++) {
      slope.data[at] = outer.slope.data[at]! * inner.slope.data[at]!;
      curvature.data[at] = outer.slope.data[at]! * inner.curvature.data[at]! + outer.curvature.data[at]! * own;
    }
  }
  return { slope, curvature };
}

/**
 * A perturbation of Gᵏ (k counts from 0) carried to the output kernel: lifts and Jacobians of the layers above. O(L n²), times the taps of
 * filters.
 */
export function pushToOutput(chain: KernelChain, k: number, x: Matrix): Matrix {
  if (chain.outputSlopes !== undefined) return applySlopes(chain.outputSlopes[k]!, x);
  let current = chain.layers[k]!.lift(x);
  for (let l = k + 1; l < chain.layers.length; l++) current = chain.layers[l]!.lift(applySlopes(chain.layers[l]!.slopes, current));
  return current;
}

/** What the data ask of every layer, and what it answers. Coefficients of 1/N_k are kept apart: entry [l][k], zero for k > l. */
export interface ForwardBackward {
  /** B¹ … B^{L+1}: gradient of twice the log-likelihood with respect to Kˡ over ordered index pairs. */
  readonly backward: readonly Matrix[];
  /** Coefficients of X_Gˡ, the data-driven shift of Ĝˡ. */
  readonly hidden: readonly (readonly Matrix[])[];
  /** Coefficients of Xˡ, the data-driven shift of K̂ˡ, l = 1 … L+1. */
  readonly preactivation: readonly (readonly Matrix[])[];
}

/**
 * Posterior shifts of the kernels of all layers without n⁴ objects: B backwards through the adjoint Jacobians, then C(Kˡ):B forwards.
 * `outputGradient`: A on training points, zero elsewhere. `contract(l, B)` returns Σ_cd C_{··cd}(Kˡ) B_cd.
 * O(L² n²) besides the contractions. Source: docs/theories/perturbative.md §4; J. Zavatone-Veth et al., Asymptotics of representation
 * learning in finite Bayesian neural networks (2021).
 */
export function forwardBackward(chain: KernelChain, outputGradient: Matrix, contract: (l: number, b: Matrix) => Matrix): ForwardBackward {
  const { layers } = chain;
  const L = layers.length;
  const backward: Matrix[] = [outputGradient];
  const lifted: Matrix[] = [];
  for (let l = L - 1; l >= 0; l--) {
    lifted.unshift(layers[l]!.liftAdjoint(backward[0]!));
    backward.unshift(applyAdjointSlopes(layers[l]!.slopes, lifted[0]!));
  }
  const hidden: Matrix[][] = [];
  const preactivation: Matrix[][] = [Array.from({ length: L }, () => zeros(...layers[0]!.kernel.shape))];
  for (const [l, layer] of layers.entries()) {
    hidden.push(
      preactivation[l]!.map((x, k) => {
        if (k < l) return applySlopes(layer.slopes, x);
        return k === l ? scale(0.5)(contract(l, lifted[l]!)) : zeros(...layer.kernel.shape);
      }),
    );
    preactivation.push(
      hidden[l]!.map((x, k) => (k <= l ? layer.lift(x) : zeros(...(l + 1 < L ? layers[l + 1]!.kernel.shape : chain.output.shape)))),
    );
  }
  return { backward, hidden, preactivation };
}
