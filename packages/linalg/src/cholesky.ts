import { FinitewidthError, shapeError, zeros, type Matrix } from "@finitewidth/core";

/** A = L Lᵀ, lower triangular factor (zeros above the diagonal), and log det A. */
export interface Cholesky {
  readonly factor: Matrix;
  readonly logDeterminant: number;
}

/**
 * Cholesky factorisation of a symmetric positive definite n × n matrix (lower triangle read).
 * @throws FinitewidthError (code "not-positive-definite") naming the failing pivot, (code "input") for NaN. O(n³/3).
 */
export function cholesky(a: Matrix): Cholesky {
  const n = a.shape[0];
  if (a.shape[1] !== n) throw shapeError("a", "a square matrix", `${n} × ${a.shape[1]}`);
  const factor = zeros(n, n);
  const l = factor.data;
  let logDeterminant = 0;
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = a.data[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      if (i > j) l[i * n + j] = sum / l[j * n + j]!;
      else if (sum > 0) {
        l[j * n + j] = Math.sqrt(sum);
        logDeterminant += Math.log(sum);
      } else {
        throw new FinitewidthError(`matrix is not positive definite: pivot ${j} of ${n} is ${sum}; raise the temperature or remove duplicate inputs`, {
          code: Number.isNaN(sum) ? "input" : "not-positive-definite",
        });
      }
    }
  }
  return { factor, logDeterminant };
}

/** L⁻¹ B for a lower triangular L (n × n) and B (n × m). O(n² m). */
export function solveLower(l: Matrix, b: Matrix): Matrix {
  const [n, m] = b.shape;
  const x = b.data.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const value = l.data[i * n + k]!;
      if (value !== 0) for (let j = 0; j < m; j++) x[i * m + j]! -= value * x[k * m + j]!;
    }
    const pivot = l.data[i * n + i]!;
    for (let j = 0; j < m; j++) x[i * m + j]! /= pivot;
  }
  return { data: x, shape: b.shape };
}

/** L⁻ᵀ B for a lower triangular L. O(n² m). */
export function solveLowerTransposed(l: Matrix, b: Matrix): Matrix {
  const [n, m] = b.shape;
  const x = b.data.slice();
  for (let i = n - 1; i >= 0; i--) {
    const pivot = l.data[i * n + i]!;
    for (let j = 0; j < m; j++) x[i * m + j]! /= pivot;
    for (let k = 0; k < i; k++) {
      const value = l.data[i * n + k]!;
      if (value !== 0) for (let j = 0; j < m; j++) x[k * m + j]! -= value * x[i * m + j]!;
    }
  }
  return { data: x, shape: b.shape };
}

/** A⁻¹ B from the Cholesky factor of A. O(n² m). */
export function solveCholesky(c: Cholesky, b: Matrix): Matrix {
  return solveLowerTransposed(c.factor, solveLower(c.factor, b));
}
