import { rootDeterminant } from "../pair-geometry.js";
import { complements, correlationPath, pathDeterminant } from "./path.js";

/** E Π sgn over the path of C + added·1. */
function orthantIntegral(covariance: Float64Array, added: number): number {
  const path = correlationPath(covariance, added);
  const { correlation, complement, constant, linear, square, rule } = path;
  let total = 0;
  for (let q = 0; q < rule.nodes.length; q++) {
    const t = rule.nodes[q]!;
    const tau = rule.complements[q]!;
    const determinant = pathDeterminant(path, t, tau);
    const base = tau * (1 + t);
    let sum = 0;
    for (let p = 0; p < 6; p++) {
      const rho = correlation[p]!;
      if (rho === 0) continue;
      const rest = base + t * t * complement[p]!;
      const minor = t * (constant[p]! + tau * (linear[p]! + tau * square[p]!));
      sum += (rho / Math.sqrt(rest)) * Math.atan2(minor, Math.sqrt(rest * determinant));
    }
    total += rule.weights[q]! * sum;
  }
  return (4 / (Math.PI * Math.PI)) * total;
}

/**
 * E sgn h1 sgn h2 sgn h3 sgn h4, h ~ N(0, C), row-major C, singular ones included: Plackett's identity along the path from independence,
 * (4/π²) ∫₀¹ Σ_{i<j} ρ_ij (1 − r_ij²)^(−1/2) asin ρ_{kl|ij}(t) dt. 0 when a variance is 0. Absolute error about 1e-13. 18–161 nodes.
 * Source: docs/theories/perturbative.md, "Four-point functions".
 */
export function signFourPoint(covariance: Float64Array): number {
  for (let i = 0; i < 4; i++) if (!(covariance[5 * i]! > 0)) return 0;
  for (const [i, j, k, l] of complements) {
    const c = covariance[4 * i + j]!;
    // sgn² = 1: parallel inputs leave the two-point function of the other two, exactly
    if (rootDeterminant(covariance[5 * i]!, c, covariance[5 * j]!) ** 2 <= 2e-15 * covariance[5 * i]! * covariance[5 * j]!) {
      const rest = covariance[4 * k + l]!;
      return (Math.sign(c) * 2 * Math.atan2(rest, rootDeterminant(covariance[5 * k]!, rest, covariance[5 * l]!))) / Math.PI;
    }
  }
  return orthantIntegral(covariance, 0);
}

/** E erf h1 erf h2 erf h3 erf h4 = E Π sgn(h_i + n_i), n_i ~ N(0, ½) independent for every factor: the sign function at C + ½·1. */
export function erfFourPoint(covariance: Float64Array): number {
  return orthantIntegral(covariance, 0.5);
}
