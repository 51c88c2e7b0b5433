import type { ScalarSpectrum } from "./scalar-problem.js";

/** S and its derivatives in u = log Q. */
export interface ActionDerivatives {
  readonly value: number;
  readonly first: number;
  readonly second: number;
  readonly third: number;
}

/**
 * The readout bias integrated out at a given Q, for a vector x in the eigenbasis: the coefficient c with (T + QK + b 11ᵀ)⁻¹x = (T + QK)⁻¹(x
 * − c 1), for the targets the posterior mean of the bias, and the factor g = 1 + b 1ᵀ(T + QK)⁻¹1; c = 0, g = 1 without a bias. The rank-one
 * update in this form has no cancellation, at T = 0 and for b → ∞ (centring) too. O(P).
 */
export function biasAt(
  problem: Pick<ScalarSpectrum, "eigenvalues" | "ones" | "temperature" | "biasVariance">,
  orderParameter: number,
  values: Float64Array,
): { readonly factor: number; readonly mean: number } {
  const { eigenvalues: k, ones: w, temperature, biasVariance: b } = problem;
  if (b === 0) return { factor: 1, mean: 0 };
  let ww = 0;
  let wx = 0;
  for (let i = 0; i < k.length; i++) {
    const d = temperature + orderParameter * k[i]!;
    ww += (w[i]! * w[i]!) / d;
    wx += (w[i]! * values[i]!) / d;
  }
  const factor = 1 + b * ww;
  return { factor, mean: (b * wx) / factor };
}

/**
 * Action of one hidden layer, S(Q) = Q − log Q + (1/N)[log det A + yᵀA⁻¹y], A = T + b 11ᵀ + QK, and three derivatives in u = log Q; the
 * posterior density of u is ∝ exp(−N S/2). O(P). docs/theories/effective-action.md, "Evaluation".
 */
export function scalarAction(problem: ScalarSpectrum, orderParameter: number): ActionDerivatives {
  const { eigenvalues: k, targets: z, ones: w, temperature, width, biasVariance: b } = problem;
  const Q = orderParameter;
  const bias = biasAt(problem, Q, z);
  const c = bias.mean;
  let logDeterminant = 0;
  let quadratic = 0;
  let [e1, e2, e3] = [0, 0, 0];
  // Derivatives of Σ w²/d and Σ wz/d, and the sums that carry dc/du into the data term.
  let [a1, a2, a3, b1, b2] = [0, 0, 0, 0, 0];
  let [cross1, cross2] = [0, 0];
  for (let i = 0; i < k.length; i++) {
    const d = temperature + Q * k[i]!;
    const p = (Q * k[i]!) / d;
    const dp = p * (1 - p);
    const residual = z[i]! - c * w[i]!;
    const e = (residual * residual) / d;
    // 1/d differentiated: −p/d, (2p² − p)/d, (−p(2p² − p) + (4p − 1)p(1 − p))/d
    const h2 = p * (2 * p - 1);
    const h3 = -p * h2 + (4 * p - 1) * dp;
    logDeterminant += Math.log(d);
    quadratic += e;
    e1 += p - e * p;
    e2 += dp + e * h2;
    e3 += dp * (1 - 2 * p) + e * h3;
    if (b > 0) {
      const ww = (w[i]! * w[i]!) / d;
      const wz = (w[i]! * z[i]!) / d;
      const wr = (w[i]! * residual) / d;
      a1 -= ww * p;
      a2 += ww * h2;
      a3 += ww * h3;
      b1 -= wz * p;
      b2 += wz * h2;
      cross1 -= wr * p;
      cross2 += wr * h2;
    }
  }
  if (b > 0) {
    const g = bias.factor;
    const [g1, g2, g3] = [b * a1, b * a2, b * a3];
    const l1 = g1 / g;
    const c1 = (b * b1 - c * g1) / g;
    const c2 = (b * b2 - 2 * c1 * g1 - c * g2) / g;
    logDeterminant += Math.log(g);
    quadratic += (c * c) / b;
    e1 += l1;
    e2 += g2 / g - l1 * l1 - 2 * c1 * cross1;
    e3 += g3 / g - (3 * g1 * g2) / (g * g) + 2 * l1 ** 3 - 4 * c1 * cross2 - 2 * c2 * cross1 + 2 * c1 * c1 * a1;
  }
  return {
    value: Q - Math.log(Q) + (logDeterminant + quadratic) / width,
    first: Q - 1 + e1 / width,
    second: Q + e2 / width,
    third: Q + e3 / width,
  };
}
