import type { QuadratureRule } from "./rule.js";

/** A rule on (0, 1) with the complements 1 − t of its nodes, computed separately so that neither end loses digits. */
export interface UnitIntervalRule extends QuadratureRule {
  readonly complements: Float64Array;
}

/**
 * Tanh–sinh rule on (0, 1): t = 1/(1 + exp(−π sinh x)), n equidistant x in [−reach, reach]. Exponentially convergent for integrands that
 * are analytic inside the interval, whatever their (integrable) singularities at the ends.
 */
export function tanhSinh(n: number, reach: number): UnitIntervalRule {
  const nodes = new Float64Array(n);
  const complements = new Float64Array(n);
  const weights = new Float64Array(n);
  const step = (2 * reach) / (n - 1);
  for (let i = 0; i < n; i++) {
    const x = -reach + i * step;
    const e = Math.exp(-Math.PI * Math.sinh(Math.abs(x)));
    const [small, large] = [e / (1 + e), 1 / (1 + e)];
    nodes[i] = x > 0 ? large : small;
    complements[i] = x > 0 ? small : large;
    weights[i] = step * Math.PI * Math.cosh(x) * small * large;
  }
  return { nodes, weights, complements };
}
