import type { Matrix } from "@finitewidth/core";
import {
  affine,
  combine,
  diagonalMatrix,
  innerProduct,
  multiply,
  multiplyTransposedRight,
  symmetricEigen,
  symmetrise,
} from "@finitewidth/linalg";
import { applyHessian, type LinearState } from "./linear-state.js";

/**
 * Steihaug's conjugate gradients: the step within `radius` in the norm of `curvature`, and the decrease that the quadratic model promises.
 */
export function trustedStep(
  state: LinearState,
  strength: number,
  radius: number,
  tolerance: number,
): { readonly step: Matrix; readonly promised: number; readonly atBoundary: boolean } {
  const { gradient, curvature } = state;
  const norm2 = (m: Matrix): number => m.data.reduce((sum, value, i) => sum + curvature.data[i]! * value * value, 0);
  const precondition = (m: Matrix): Matrix => ({ data: m.data.map((value, i) => value / curvature.data[i]!), shape: m.shape });
  let step = affine(0, gradient);
  let residual = gradient;
  let z = precondition(residual);
  let direction = affine(-1, z);
  let size = innerProduct(residual, z);
  const goal = tolerance * tolerance * size;
  let promised = 0;
  for (let iteration = 0; iteration < 2 * gradient.data.length + 10; iteration++) {
    const product = applyHessian(state, strength, direction);
    const bend = innerProduct(direction, product);
    const alpha = size / bend;
    const next = combine(1, step, alpha, direction);
    if (!(bend > 0) || norm2(next) >= radius * radius) {
      // to the boundary along this direction
      const a = norm2(direction);
      const b = step.data.reduce((sum, value, i) => sum + curvature.data[i]! * value * direction.data[i]!, 0);
      const tau = (-b + Math.sqrt(b * b + a * Math.max(radius * radius - norm2(step), 0))) / a;
      promised -= tau * innerProduct(direction, residual) + 0.5 * tau * tau * bend;
      return { step: combine(1, step, tau, direction), promised, atBoundary: true };
    }
    promised -= alpha * innerProduct(direction, residual) + 0.5 * alpha * alpha * bend;
    step = next;
    residual = combine(1, residual, alpha, product);
    z = precondition(residual);
    const after = innerProduct(residual, z);
    if (after <= goal) break;
    direction = combine(-1, z, after / size, direction);
    size = after;
  }
  return { step, promised, atBoundary: false };
}

/** Z exp(E/2), whose Gram matrix is Z exp(E) Zᵀ. */
export function moveRoot(root: Matrix, step: Matrix): Matrix {
  const { values, vectors } = symmetricEigen(symmetrise(step));
  return multiply(root, multiplyTransposedRight(multiply(vectors, diagonalMatrix(values.map((value) => Math.exp(0.5 * value)))), vectors));
}
