import { zeros, type Matrix } from "@finitewidth/core";
import type { CholeskyOutcome } from "../backend.js";

/** Row-by-row Cholesky factorisation. */
export function cholesky(a: Matrix): CholeskyOutcome {
  const n = a.shape[0];
  const factor = zeros(n, n);
  const l = factor.data;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a.data[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= l[i * n + k]! * l[j * n + k]!;
      if (j < i) l[i * n + j] = sum / l[j * n + j]!;
      else if (sum > 0 && sum < Infinity) l[i * n + i] = Math.sqrt(sum);
      else return { pivot: i, value: sum };
    }
  }
  return { factor };
}

/** Forward substitution L X = B, or back substitution Lᵀ X = B. */
export function solveTriangular(l: Matrix, b: Matrix, transposed: boolean): Matrix {
  const [n, m] = b.shape;
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
