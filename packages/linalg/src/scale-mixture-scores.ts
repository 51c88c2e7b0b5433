import type { WeightedNodes } from "./condensed-nodes.js";

/** y ~ N(0, q K + b 11ᵀ + T) in the eigenbasis of K; directions outside the range of K are summed up. */
export interface ScaleMixtureData {
  /** κ ≥ 0. */
  readonly values: Float64Array;
  /** ŷ = Vᵀy. */
  readonly targets: Float64Array;
  /** o = Vᵀ1; read when b > 0, and for `firstBias`. */
  readonly ones: Float64Array;
  readonly noise: number;
  /** b. */
  readonly biasVariance: number;
  /** Number of directions outside, all of noise alone, and |y_⊥|². */
  readonly nullity: number;
  readonly residualSquare: number;
}

/** With M = rrᵀ − A⁻¹, r = A⁻¹y, A = qK + b 11ᵀ + T: averages over the nodes of q. */
export interface ScaleMixtureScores {
  /** E ½ tr(qK M): derivative of log p(y) in log of the scale of K. */
  readonly kernel: number;
  /** E ½ T tr M. */
  readonly noise: number;
  /** E ½ b 1ᵀM1. */
  readonly bias: number;
  /** E ½ q 1ᵀM1: derivative in a constant added to K. */
  readonly constant: number;
}

/**
 * Derivatives of log E_q N(y | 0, qK + b 11ᵀ + T) when the nodes are the posterior of q and its prior does not depend on what is varied
 * (Fisher's identity). O(P) a node. Source: docs/theories/evidence.md, "Gradients of theories".
 */
export function scaleMixtureScores(data: ScaleMixtureData, { q, weights }: WeightedNodes): ScaleMixtureScores {
  const { values, targets, ones, noise: t, biasVariance: b, nullity, residualSquare } = data;
  let [kernel, noise, bias, constant] = [0, 0, 0, 0];
  for (let n = 0; n < q.length; n++) {
    const scale = q[n]!;
    let [w, u] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      const c = scale * values[i]! + t;
      w += (ones[i]! * ones[i]!) / c;
      u += (ones[i]! * targets[i]!) / c;
    }
    // variance and mean of the bias given y
    const spread = b / (1 + w * b);
    const mean = spread * u;
    let [ofKernel, ofNoise] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      const c = scale * values[i]! + t;
      const r = (targets[i]! - mean * ones[i]!) / c;
      const entry = r * r - 1 / c + spread * (ones[i]! / c) ** 2;
      ofKernel += scale * values[i]! * entry;
      ofNoise += t * entry;
    }
    // 1ᵀA⁻¹y and 1ᵀA⁻¹1
    const [sumR, sumInverse] = [u - mean * w, w / (1 + w * b)];
    const ofOnes = sumR * sumR - sumInverse;
    kernel += 0.5 * weights[n]! * ofKernel;
    noise += 0.5 * weights[n]! * (ofNoise + (t > 0 ? residualSquare / t - nullity : 0));
    bias += 0.5 * b * weights[n]! * ofOnes;
    constant += 0.5 * scale * weights[n]! * ofOnes;
  }
  return { kernel, noise, bias, constant };
}
