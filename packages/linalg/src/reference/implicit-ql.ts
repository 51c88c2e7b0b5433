import { FinitewidthError } from "@finitewidth/core";
import type { SymmetricTridiagonal } from "../tridiagonal.js";
import { safeScale } from "./tridiagonalise.js";

const sweepsPerEigenvalue = 60;

/**
 * Implicit QL iteration with Wilkinson's shift on (d, e), in place; every rotation of rows i and i + 1 of T combines the same two of the n
 * rows of m numbers in `rows` (the identity ends as the eigenvectors, m = 0 leaves the eigenvalues alone).
 * @throws FinitewidthError (code "not-converged") after 60 sweeps for one eigenvalue. Cost: about 1.5 n² rotations.
 */
export function implicitQl(d: Float64Array, e: Float64Array, rows: Float64Array, m: number): void {
  const n = d.length;
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(d[i]!), Math.abs(e[i]!));
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      // An off-diagonal entry is dropped when small beside its neighbours or, once that has failed to happen, beside the whole matrix.
      const floor = sweep < sweepsPerEigenvalue / 2 ? 1e-300 : Number.EPSILON * norm;
      let end = l;
      while (
        end < n - 1 &&
        Math.abs(e[end]!) > Math.max(floor, Number.EPSILON * Math.sqrt(Math.abs(d[end]!)) * Math.sqrt(Math.abs(d[end + 1]!)))
      )
        end++;
      if (end < n - 1) e[end] = 0;
      if (end === l) break;
      if (sweep === sweepsPerEigenvalue)
        throw new FinitewidthError(`eigenvalue ${l} of ${n} did not converge in ${sweepsPerEigenvalue} QL sweeps`, {
          code: "not-converged",
        });
      let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
      let r = Math.hypot(g, 1);
      g = d[end]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
      let s = 1;
      let c = 1;
      let p = 0;
      let i = end - 1;
      for (; i >= l; i--) {
        const f = s * e[i]!;
        const h = c * e[i]!;
        r = Math.sqrt(f * f + g * g);
        e[i + 1] = r;
        if (r === 0) {
          d[i + 1]! -= p;
          e[end] = 0;
          break;
        }
        s = f / r;
        c = g / r;
        g = d[i + 1]! - p;
        r = (d[i]! - g) * s + 2 * c * h;
        p = s * r;
        d[i + 1] = g + p;
        g = c * r - h;
        for (let upper = i * m, lower = upper + m, stop = lower; upper < stop; upper++, lower++) {
          const above = rows[upper]!;
          const below = rows[lower]!;
          rows[lower] = s * above + c * below;
          rows[upper] = c * above - s * below;
        }
      }
      if (i >= l) continue;
      d[l]! -= p;
      e[l] = g;
      e[end] = 0;
    }
  }
}

/** Diagonals of T scaled to a safe range, turned end for end when its large entries come first: QL keeps small eigenvalues accurate only in
 * matrices graded from small to large. */
export function scaledCopy(t: SymmetricTridiagonal): { d: Float64Array; e: Float64Array; scale: number; reversed: boolean } {
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
