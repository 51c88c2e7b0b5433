import { FinitewidthError, zeros } from "@finitewidth/core";
import type { SymmetricEigen } from "../eigen.js";
import type { SymmetricTridiagonal } from "../tridiagonal.js";
import { safeScale } from "./tridiagonalise.js";

const sweepsPerEigenvalue = 60;

/**
 * Implicit QL iteration with Wilkinson's shift on (d, e), in place; `rows`, when given, holds n rows of length n that the rotations
 * combine (row i ends as the i-th eigenvector). The matrix is turned end for end when its large entries are at the top, because QL
 * keeps small eigenvalues accurate only in matrices graded from small to large.
 */
function implicitQl(d: Float64Array, e: Float64Array, rows: Float64Array | undefined): void {
  const n = d.length;
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(d[i]!), Math.abs(e[i]!));
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      // An off-diagonal entry is dropped when small beside its neighbours or, once that has failed to happen, beside the whole matrix.
      const floor = sweep < sweepsPerEigenvalue / 2 ? 1e-300 : Number.EPSILON * norm;
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > Math.max(floor, Number.EPSILON * Math.sqrt(Math.abs(d[m]!)) * Math.sqrt(Math.abs(d[m + 1]!)))) m++;
      if (m < n - 1) e[m] = 0;
      if (m === l) break;
      if (sweep === sweepsPerEigenvalue) throw new FinitewidthError(`eigenvalue ${l} of ${n} did not converge in ${sweepsPerEigenvalue} QL sweeps`, { code: "not-converged" });
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      let r = Math.hypot(g, 1);
      g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
      let s = 1;
      let c = 1;
      let p = 0;
      let i = m - 1;
      for (; i >= l; i--) {
        const f = s * e[i]!;
        const b = c * e[i]!;
        r = Math.sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= p;
          e[m] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1]! - p;
        r = (d[i]! - g) * s + 2 * c * b;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - b;
        if (rows !== undefined) {
          const upper = i * n;
          const lower = upper + n;
          for (let k = 0; k < n; k++) {
            const value = rows[lower + k]!;
            rows[lower + k] = s * rows[upper + k]! + c * value;
            rows[upper + k] = c * rows[upper + k]! - s * value;
          }
        }
      }
      if (i >= l) continue;
      d[l]! -= p;
      e[l] = g;
      e[m] = 0;
    }
  }
}

/** Copies of T scaled to a safe range, reversed when its large entries come first. */
function prepare(t: SymmetricTridiagonal): { d: Float64Array; e: Float64Array; scale: number; reversed: boolean } {
  const n = t.diagonal.length;
  const scale = Math.min(safeScale(t.diagonal), safeScale(t.offDiagonal));
  const d = t.diagonal.map((value) => value * scale);
  const e = new Float64Array(n);
  for (let i = 0; i + 1 < n; i++) e[i] = t.offDiagonal[i]! * scale;
  const reversed = n > 1 && Math.abs(d[0]!) > Math.abs(d[n - 1]!);
  if (reversed) {
    d.reverse();
    e.subarray(0, n - 1).reverse();
  }
  return { d, e, scale, reversed };
}

/** Eigenvalues of T, ascending. */
export function tridiagonalEigenvalues(t: SymmetricTridiagonal): Float64Array {
  const { d, e, scale } = prepare(t);
  implicitQl(d, e, undefined);
  return d.map((value) => value / scale).sort();
}

/** Eigenvalues, ascending, and eigenvectors of T. */
export function tridiagonalEigen(t: SymmetricTridiagonal): SymmetricEigen {
  const n = t.diagonal.length;
  const { d, e, scale, reversed } = prepare(t);
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rows[i * n + (reversed ? n - 1 - i : i)] = 1;
  implicitQl(d, e, rows);
  const order = Array.from(d.keys()).sort((i, j) => d[i]! - d[j]!);
  const vectors = zeros(n, n);
  for (let j = 0; j < n; j++) {
    const row = order[j]! * n;
    for (let i = 0; i < n; i++) vectors.data[i * n + j] = rows[row + i]!;
  }
  return { values: Float64Array.from(order, (i) => d[i]! / scale), vectors };
}
