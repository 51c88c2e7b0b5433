import { shapeError, type Activation, type Matrix } from "@finitewidth/core";
import type { Recursion } from "./infinite-width.js";
import { applyAdjointJacobian } from "./kernel-slopes.js";

/** Derivatives of a function of the readout kernel in the variances of all layers. */
export interface VarianceDerivatives {
  /** In log σ_w²(1 … L+1). */
  readonly logWeightVariance: Float64Array;
  /** In log σ_b²(1 … L+1). */
  readonly logBiasVariance: Float64Array;
}

const sum = (a: Matrix): number => a.data.reduce((total, value) => total + value, 0);

/**
 * Given B = 2 ∂F/∂K^{L+1} (symmetric, entries counted over ordered pairs), the derivatives of F in the logarithms of all variances of the
 * recursion K^{l+1} = Q_l σ_w²(l+1) G(K^l) + σ_b²(l+1), by its adjoint: ½σ_b² ΣB, ½Q σ_w² Σ B∘G, B ← Jᵀ[Q σ_w² B]; in the first layer
 * ½Σ B∘(K¹ − σ_b²). Order parameters Q are 1 unless given, and `recursion` is that of the renormalised kernels then. O(L P²).
 * Source: docs/theories/evidence.md, "Gradients of theories". @throws FinitewidthError (code "shape").
 */
export function pullBackVariances(
  activation: Activation,
  { preactivation, hidden }: Recursion,
  weightVariance: readonly number[],
  biasVariance: readonly number[],
  adjoint: Matrix,
  orderParameters?: ArrayLike<number>,
): VarianceDerivatives {
  const layers = weightVariance.length;
  if (biasVariance.length !== layers || preactivation.length !== layers || hidden.length !== layers - 1)
    throw shapeError("recursion", `${layers} kernels and variances`, `${preactivation.length}, ${hidden.length}, ${biasVariance.length}`);
  const logWeightVariance = new Float64Array(layers);
  const logBiasVariance = new Float64Array(layers);
  let b = adjoint;
  for (let l = layers - 1; l > 0; l--) {
    logBiasVariance[l] = 0.5 * biasVariance[l]! * sum(b);
    const scale = weightVariance[l]! * (orderParameters?.[l - 1] ?? 1);
    const weighted: Matrix = { data: b.data.map((value) => scale * value), shape: b.shape };
    logWeightVariance[l] = 0.5 * weighted.data.reduce((total, value, i) => total + value * hidden[l - 1]!.data[i]!, 0);
    b = applyAdjointJacobian(activation, preactivation[l - 1]!, weighted);
  }
  logBiasVariance[0] = 0.5 * biasVariance[0]! * sum(b);
  logWeightVariance[0] = 0.5 * b.data.reduce((total, value, i) => total + value * preactivation[0]!.data[i]!, 0) - logBiasVariance[0];
  return { logWeightVariance, logBiasVariance };
}
