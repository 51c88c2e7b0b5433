import { zeros, type Matrix } from "@finitewidth/core";

/** n × n identity. */
export function identity(n: number): Matrix {
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) out.data[i * n + i] = 1;
  return out;
}

/** Square matrix with the given diagonal. */
export function diagonalMatrix(values: ArrayLike<number>): Matrix {
  const n = values.length;
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) out.data[i * n + i] = values[i]!;
  return out;
}

/** Diagonal of a square matrix, copied. */
export function diagonalOf(a: Matrix): Float64Array {
  const out = new Float64Array(a.shape[0]);
  for (let i = 0; i < out.length; i++) out[i] = a.data[i * out.length + i]!;
  return out;
}

/** αA + βB, elementwise. */
export function combine(alpha: number, a: Matrix, beta: number, b: Matrix): Matrix {
  const out = zeros(a.shape[0], a.shape[1]);
  for (let i = 0; i < out.data.length; i++) out.data[i] = alpha * a.data[i]! + beta * b.data[i]!;
  return out;
}

/** αA + β: every entry. */
export function affine(alpha: number, a: Matrix, beta = 0): Matrix {
  const data = new Float64Array(a.data.length);
  for (let i = 0; i < data.length; i++) data[i] = alpha * a.data[i]! + beta;
  return { data, shape: a.shape };
}

/** A + t·1 (identity). */
export function addDiagonal(a: Matrix, t: number): Matrix {
  const n = a.shape[0];
  const data = a.data.slice();
  for (let i = 0; i < n; i++) data[i * n + i]! += t;
  return { data, shape: a.shape };
}

/** Sum of the diagonal. */
export function trace(a: Matrix): number {
  const n = a.shape[0];
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a.data[i * n + i]!;
  return sum;
}

/** Σ A∘B over all entries, tr(AᵀB). */
export function innerProduct(a: Matrix, b: Matrix): number {
  return dot(a.data, b.data);
}

/** Σ a_i b_i of two vectors. O(n). */
export function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** A := A + αB. O(m n). */
export function addScaled(a: Matrix, b: Matrix, alpha = 1): void {
  for (let i = 0; i < a.data.length; i++) a.data[i]! += alpha * b.data[i]!;
}

/** diag(d) A. O(m n). */
export function scaleRows(a: Matrix, d: Float64Array): Matrix {
  const [rows, columns] = a.shape;
  const out = zeros(rows, columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.data[i * columns + j] = a.data[i * columns + j]! * d[i]!;
  return out;
}

/** A diag(d). O(m n). */
export function scaleColumns(a: Matrix, d: Float64Array): Matrix {
  const [rows, columns] = a.shape;
  const out = zeros(rows, columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out.data[i * columns + j] = a.data[i * columns + j]! * d[j]!;
  return out;
}

/** Frobenius norm. */
export function frobenius(a: Matrix): number {
  return Math.sqrt(innerProduct(a, a));
}

/** (A + Aᵀ)/2. */
export function symmetrise(a: Matrix): Matrix {
  const n = a.shape[0];
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) out.data[i * n + j] = 0.5 * (a.data[i * n + j]! + a.data[j * n + i]!);
  return out;
}

/** Copy of the block of rows [r0, r1) and columns [c0, c1). */
export function block(a: Matrix, r0: number, r1: number, c0: number, c1: number): Matrix {
  const columns = a.shape[1];
  const out = zeros(r1 - r0, c1 - c0);
  for (let i = r0, at = 0; i < r1; i++) for (let j = i * columns + c0; j < i * columns + c1; j++) out.data[at++] = a.data[j]!;
  return out;
}

/** Aᵀ. */
export function transpose(a: Matrix): Matrix {
  const [m, n] = a.shape;
  const out = zeros(n, m);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out.data[j * m + i] = a.data[i * n + j]!;
  return out;
}
