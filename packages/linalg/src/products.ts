import { shapeError, zeros, type Matrix } from "@finitewidth/core";

/** A B: (m × k)(k × n). @throws FinitewidthError (code "shape") when the inner sizes differ. O(m k n). */
export function multiply(a: Matrix, b: Matrix): Matrix {
  const [m, k] = a.shape;
  const n = b.shape[1];
  if (b.shape[0] !== k) throw shapeError("b", `${k} rows`, `${b.shape[0]} × ${n}`);
  const out = zeros(m, n);
  for (let i = 0; i < m; i++) {
    for (let p = 0; p < k; p++) {
      const value = a.data[i * k + p]!;
      if (value === 0) continue;
      for (let j = 0; j < n; j++) out.data[i * n + j]! += value * b.data[p * n + j]!;
    }
  }
  return out;
}

/** Aᵀ B: (k × m)ᵀ(k × n). O(m k n). */
export function multiplyTransposedLeft(a: Matrix, b: Matrix): Matrix {
  return multiply(transpose(a), b);
}

/** A Bᵀ: (m × k)(n × k)ᵀ. O(m k n). */
export function multiplyTransposedRight(a: Matrix, b: Matrix): Matrix {
  return multiply(a, transpose(b));
}

/** X Xᵀ of an m × k matrix, exactly symmetric. O(m² k / 2). */
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

/** A x for a vector x. O(m n). */
export function multiplyVector(a: Matrix, x: Float64Array): Float64Array {
  const [m, n] = a.shape;
  if (x.length !== n) throw shapeError("x", `${n} numbers`, `${x.length}`);
  const out = new Float64Array(m);
  for (let i = 0; i < m; i++) {
    let sum = 0;
    for (let j = 0; j < n; j++) sum += a.data[i * n + j]! * x[j]!;
    out[i] = sum;
  }
  return out;
}

/** Aᵀ. */
export function transpose(a: Matrix): Matrix {
  const [m, n] = a.shape;
  const out = zeros(n, m);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) out.data[j * m + i] = a.data[i * n + j]!;
  return out;
}
