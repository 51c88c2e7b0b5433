import { zeros, type Matrix } from "@finitewidth/core";
import type { CholeskyOutcome } from "../backend.js";

/** Row-by-row Cholesky factorisation. */
export function cholesky(a: Matrix, out?: Float64Array): CholeskyOutcome {
  const n = a.shape[0];
  const factor = out ? { data: out, shape: a.shape } : zeros(n, n);
  const l = factor.data;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a.data[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      if (j < i) l[i * n + j] = sum / l[j * n + j]!;
      else if (sum > 0 && sum < Infinity) l[i * n + i] = Math.sqrt(sum);
      else return { pivot: i, value: sum };
    }
    l.fill(0, i * n + i + 1, (i + 1) * n);
  }
  return { factor };
}

/** Forward substitution L X = B, or back substitution Lᵀ X = B. */
export function solveTriangular(l: Matrix, b: Matrix, transposed: boolean): Matrix {
  const [n, m] = b.shape;
  if (m === 1) return { data: solveVector(l.data, b.data, n, transposed), shape: b.shape };
  const x = b.data.slice();
  for (let step = 0; step < n; step++) {
    const i = transposed ? n - 1 - step : step;
    const pivot = l.data[i * n + i]!;
    if (transposed) {
      for (let j = 0; j < m; j++) x[i * m + j]! /= pivot;
      for (let k = 0; k < i; k++) {
        const value = l.data[i * n + k]!;
        for (let j = 0; j < m; j++) x[k * m + j]! -= value * x[i * m + j]!;
      }
    } else {
      for (let k = 0; k < i; k++) {
        const value = l.data[i * n + k]!;
        for (let j = 0; j < m; j++) x[i * m + j]! -= value * x[k * m + j]!;
      }
      for (let j = 0; j < m; j++) x[i * m + j]! /= pivot;
    }
  }
  return { data: x, shape: b.shape };
}

// One right-hand side, along the rows of L in both directions.
function solveVector(l: Float64Array, b: Float64Array, n: number, transposed: boolean): Float64Array {
  const x = b.slice();
  for (let step = 0; step < n; step++) {
    const i = transposed ? n - 1 - step : step;
    const row = i * n;
    if (transposed) {
      const value = x[i]! / l[row + i]!;
      x[i] = value;
      for (let k = 0; k < i; k++) x[k]! -= value * l[row + k]!;
    } else {
      let sum = x[i]!;
      for (let k = 0; k < i; k++) sum -= l[row + k]! * x[k]!;
      x[i] = sum / l[row + i]!;
    }
  }
  return x;
}
