import { zeros, type Matrix } from "@finitewidth/core";

/** A B, Aᵀ B or A Bᵀ; a product with one column and A Bᵀ by dot products of rows, the others row by row of B. */
export function multiply(a: Matrix, b: Matrix, transposed: "none" | "left" | "right"): Matrix {
  if (transposed === "right") return multiplyRows(a, b);
  if (transposed === "none" && b.shape[1] === 1) return multiplyRows(a, { data: b.data, shape: [1, b.shape[0]] });
  const [rows, columns] = a.shape;
  const [m, k, down, across] = transposed === "left" ? [columns, rows, 1, columns] : [rows, columns, columns, 1];
  const n = b.shape[1];
  const out = zeros(m, n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const value = a.data[i * down + p * across]!;
      for (let from = p * n, to = i * n; from < (p + 1) * n; from++, to++) out.data[to]! += value * b.data[from]!;
    }
  }
  return out;
}

function multiplyRows(a: Matrix, b: Matrix): Matrix {
  const [m, k] = a.shape;
  const n = b.shape[0];
  const out = zeros(m, n);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += a.data[i * k + p]! * b.data[j * k + p]!;
      out.data[i * n + j] = sum;
    }
  }
  return out;
}

/** X Xᵀ, both triangles written from one sum. */
export function gram(x: Matrix): Matrix {
  const [m, k] = x.shape;
  const out = zeros(m, m);
  for (let i = 0; i < m; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = 0;
      for (let p = 0; p < k; p++) sum += x.data[i * k + p]! * x.data[j * k + p]!;
      out.data[i * m + j] = sum;
      out.data[j * m + i] = sum;
    }
  }
  return out;
}
