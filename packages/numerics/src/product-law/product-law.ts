import { FinitewidthError } from "@finitewidth/core";
import { newtonRoot } from "../roots/index.js";
import type { Complex } from "../special/complex-log-gamma.js";
import type { PositiveFactor } from "./factor.js";

/** q = e^shift Π of independent positive factors, equal ones counted. */
export interface ProductLaw {
  readonly factors: readonly { readonly factor: PositiveFactor; readonly count: number }[];
  readonly shift: number;
}

/** Terms below e^−depth of the largest are left out, and images of the trapezoidal rule are below that. */
const depth = 34;
/** Nodes after which the integral is given up: one factor alone can need any number in its far left tail. */
const largestNodes = 100_000;

/** Mean and variance of log q under the law tilted by q^c. */
export function logMomentsOf({ factors, shift }: ProductLaw, c = 0): { readonly mean: number; readonly variance: number } {
  let [mean, variance] = [shift, 0];
  for (const { factor, count } of factors) {
    const at = factor.slopes(c);
    mean += count * at.mean;
    variance += count * at.variance;
  }
  return { mean, variance };
}

/** log E q^k for real k; +∞ where it diverges. */
export function logMomentOf({ factors, shift }: ProductLaw, k: number): number {
  if (factors.some(({ factor }) => k <= -factor.pole)) return Infinity;
  return factors.reduce((sum, { factor, count }) => sum + count * factor.line(k).at(0)[0], k * shift);
}

/** The nodes of the Mellin integral for the density at u: z_k = c + i k step, k = 0 … count − 1, exponent log E q^z − z u. */
export interface MellinNodes {
  readonly c: number;
  readonly step: number;
  readonly count: number;
  /** log E q^{z_k} − z_k u. */
  readonly exponents: readonly Complex[];
}

/** x = pole + c > 0 at which the mean of log q tilted by q^c is u; need not be accurate. */
function saddle(law: ProductLaw, pole: number, u: number): number {
  const f = (x: number) => {
    const { mean, variance } = logMomentsOf(law, x - pole);
    return { value: mean - u, slope: variance };
  };
  let lower = pole;
  let upper = pole;
  while (f(lower).value > 0) lower *= 0.25;
  while (f(upper).value < 0) upper *= 4;
  return lower === upper ? lower : newtonRoot(f, lower, upper, { tolerance: 1e-6 }).root;
}

/**
 * Nodes on the vertical line through the saddle point for the density of u = log q. At least one factor must have a finite pole; a
 * noncentral factor should not stand alone (its density is not log-concave on the left). O(factors) a node, layers of the same width being
 * one factor; some ten to a hundred nodes as a rule.
 * @throws FinitewidthError (code "not-converged") when the integrand does not decay.
 */
export function mellinNodes(law: ProductLaw, u: number): MellinNodes {
  const pole = law.factors.reduce((least, { factor }) => Math.min(least, factor.pole), Infinity);
  const x = saddle(law, pole, u);
  const c = x - pole;
  const lines = law.factors.map(({ factor, count }) => ({ line: factor.line(c), count }));
  const v = u - law.shift;
  const step = (2 * Math.PI) / (Math.sqrt(2 * depth * logMomentsOf(law, c).variance) + depth / x);
  const exponents: Complex[] = [];
  let check = 4;
  for (let k = 0; k < largestNodes; k++) {
    const t = k * step;
    let re = -c * v;
    let im = -t * v;
    for (const { line, count } of lines) {
      const value = line.at(t);
      re += count * value[0];
      im += count * value[1];
    }
    exponents.push([re, im]);
    if (k < check || re - exponents[0]![0] > -depth) continue;
    if (lines.reduce((sum, { line, count }) => sum + count * line.bound(t), 0) < -depth) return { c, step, count: k + 1, exponents };
    check = Math.ceil(1.1 * k);
  }
  throw new FinitewidthError("[numerics] the Mellin integral for the density of a product does not decay", { code: "not-converged" });
}

/**
 * log density of u = log q by p(u) = (2π)⁻¹ ∫ dt exp(log E q^{c+it} − (c + it)u) on the vertical line through the saddle point, trapezoidal
 * rule. Accurate to about 1e-13 (absolute + relative) in the far tails too. Cost of `mellinNodes`. Source: docs/theories/exact.md, "One
 * output"; docs/theories/residual.md §2.
 */
export function logDensityOfLogProduct(law: ProductLaw, u: number): number {
  const { step, exponents } = mellinNodes(law, u);
  const top = exponents[0]![0];
  let total = 1;
  for (let k = 1; k < exponents.length; k++) total += 2 * Math.exp(exponents[k]![0] - top) * Math.cos(exponents[k]![1]);
  return Math.log(step / (2 * Math.PI)) + top + Math.log(total);
}
