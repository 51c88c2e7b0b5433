import { shapeError, zeros, type Matrix } from "@finitewidth/core";
import { eigenFromTridiagonal } from "./eigen.js";
import { multiplyTransposedLeft } from "./products.js";
import { implicitQl, scaledCopy } from "./reference/implicit-ql.js";
import { applyReflectors, type Tridiagonalisation } from "./tridiagonal.js";
import { requireFinite } from "./validate.js";

/** Spectrum of A = V diag(values) Vᵀ as a few vectors b see it: values ascending, and Vᵀ B. */
export interface ProjectedSpectrum {
  readonly values: Float64Array;
  /** Vᵀ B: n × m, row i belongs to `values[i]`. */
  readonly projections: Matrix;
}

/** Vectors, as a fraction of n, beyond which eigenvectors are cheaper than rotating all of them; and the number that is always rotated. */
const fewVectors = { fraction: 0.1, least: 16 };

/**
 * Eigenvalues of A = Q T Qᵀ and the projections Vᵀ B of the columns of B (n × m) on its eigenvectors, without the eigenvectors: implicit QL
 * with Wilkinson's shift on T, whose rotations act on the rows of Qᵀ B. Sums Σ_i f(λ_i)(Vᵀb)_i(Vᵀc)_i = bᵀ f(A) c follow in O(n) each. The
 * sign of a row, and the basis within a repeated eigenvalue, are not unique: they agree among the columns of one call, not with
 * `eigenFromTridiagonal`. Backward stable like QL with vectors; eigenvalues are accurate relative to the largest.
 * @throws FinitewidthError (code "shape") when B has not n rows, (code "input") for NaN or infinity, (code "not-converged") after 60 sweeps
 * for one eigenvalue. Cost: about 1.5 n² rotations of m + 1 pairs of numbers, at most that of eigenvectors, which are made for more than
 * n/10 columns. Source: B. Parlett, The Symmetric Eigenvalue Problem (1998), chapter 8; G. Golub, J. Welsch, Math. Comp. 23, 221 (1969).
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
  if (offDiagonal.length !== Math.max(n - 1, 0))
    throw shapeError("t.offDiagonal", `${Math.max(n - 1, 0)} numbers`, `${offDiagonal.length}`);
  const { d, e, scale, reversed } = scaledCopy({ diagonal, offDiagonal });
  const rows = b.data.slice();
  if (reversed) for (let i = 0; i < n; i++) rows.set(b.data.subarray((n - 1 - i) * m, (n - i) * m), i * m);
  implicitQl(d, e, rows, m);
  const order = Array.from(d.keys()).sort((i, j) => d[i]! - d[j]!);
  const projections = zeros(n, m);
  for (const [i, from] of order.entries()) projections.data.set(rows.subarray(from * m, (from + 1) * m), i * m);
  return { values: Float64Array.from(order, (i) => d[i]! / scale), projections };
}
