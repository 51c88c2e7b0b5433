import { inputError } from "@finitewidth/core";
import type { QuadratureRule } from "./rule.js";

/**
 * Gauss–Legendre rule with n nodes on [from, to], exact for polynomials of degree 2n − 1. Newton's iteration on P_n from Tricomi's start;
 * nodes and weights to a few 1e-16. O(n²). @throws FinitewidthError (code "input") unless n is a whole number ≥ 1.
 */
export function gaussLegendre(n: number, from = -1, to = 1): QuadratureRule {
  if (!(Number.isInteger(n) && n >= 1)) throw inputError("n", "a whole number ≥ 1", n);
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  const centre = 0.5 * (from + to);
  const half = 0.5 * (to - from);
  for (let i = 0; 2 * i < n; i++) {
    let x = 2 * i + 1 === n ? 0 : Math.cos((Math.PI * (i + 0.75)) / (n + 0.5)) * (1 - (n - 1) / (8 * n ** 3));
    let slope = 1;
    for (let iteration = 0; iteration < 10; iteration++) {
      let previous = 0;
      let value = 1;
      for (let k = 0; k < n; k++) [previous, value] = [value, ((2 * k + 1) * x * value - k * previous) / (k + 1)];
      slope = (n * (previous - x * value)) / (1 - x * x);
      const step = value / slope;
      x -= step;
      if (Math.abs(step) <= 1e-15) break;
    }
    const weight = (2 * half) / ((1 - x * x) * slope * slope);
    nodes[i] = centre - half * x;
    nodes[n - 1 - i] = centre + half * x;
    weights[i] = weight;
    weights[n - 1 - i] = weight;
  }
  return { nodes, weights };
}
