import { zeros, type Matrix } from "@finitewidth/core";
import { transpose } from "../elementary.js";
import type { Tridiagonalisation } from "../tridiagonal.js";

/** Power of two near 1/max|a|, so that squares neither overflow nor vanish and scaling is exact; 1 for a zero matrix. */
export function safeScale(data: Float64Array): number {
  let largest = 0;
  for (let i = 0; i < data.length; i++) largest = Math.max(largest, Math.abs(data[i]!));
  if (largest === 0 || (largest > 1e-100 && largest < 1e100)) return 1;
  return 2 ** -Math.max(-1000, Math.min(1000, Math.floor(Math.log2(largest))));
}

/** Householder reduction, one column at a time, on the upper triangle of a mirrored copy so that every inner loop runs along a row. */
export function tridiagonalise(a: Matrix): Tridiagonalisation {
  const n = a.shape[0];
  const scale = safeScale(a.data);
  const work = new Float64Array(n * n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) work[j * n + i] = a.data[i * n + j]! * scale;
  const diagonal = new Float64Array(n);
  const offDiagonal = new Float64Array(Math.max(n - 1, 0));
  const scales = new Float64Array(n);
  const reflectors = zeros(n, n);
  const product = new Float64Array(n);
  for (let k = 0; k + 2 < n; k++) {
    const v = reflectors.data.subarray(k * n, (k + 1) * n);
    let tail = 0;
    for (let j = k + 2; j < n; j++) tail += work[k * n + j]! ** 2;
    const head = work[k * n + k + 1]!;
    if (tail === 0) {
      offDiagonal[k] = head;
      continue;
    }
    const beta = head >= 0 ? -Math.sqrt(head * head + tail) : Math.sqrt(head * head + tail);
    const tau = (beta - head) / beta;
    const inverse = 1 / (head - beta);
    v[k + 1] = 1;
    for (let j = k + 2; j < n; j++) v[j] = work[k * n + j]! * inverse;
    scales[k] = tau;
    offDiagonal[k] = beta;
    product.fill(0, k + 1);
    for (let i = k + 1; i < n; i++) {
      const row = i * n;
      const vi = v[i]!;
      let sum = work[row + i]! * vi;
      for (let j = i + 1; j < n; j++) {
        const value = work[row + j]!;
        sum += value * v[j]!;
        product[j]! += value * vi;
      }
      product[i]! += sum;
    }
    let overlap = 0;
    for (let i = k + 1; i < n; i++) overlap += product[i]! * v[i]!;
    const shift = 0.5 * tau * tau * overlap;
    for (let i = k + 1; i < n; i++) product[i] = tau * product[i]! - shift * v[i]!;
    for (let i = k + 1; i < n; i++) {
      const row = i * n;
      const vi = v[i]!;
      const wi = product[i]!;
      for (let j = i; j < n; j++) work[row + j]! -= vi * product[j]! + wi * v[j]!;
    }
  }
  if (n >= 2) offDiagonal[n - 2] = work[(n - 2) * n + n - 1]!;
  for (let i = 0; i < n; i++) diagonal[i] = work[i * n + i]! / scale;
  for (let i = 0; i + 1 < n; i++) offDiagonal[i]! /= scale;
  return { diagonal, offDiagonal, reflectors, scales };
}

/** Q B = H₀(H₁(… B)), or Qᵀ B in the opposite order, column by column of B so that every inner loop runs along contiguous numbers. */
export function applyReflectors(t: Tridiagonalisation, b: Matrix, transposed: boolean): Matrix {
  const [n, m] = b.shape;
  const columns = m === 1 ? b.data.slice() : transpose(b).data;
  for (let step = 0; step + 2 < n; step++) {
    const k = transposed ? step : n - 3 - step;
    const tau = t.scales[k]!;
    if (tau === 0) continue;
    const v = t.reflectors.data.subarray(k * n, (k + 1) * n);
    for (let offset = 0; offset < n * m; offset += n) {
      let overlap = 0;
      for (let i = k + 1; i < n; i++) overlap += v[i]! * columns[offset + i]!;
      overlap *= tau;
      for (let i = k + 1; i < n; i++) columns[offset + i]! -= overlap * v[i]!;
    }
  }
  return m === 1 ? { data: columns, shape: b.shape } : transpose({ data: columns, shape: [m, n] });
}
