import { FinitewidthError, shapeError, type Matrix } from "@finitewidth/core";
import { requireFinite, squareSize } from "./validate.js";

/** P A = L U with partial pivoting: unit lower L and upper U in one matrix, row i of P A is row `permutation[i]` of A. */
export interface Lu {
  readonly factors: Matrix;
  readonly permutation: Int32Array;
  /** log |det A|, −∞ for a singular matrix. */
  readonly logAbsoluteDeterminant: number;
  /** Sign of det A: 1, −1, or 0 for a singular matrix. */
  readonly determinantSign: number;
}

/**
 * LU factorisation of a general square matrix; a singular one is factorised too. @throws FinitewidthError (code "input") for NaN. 2n³/3
 * flops.
 */
export function lu(a: Matrix): Lu {
  const n = squareSize(a);
  requireFinite(a);
  const data = a.data.slice();
  const permutation = Int32Array.from({ length: n }, (_, i) => i);
  let logAbsoluteDeterminant = 0;
  let determinantSign = 1;
  for (let k = 0; k < n; k++) {
    let p = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(data[i * n + k]!) > Math.abs(data[p * n + k]!)) p = i;
    if (p !== k) {
      const row = data.slice(k * n, (k + 1) * n);
      data.copyWithin(k * n, p * n, (p + 1) * n);
      data.set(row, p * n);
      [permutation[k], permutation[p]] = [permutation[p]!, permutation[k]!];
      determinantSign = -determinantSign;
    }
    const pivot = data[k * n + k]!;
    logAbsoluteDeterminant += Math.log(Math.abs(pivot));
    determinantSign *= Math.sign(pivot);
    if (pivot === 0) continue;
    for (let i = k + 1; i < n; i++) {
      const multiplier = data[i * n + k]! / pivot;
      data[i * n + k] = multiplier;
      if (multiplier !== 0) for (let j = k + 1; j < n; j++) data[i * n + j]! -= multiplier * data[k * n + j]!;
    }
  }
  return { factors: { data, shape: a.shape }, permutation, logAbsoluteDeterminant, determinantSign };
}

/** A⁻¹ B from the LU factors of A. @throws FinitewidthError (code "input") naming the pivot when A is singular. O(n² m). */
export function solveLu(factorisation: Lu, b: Matrix): Matrix {
  const { factors, permutation } = factorisation;
  const [n, m] = [factors.shape[0], b.shape[1]];
  if (b.shape[0] !== n) throw shapeError("b", `${n} rows`, `${b.shape[0]} × ${m}`);
  const x = new Float64Array(n * m);
  for (let i = 0; i < n; i++) x.set(b.data.subarray(permutation[i]! * m, (permutation[i]! + 1) * m), i * m);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const value = factors.data[i * n + k]!;
      for (let j = 0; j < m; j++) x[i * m + j]! -= value * x[k * m + j]!;
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) {
      const value = factors.data[i * n + k]!;
      for (let j = 0; j < m; j++) x[i * m + j]! -= value * x[k * m + j]!;
    }
    const pivot = factors.data[i * n + i]!;
    if (pivot === 0) throw new FinitewidthError(`matrix is singular: pivot ${i} of ${n} is 0`, { code: "input" });
    for (let j = 0; j < m; j++) x[i * m + j]! /= pivot;
  }
  return { data: x, shape: b.shape };
}

/**
 * A⁻¹ B for a general square A, by LU with partial pivoting. @throws FinitewidthError (code "input") when A is singular or not finite.
 * O(n³).
 */
export function solve(a: Matrix, b: Matrix): Matrix {
  return solveLu(lu(a), b);
}
