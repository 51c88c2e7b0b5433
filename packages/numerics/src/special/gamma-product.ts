import { inputError } from "@finitewidth/core";
import { gammaFactor } from "../product-law/gamma-factor.js";
import { logDensityOfLogProduct } from "../product-law/product-law.js";
import { stirlingTail } from "./complex-log-gamma.js";
import { logGamma } from "./gamma.js";

/**
 * log density of u = log Π g_l for independent g_l ~ Gamma(shape a_l, rate b_l), by `logDensityOfLogProduct`; closed form for one factor.
 * Cost: 20–300 complex log-gammas per factor. @throws FinitewidthError (code "input") for shapes or rates ≤ 0, or u not finite.
 * Source: docs/theories/exact.md, "One output".
 */
export function logDensityLogGammaProduct(u: number, shapes: readonly number[], rates: readonly number[]): number {
  if (!Number.isFinite(u)) throw inputError("u", "a finite number", u);
  if (shapes.length === 0 || rates.length !== shapes.length)
    throw inputError("shapes, rates", "lists of the same length, at least 1", [shapes.length, rates.length]);
  for (const value of [...shapes, ...rates])
    if (!(value > 0 && Number.isFinite(value))) throw inputError("shapes, rates", "positive numbers", value);
  if (shapes.length === 1) {
    const [a, b] = [shapes[0]!, rates[0]!];
    if (a < 20) return a * (u + Math.log(b)) - b * Math.exp(u) - logGamma(a);
    // with w = u − log(a/b): a (w − e^w + 1) + ½ log(a/2π) − tail(a), no large terms
    const w = u - Math.log(a / b);
    return a * (w - Math.expm1(w)) + 0.5 * Math.log(a / (2 * Math.PI)) - stirlingTail(a, 0)[0];
  }
  const factors = [...new Set(shapes)].map((shape) => ({
    factor: gammaFactor(shape, 1),
    count: shapes.filter((other) => other === shape).length,
  }));
  const shift = shapes.reduce((sum, a, l) => sum + Math.log(a / rates[l]!), 0);
  return logDensityOfLogProduct({ factors, shift }, u);
}
