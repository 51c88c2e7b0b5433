import { hermitePolynomials } from "@finitewidth/numerics";
import type { ActivationFunction } from "./function.js";

const order = 160;
const reach = 12;

/** Hermite coefficients g_n(k) = E f(√k z) He_n(z)/√n!, n ≤ 160, and the tails E f² − Σ_{m≤n} g_m². */
export interface HermiteCoefficients {
  readonly values: Float64Array;
  readonly tails: Float64Array;
  readonly rootMeanSquare: number;
}

/**
 * Coefficients of a derivative of φ at one variance by the trapezoid rule, spacing 2π/(37/y + √160 + 6) for poles at whitened distance
 * y = analyticRadius/√k. 10⁴–10⁵ multiplications. undefined when k is so large that more than 2000 nodes would be needed.
 */
export function hermiteCoefficients(f: ActivationFunction, derivative: (h: number) => number, variance: number): HermiteCoefficients | undefined {
  const sigma = Math.sqrt(variance);
  const spacing = (2 * Math.PI) / (37 / Math.min(f.analyticRadius / Math.max(sigma, 1e-150), reach) + Math.sqrt(order) + 6);
  const half = Math.ceil(reach / spacing);
  if (half > 1000) return undefined;
  const values = new Float64Array(order + 1);
  const polynomials = new Float64Array(order + 1);
  let square = 0;
  for (let i = -half; i <= half; i++) {
    const z = i * spacing;
    const weight = (spacing / Math.sqrt(2 * Math.PI)) * Math.exp(-0.5 * z * z);
    const value = derivative(sigma * z);
    square += weight * value * value;
    const scaled = weight * value;
    hermitePolynomials(order, z, polynomials);
    for (let n = 0; n <= order; n++) values[n]! += scaled * polynomials[n]!;
  }
  const tails = new Float64Array(order + 1);
  let tail = square;
  for (let n = 0; n <= order; n++) {
    tail -= values[n]! ** 2;
    tails[n] = Math.max(tail, 1e-16 * square);
  }
  return { values, tails, rootMeanSquare: Math.sqrt(square) };
}

/**
 * Mehler's series Σ_n p_n q_n ρⁿ = E p(h1) q(h2) at correlation ρ, as many terms as needed: truncating after M terms costs at most
 * √(tail_p tail_q)|ρ|^{M+1}. undefined when the bound at n = 160 exceeds 1e-14 of the root mean squares.
 * Source: docs/theories/effective-action.md, "Kernels".
 */
export function mehlerSeries(p: HermiteCoefficients, q: HermiteCoefficients, rho: number): number | undefined {
  const size = Math.abs(rho);
  const scale = p.rootMeanSquare * q.rootMeanSquare;
  let terms = size < 1e-16 ? 1 : Math.ceil(-38 / Math.log(size));
  if (!(terms >= 0 && terms <= order)) {
    terms = order;
    if (Math.sqrt(p.tails[order]! * q.tails[order]!) * size ** (order + 1) > 1e-14 * scale) return undefined;
  }
  let sum = 0;
  for (let n = terms; n >= 0; n--) sum = sum * rho + p.values[n]! * q.values[n]!;
  return sum;
}
