import { inputError } from "@finitewidth/core";
import type { QuadratureRule } from "./rule.js";

/** Normalised Hermite polynomials He_n(x)/√n!, n = 0 … order, of the weight exp(−x²/2)/√(2π), written into `out`. */
export function hermitePolynomials(order: number, x: number, out: Float64Array): Float64Array {
  out[0] = 1;
  if (order >= 1) out[1] = x;
  for (let n = 1; n < order; n++) out[n + 1] = (x * out[n]! - Math.sqrt(n) * out[n - 1]!) / Math.sqrt(n + 1);
  return out;
}

/**
 * Gauss–Hermite rule of the standard normal weight: Σ w_i f(x_i) ≈ E f(z), z ~ N(0, 1), exact for polynomials of degree 2n − 1. Newton's
 * iteration on He_n with the roots already found divided out, largest first; nodes and weights to a few 1e-16. O(n²) per root. @throws
 * FinitewidthError (code "input") unless n is a whole number in 1 … 200.
 */
export function gaussHermite(n: number): QuadratureRule {
  if (!(Number.isInteger(n) && n >= 1 && n <= 200)) throw inputError("n", "a whole number in 1 … 200", n);
  const nodes = new Float64Array(n);
  const weights = new Float64Array(n);
  const found: number[] = [];
  const pairs = Math.floor(n / 2);
  // above the largest root, from where Newton with deflation falls monotonically onto the next root
  let x = Math.sqrt(4 * n + 2);
  for (let i = 0; i < pairs; i++) {
    for (let iteration = 0; iteration < 200; iteration++) {
      const [value, previous] = scaledHermite(n, x);
      let logarithmicSlope = (Math.sqrt(n) * previous) / value;
      for (const root of found) logarithmicSlope -= 1 / (x - root) + 1 / (x + root);
      const step = 1 / logarithmicSlope;
      x -= step;
      if (!(Math.abs(step) > 1e-14 * (1 + x))) break;
    }
    for (let polish = 0; polish < 2; polish++) {
      const [value, previous] = scaledHermite(n, x);
      x -= value / (Math.sqrt(n) * previous);
    }
    found.push(x);
    nodes[i] = -x;
    nodes[n - 1 - i] = x;
    x -= 1e-7;
  }
  // w_i = 1/(n p_{n−1}(x_i)²), in the scaled form w_i = exp(−x²/2)/(n q²) with q = p exp(−x²/4)
  for (let i = 0; i < n; i++) {
    const [, previous] = scaledHermite(n, nodes[i]!);
    weights[i] = Math.exp(-0.5 * nodes[i]! ** 2) / (n * previous * previous);
  }
  return { nodes, weights };
}

/** He_n(x)/√n! and He_{n−1}(x)/√(n−1)!, both times exp(−x²/4). */
function scaledHermite(n: number, x: number): readonly [value: number, previous: number] {
  let previous = 0;
  let value = Math.exp(-0.25 * x * x);
  for (let k = 0; k < n; k++) [previous, value] = [value, (x * value - Math.sqrt(k) * previous) / Math.sqrt(k + 1)];
  return [value, previous];
}
