import { zeros, type Matrix } from "@finitewidth/core";
import { addDiagonal, gram, multiply, multiplyTransposedLeft, multiplyTransposedRight } from "../src/index.js";

/** Deterministic uniform numbers in (−1, 1): a 32-bit mixing generator (mulberry32), enough for test matrices. */
export function uniforms(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}

/** m × n matrix of uniform numbers in (−1, 1). */
export function randomMatrix(m: number, n: number, seed = 1): Matrix {
  const out = zeros(m, n);
  const next = uniforms(seed);
  for (let i = 0; i < out.data.length; i++) out.data[i] = next();
  return out;
}

/** Symmetric n × n matrix of uniform numbers. */
export function randomSymmetric(n: number, seed = 1): Matrix {
  const a = randomMatrix(n, n, seed);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a.data[j * n + i] = a.data[i * n + j]!;
  return a;
}

/** X Xᵀ/k + t for a random n × k X. */
export function randomPositive(n: number, k: number, t: number, seed = 1): Matrix {
  const g = gram(randomMatrix(n, k, seed));
  return addDiagonal({ data: g.data.map((value) => value / k), shape: g.shape }, t);
}

/** Random orthogonal matrix: Gram–Schmidt, twice, of the rows of a random matrix. */
export function randomOrthogonal(n: number, seed = 1): Matrix {
  const q = randomMatrix(n, n, seed);
  for (let i = 0; i < n; i++) {
    const row = q.data.subarray(i * n, (i + 1) * n);
    for (let pass = 0; pass < 2; pass++) {
      for (let k = 0; k < i; k++) {
        let overlap = 0;
        for (let j = 0; j < n; j++) overlap += q.data[k * n + j]! * row[j]!;
        for (let j = 0; j < n; j++) row[j]! -= overlap * q.data[k * n + j]!;
      }
      let norm = 0;
      for (let j = 0; j < n; j++) norm += row[j]! ** 2;
      for (let j = 0; j < n; j++) row[j]! /= Math.sqrt(norm);
    }
  }
  return q;
}

/** V diag(values) Vᵀ with a random orthogonal V, exactly symmetric. */
export function withSpectrum(values: readonly number[], seed = 1): Matrix {
  const n = values.length;
  const v = randomOrthogonal(n, seed);
  const scaled = { data: v.data.map((value, i) => value * values[i % n]!), shape: v.shape };
  const a = multiplyTransposedRight(scaled, v);
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) a.data[j * n + i] = a.data[i * n + j]!;
  return a;
}

/** Largest |a − b|. */
export function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = a.length === b.length ? 0 : Infinity;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= most)) most = difference;
  }
  return most;
}

/** Largest entry of |AᵀA − 1|. */
export function orthogonalityError(a: Matrix): number {
  const n = a.shape[1];
  const g = multiplyTransposedLeft(a, a);
  for (let i = 0; i < n; i++) g.data[i * n + i]! -= 1;
  return maxDifference(g.data, new Float64Array(n * n));
}

/** Largest entry of |A V − V diag(values)|, relative to the largest |value|. */
export function eigenResidual(a: Matrix, values: Float64Array, vectors: Matrix): number {
  const n = values.length;
  const image = multiply(a, vectors);
  const scaled = vectors.data.map((value, i) => value * values[i % n]!);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return maxDifference(image.data, scaled) / (largest || 1);
}
