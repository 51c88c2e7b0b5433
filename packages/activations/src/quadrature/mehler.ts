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

/** Nodes z ≥ 0 of a trapezoid rule with He_n(z)/√n! times the weight, node by node. */
interface HermiteTable {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
  readonly polynomials: Float64Array;
}

function hermiteTable(half: number): HermiteTable {
  const spacing = reach / half;
  const nodes = new Float64Array(half + 1);
  const weights = new Float64Array(half + 1);
  const polynomials = new Float64Array((half + 1) * (order + 1));
  for (let i = 0; i <= half; i++) {
    nodes[i] = i * spacing;
    // z = 0 is counted twice below, as +0 and −0
    weights[i] = ((i === 0 ? 0.5 : 1) * spacing * Math.exp(-0.5 * nodes[i]! ** 2)) / Math.sqrt(2 * Math.PI);
    const row = polynomials.subarray(i * (order + 1), (i + 1) * (order + 1));
    hermitePolynomials(order, nodes[i]!, row);
    for (let n = 0; n <= order; n++) row[n]! *= weights[i]!;
  }
  return { nodes, weights, polynomials };
}

/** Finds coefficients and shares the tables of Hermite polynomials between them. */
export interface HermiteTransform {
  /**
   * Coefficients of a derivative of φ at one variance by the trapezoid rule, spacing at most 2π/(37/y + √160 + 6) for poles at whitened
   * distance y = analyticRadius/√k. 10⁴–10⁵ multiplications. undefined when k is so large that more than 2500 nodes would be needed.
   */
  coefficients(derivative: (h: number) => number, variance: number): HermiteCoefficients | undefined;
}

/** A transform for derivatives of φ. */
export function hermiteTransform(f: ActivationFunction): HermiteTransform {
  const tables = new Map<number, HermiteTable>();
  return {
    coefficients(derivative, variance) {
      const sigma = Math.sqrt(variance);
      const spacing = (2 * Math.PI) / (37 / Math.min(f.analyticRadius / Math.max(sigma, 1e-150), reach) + Math.sqrt(order) + 6);
      const half = 80 * 2 ** Math.max(0, Math.ceil(Math.log2(reach / spacing / 80)));
      if (half > 1280) return undefined;
      const table = tables.get(half) ?? hermiteTable(half);
      tables.set(half, table);
      const values = new Float64Array(order + 1);
      let square = 0;
      for (let i = 0; i <= half; i++) {
        const [plus, minus] = [derivative(sigma * table.nodes[i]!), derivative(-sigma * table.nodes[i]!)];
        square += table.weights[i]! * (plus * plus + minus * minus);
        const parts = [plus + minus, plus - minus] as const;
        const row = i * (order + 1);
        for (const parity of [0, 1] as const) {
          const part = parts[parity];
          if (part !== 0) for (let n = parity; n <= order; n += 2) values[n]! += part * table.polynomials[row + n]!;
        }
      }
      const tails = new Float64Array(order + 1);
      let tail = square;
      for (let n = 0; n <= order; n++) {
        tail -= values[n]! ** 2;
        tails[n] = Math.max(tail, 1e-16 * square);
      }
      return { values, tails, rootMeanSquare: Math.sqrt(square) };
    },
  };
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
