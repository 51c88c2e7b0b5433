import { zeros, type Matrix } from "@finitewidth/core";
import {
  combine,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  symmetricEigen,
  symmetrise,
  type SymmetricEigen,
} from "@finitewidth/linalg";

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

/** a + t b. */
export const plus = (a: Matrix, b: Matrix, t = 1): Matrix => combine(1, a, t, b);

/** Largest |entry|. */
export const largest = (a: Matrix): number => a.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/**
 * Minimiser of tr(HQ) − κ log det Q + tr(Q⁻¹C): the positive definite solution of QHQ − κQ − C = 0,
 * Q = H^{−½}[κ/2 + (κ²/4 + H^{½} C H^{½})^{½}]H^{−½}. κ = 1 unless given; for κ < 0, C must be positive definite. O(n³).
 */
export function riccatiMinimiser(h: Matrix, c: Matrix, kappa = 1): Matrix {
  const eigen = symmetricEigen(h);
  const root = spectralFunction(eigen, Math.sqrt);
  const inverseRoot = spectralFunction(eigen, (value) => 1 / Math.sqrt(value));
  const solution = (value: number): number => {
    const radius = Math.hypot(0.5 * kappa, Math.sqrt(Math.max(value, 0)));
    return kappa >= 0 ? 0.5 * kappa + radius : Math.max(value, 0) / (radius - 0.5 * kappa);
  };
  return congruence(inverseRoot, spectralFunction(symmetricEigen(congruence(root, c)), solution));
}

/** A⁻¹ of a symmetric positive definite matrix. */
export const symmetricInverse = (a: Matrix): Matrix => spectralFunction(symmetricEigen(a), (value) => 1 / value);
