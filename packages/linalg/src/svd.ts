import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import { transpose } from "./elementary.js";
import { requireFinite } from "./validate.js";

/** A = U diag(values) Vᵀ with k = min(m, n) columns in U (m × k) and V (n × k), values descending. */
export interface ThinSvd {
  readonly left: Matrix;
  readonly values: Float64Array;
  readonly right: Matrix;
}

const sweepLimit = 60;

/** Orthonormal rows in place of the zero rows `from`… of a set of orthonormal rows: coordinate vectors, orthogonalised twice. */
function completeRows(rows: Float64Array, count: number, length: number, from: number): void {
  let next = 0;
  for (let i = from; i < count; i++) {
    for (; next < length; next++) {
      const row = rows.subarray(i * length, (i + 1) * length);
      row.fill(0);
      row[next] = 1;
      for (let pass = 0; pass < 2; pass++) {
        for (let k = 0; k < i; k++) {
          const other = rows.subarray(k * length, (k + 1) * length);
          let overlap = 0;
          for (let j = 0; j < length; j++) overlap += other[j]! * row[j]!;
          for (let j = 0; j < length; j++) row[j]! -= overlap * other[j]!;
        }
      }
      const norm = Math.hypot(...row);
      if (norm > 0.5 / Math.sqrt(length)) {
        for (let j = 0; j < length; j++) row[j]! /= norm;
        next++;
        break;
      }
    }
  }
}

/**
 * Thin singular value decomposition by one-sided Jacobi rotations (Hestenes), accurate for small singular values too; rank-deficient
 * and zero matrices keep orthonormal U and V. @throws FinitewidthError (code "input") for NaN, (code "not-converged"). About 5–10 sweeps of
 * 6 m k² flops.
 */
export function thinSvd(a: Matrix): ThinSvd {
  requireFinite(a);
  const [m, n] = a.shape;
  if (m < n) {
    const { left, values, right } = thinSvd(transpose(a));
    return { left: right, values, right: left };
  }
  // Rows of `columns` are the columns of A: rotations run along contiguous memory.
  const columns = transpose(a).data;
  const rotation = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rotation[i * n + i] = 1;
  const largest = columns.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest > 0) for (let i = 0; i < columns.length; i++) columns[i]! /= largest;
  let rotated = true;
  for (let sweep = 0; rotated && sweep < sweepLimit; sweep++) {
    rotated = false;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) rotated = rotatePair(columns, m, rotation, n, p, q) || rotated;
    }
  }
  if (rotated)
    throw new FinitewidthError(`singular values of a ${m} × ${n} matrix did not converge in ${sweepLimit} Jacobi sweeps`, {
      code: "not-converged",
    });
  const norms = Float64Array.from({ length: n }, (_, i) =>
    Math.sqrt(columns.subarray(i * m, (i + 1) * m).reduce((sum, value) => sum + value * value, 0)),
  );
  const order = Array.from(norms.keys()).sort((i, j) => norms[j]! - norms[i]!);
  const leftRows = new Float64Array(n * m);
  const right = zeros(n, n);
  let rank = 0;
  order.forEach((source, target) => {
    const norm = norms[source]!;
    if (norm > 0) {
      rank = target + 1;
      for (let j = 0; j < m; j++) leftRows[target * m + j] = columns[source * m + j]! / norm;
    }
    for (let j = 0; j < n; j++) right.data[j * n + target] = rotation[source * n + j]!;
  });
  completeRows(leftRows, n, m, rank);
  return { left: transpose({ data: leftRows, shape: [n, m] }), values: Float64Array.from(order, (i) => norms[i]! * largest), right };
}

/** Makes rows p and q of `columns` orthogonal; false when they already are. */
function rotatePair(columns: Float64Array, m: number, rotation: Float64Array, n: number, p: number, q: number): boolean {
  let alpha = 0;
  let beta = 0;
  let gamma = 0;
  for (let j = 0; j < m; j++) {
    const x = columns[p * m + j]!;
    const y = columns[q * m + j]!;
    alpha += x * x;
    beta += y * y;
    gamma += x * y;
  }
  // a column within the span of the others shrinks until its square underflows: it is zero then, and no rotation would change it
  if (alpha === 0 || beta === 0) return false;
  if (Math.abs(gamma) <= Math.sqrt(m) * Number.EPSILON * Math.sqrt(alpha) * Math.sqrt(beta)) return false;
  const zeta = (beta - alpha) / (2 * gamma);
  const tangent = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta));
  const cosine = 1 / Math.hypot(1, tangent);
  const sine = cosine * tangent;
  for (const [data, length] of [
    [columns, m],
    [rotation, n],
  ] as const) {
    for (let j = 0; j < length; j++) {
      const x = data[p * length + j]!;
      const y = data[q * length + j]!;
      data[p * length + j] = cosine * x - sine * y;
      data[q * length + j] = sine * x + cosine * y;
    }
  }
  return true;
}
