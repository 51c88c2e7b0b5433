import { applyAdjointSlopes, applySlopes, kernelSlopes } from "@finitewidth/activations";
import type { Activation, Matrix } from "@finitewidth/core";
import { combine, multiply, symmetrise } from "@finitewidth/linalg";

/**
 * Second-chaos part of the four-point contraction: 2 J(C)[C B C] with B = Jᵀ(C)[A]; all of Cov_{N(0,C)}[φφᵀ, φᵀAφ] for linear φ. P × P,
 * O(P³). Source: docs/theories/forward-backward.md, "First order".
 */
export function secondChaos(activation: Activation, kernel: Matrix, conjugate: Matrix): Matrix {
  const slopes = kernelSlopes(activation, kernel);
  const b = applyAdjointSlopes(slopes, conjugate);
  const change = symmetrise(multiply(kernel, multiply(b, kernel)));
  return applySlopes(slopes, combine(2, change, 0, change));
}
