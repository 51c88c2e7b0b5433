import { FinitewidthError, shapeError, zeros, type Matrix } from "@finitewidth/core";
import { eigenFromTridiagonal } from "./eigen.js";
import { multiplyTransposedLeft } from "./products.js";
import { safeScale } from "./reference/tridiagonalise.js";
import { applyReflectors, type Tridiagonalisation } from "./tridiagonal.js";
import { requireFinite } from "./validate.js";

/** Spectrum of A = V diag(values) Vᵀ as a few vectors b see it: values ascending, and Vᵀ B. */
export interface ProjectedSpectrum {
  readonly values: Float64Array;
  /** Vᵀ B: n × m, row i belongs to `values[i]`. */
  readonly projections: Matrix;
}

const sweepsPerEigenvalue = 60;
/** Vectors, as a fraction of n, beyond which eigenvectors are cheaper than rotating all of them; and the number that is always rotated. */
const fewVectors = { fraction: 0.1, least: 16 };

/**
 * Eigenvalues of A = Q T Qᵀ and the projections Vᵀ B of the columns of B (n × m) on its eigenvectors, without the eigenvectors: implicit QL with
 * Wilkinson's shift on T, whose rotations act on the rows of Qᵀ B. Sums Σ_i f(λ_i)(Vᵀb)_i(Vᵀc)_i = bᵀ f(A) c follow in O(n) each. The sign of a
 * row, and the basis within a repeated eigenvalue, are not unique: they agree among the columns of one call, not with `eigenFromTridiagonal`.
 * Backward stable like QL with vectors; eigenvalues are accurate relative to the largest.
 * @throws FinitewidthError (code "shape") when B has not n rows, (code "input") for NaN or infinity, (code "not-converged") after 60 sweeps for
 * one eigenvalue. Cost: about 1.5 n² rotations of m + 1 pairs of numbers, at most that of eigenvectors, which are made for more than n/10 columns.
 * Source: B. Parlett, The Symmetric Eigenvalue Problem (1998), chapter 8; G. Golub, J. Welsch, Math. Comp. 23, 221 (1969).
 */
export function projectedSpectrum(t: Tridiagonalisation, b: Matrix): ProjectedSpectrum {
  requireFinite(b, "b");
  if (b.shape[1] > Math.max(fewVectors.least, fewVectors.fraction * b.shape[0])) {
    const { values, vectors } = eigenFromTridiagonal(t);
    return { values, projections: multiplyTransposedLeft(vectors, b) };
  }
  return projectTridiagonal(t, applyReflectors(t, b, { transposed: true }));
}

/** Eigenvalues of T and Zᵀ B for its eigenvectors Z. */
function projectTridiagonal({ diagonal, offDiagonal }: Tridiagonalisation, b: Matrix): ProjectedSpectrum {
  const [n, m] = b.shape;
  if (offDiagonal.length !== Math.max(n - 1, 0)) throw shapeError("t.offDiagonal", `${Math.max(n - 1, 0)} numbers`, `${offDiagonal.length}`);
  const scale = Math.min(safeScale(diagonal), safeScale(offDiagonal));
  // QL keeps small eigenvalues accurate in matrices graded from small to large: the others are turned end for end.
  const reversed = n > 1 && Math.abs(diagonal[0]!) > Math.abs(diagonal[n - 1]!);
  const d = diagonal.map((value) => value * scale);
  const e = new Float64Array(n);
  for (let i = 0; i + 1 < n; i++) e[i] = offDiagonal[i]! * scale;
  const rows = b.data.slice();
  if (reversed) {
    d.reverse();
    e.subarray(0, n - 1).reverse();
    for (let i = 0; i < n; i++) rows.set(b.data.subarray((n - 1 - i) * m, (n - i) * m), i * m);
  }
  implicitQl(d, e, rows, m);
  const order = Array.from(d.keys()).sort((i, j) => d[i]! - d[j]!);
  const projections = zeros(n, m);
  for (const [i, from] of order.entries()) projections.data.set(rows.subarray(from * m, (from + 1) * m), i * m);
  return { values: Float64Array.from(order, (i) => d[i]! / scale), projections };
}

/** Implicit QL on (d, e) in place; every rotation of rows i and i + 1 of T combines the same rows (of m numbers) of `rows`. */
function implicitQl(d: Float64Array, e: Float64Array, rows: Float64Array, m: number): void {
  const n = d.length;
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(d[i]!), Math.abs(e[i]!));
  for (let l = 0; l < n; l++) {
    for (let sweep = 0; ; sweep++) {
      // An off-diagonal entry is dropped when small beside its neighbours or, once that has failed to happen, beside the whole matrix.
      const floor = sweep < sweepsPerEigenvalue / 2 ? 1e-300 : Number.EPSILON * norm;
      let end = l;
      while (end < n - 1 && Math.abs(e[end]!) > Math.max(floor, Number.EPSILON * Math.sqrt(Math.abs(d[end]!)) * Math.sqrt(Math.abs(d[end + 1]!)))) end++;
      if (end < n - 1) e[end] = 0;
      if (end === l) break;
      if (sweep === sweepsPerEigenvalue) throw new FinitewidthError(`eigenvalue ${l} of ${n} did not converge in ${sweepsPerEigenvalue} QL sweeps`, { code: "not-converged" });
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
