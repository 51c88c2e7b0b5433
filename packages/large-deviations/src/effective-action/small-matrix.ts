import { zeros, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft, multiplyTransposedRight, symmetricEigen, symmetrise, type SymmetricEigen } from "@finitewidth/linalg";

/** V f(λ) Vᵀ, symmetric. */
export function spectralFunction({ values, vectors }: SymmetricEigen, f: (value: number) => number): Matrix {
  const n = values.length;
  const scaled = zeros(n, n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) scaled.data[i * n + j] = vectors.data[i * n + j]! * f(values[j]!);
  return symmetrise(multiplyTransposedRight(scaled, vectors));
}

/** A B A for symmetric A, B. */
export const congruence = (a: Matrix, b: Matrix): Matrix => symmetrise(multiply(multiply(a, b), a));

/** Vᵀ B V. */
export const rotateInto = (vectors: Matrix, b: Matrix): Matrix => symmetrise(multiplyTransposedLeft(vectors, multiply(b, vectors)));

/** V B Vᵀ. */
export const rotateBack = (vectors: Matrix, b: Matrix): Matrix => symmetrise(multiplyTransposedRight(multiply(vectors, b), vectors));

/** a + t b, entry by entry. */
export const plus = (a: Matrix, b: Matrix, t = 1): Matrix => ({ data: a.data.map((value, i) => value + t * b.data[i]!), shape: a.shape });

/** Largest |entry|. */
export const largest = (a: Matrix): number => a.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/**
 * Minimiser of tr(HQ) − log det Q + tr(Q⁻¹C): the positive definite solution of QHQ − Q − C = 0,
 * Q = H^{−½}[½ + (¼ + H^{½} C H^{½})^{½}]H^{−½}. O(n³).
 */
export function riccatiMinimiser(h: Matrix, c: Matrix): Matrix {
  const eigen = symmetricEigen(h);
  const root = spectralFunction(eigen, Math.sqrt);
  const inverseRoot = spectralFunction(eigen, (value) => 1 / Math.sqrt(value));
  const middle = spectralFunction(symmetricEigen(congruence(root, c)), (value) => 0.5 + Math.sqrt(0.25 + Math.max(value, 0)));
  return congruence(inverseRoot, middle);
}
