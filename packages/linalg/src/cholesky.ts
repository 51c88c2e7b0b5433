import { FinitewidthError, shapeError, type Matrix } from "@finitewidth/core";
import { backend } from "./backend.js";
import { squareSize } from "./validate.js";

/** A = L Lᵀ, lower triangular factor (zeros above the diagonal), and log det A. */
export interface Cholesky {
  readonly factor: Matrix;
  readonly logDeterminant: number;
}

/**
 * Cholesky factorisation of a symmetric positive definite n × n matrix (lower triangle read); in the array `out`, that of A allowed, where
 * it is given. @throws FinitewidthError (code "not-positive-definite") naming the failing pivot, (code "input") for NaN; `out` is then
 * undefined. O(n³/3).
 */
export function cholesky(a: Matrix, out?: Float64Array): Cholesky {
  const n = squareSize(a);
  const outcome = backend().cholesky(a, out);
  if ("pivot" in outcome) {
    const { pivot, value } = outcome;
    throw new FinitewidthError(
      `matrix is not positive definite: pivot ${pivot} of ${n} is ${value}; raise the temperature or remove duplicate inputs`,
      { code: Number.isFinite(value) ? "not-positive-definite" : "input" },
    );
  }
  const { factor } = outcome;
  let logDeterminant = 0;
  for (let i = 0; i < n; i++) logDeterminant += 2 * Math.log(factor.data[i * n + i]!);
  return { factor, logDeterminant };
}

function triangular(l: Matrix, b: Matrix, transposed: boolean): Matrix {
  const n = squareSize(l, "l");
  if (b.shape[0] !== n) throw shapeError("b", `${n} rows`, `${b.shape[0]} × ${b.shape[1]}`);
  return backend().solveTriangular(l, b, transposed);
}

/** L⁻¹ B for a lower triangular L (n × n) and B (n × m). O(n² m). */
export function solveLower(l: Matrix, b: Matrix): Matrix {
  return triangular(l, b, false);
}

/** L⁻ᵀ B for a lower triangular L. O(n² m). */
export function solveLowerTransposed(l: Matrix, b: Matrix): Matrix {
  return triangular(l, b, true);
}

/** A⁻¹ B from the Cholesky factor of A. O(n² m). */
export function solveCholesky(c: Cholesky, b: Matrix): Matrix {
  return solveLowerTransposed(c.factor, solveLower(c.factor, b));
}
