import { applyAdjointJacobian, applyJacobian, infiniteWidthRecursion } from "@finitewidth/activations";
import type { Activation, Matrix } from "@finitewidth/core";
import { combine, innerProduct } from "@finitewidth/linalg";
import { fourPointContraction } from "./first-order-closure.js";
import type { GaussianNodes } from "./nodes.js";

/** A prior over kernels: first kernel, widths N_1 … N_L, and the variances of layers 2 … L+1. */
export interface KernelChain {
  readonly activation: Activation;
  /** K¹: P × P. */
  readonly firstKernel: Matrix;
  readonly widths: readonly number[];
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
}

/** K¹, …, K^{L+1} at infinite width. L P²/2 two-point functions. */
export const chainKernels = ({ activation, firstKernel, weightVariance, biasVariance }: KernelChain): readonly Matrix[] =>
  infiniteWidthRecursion(activation, firstKernel, weightVariance, biasVariance).preactivation;

/**
 * Response ∂ tr(E K^{L+1})/∂Kˡ at the infinite-width kernels for l = 2 … L+1: E^{L+1} = E, Eˡ = g Jᵀ(Kˡ)[E^{l+1}]. At a fixed point the
 * angle mode of a pair decays as χ⊥^{L+1−l}. O(L P²).
 */
export function conjugateChain(chain: KernelChain, contraction: Matrix, kernels = chainKernels(chain)): readonly Matrix[] {
  const L = chain.widths.length;
  const out: Matrix[] = [];
  out[L - 1] = contraction;
  for (let l = L - 1; l >= 1; l--) {
    const pulled = applyAdjointJacobian(chain.activation, kernels[l]!, out[l]!);
    out[l - 1] = combine(chain.weightVariance[l]!, pulled, 0, pulled);
  }
  return out;
}

/**
 * Cov_prior(Kˡ, tr E K^{L+1}) at order 1/N for l = 2 … L+1, by δ^{l+1} = g J(Kˡ)[δˡ] + (g²/N_l) Cov_h[φφᵀ, φᵀE^{l+1}φ]. With E the force of
 * the data at the infinite-width kernel it is the first-order posterior shift of the kernels; tr(E δ^{L+1}) = Var_prior tr(E K^{L+1}),
 * which grows like L/N at criticality. O(L n P²) for n nodes. Source: docs/theories/forward-backward.md, "First order".
 */
export function contractedPriorCovariance(chain: KernelChain, contraction: Matrix, nodes: GaussianNodes): readonly Matrix[] {
  const { activation, widths, weightVariance } = chain;
  const kernels = chainKernels(chain);
  const conjugates = conjugateChain(chain, contraction, kernels);
  const out: Matrix[] = [];
  for (let l = 0; l < widths.length; l++) {
    const g = weightVariance[l]!;
    const { full } = fourPointContraction(activation, kernels[l]!, conjugates[l]!, nodes);
    const carried = l === 0 ? undefined : applyJacobian(activation, kernels[l]!, out[l - 1]!);
    out.push(combine((g * g) / widths[l]!, full, carried ? g : 0, carried ?? full));
  }
  return out;
}

/** Var_prior tr(E K^{L+1}) at order 1/N. Cost of `contractedPriorCovariance`, O(L n P²) for n nodes. */
export function priorVariance(chain: KernelChain, contraction: Matrix, nodes: GaussianNodes): number {
  return innerProduct(contraction, contractedPriorCovariance(chain, contraction, nodes).at(-1)!);
}
