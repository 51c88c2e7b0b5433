import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import { backend } from "./backend.js";
import { applyReflectors, tridiagonalise, type Tridiagonalisation } from "./tridiagonal.js";
import { requireFinite, squareSize } from "./validate.js";

/** A = V diag(values) Vᵀ: values ascending, vectors in the columns of V. */
export interface SymmetricEigen {
  readonly values: Float64Array;
  readonly vectors: Matrix;
}

/**
 * Eigenvalues and eigenvectors of a symmetric n × n matrix (lower triangle read). The sign of a vector, and the basis chosen within a
 * repeated eigenvalue, depend on the backend.
 * @throws FinitewidthError (code "shape") when not square, (code "input") for NaN or infinity. Cost: O(n³), 40 n² bytes.
 */
export function symmetricEigen(a: Matrix): SymmetricEigen {
  squareSize(a);
  requireFinite(a);
  return backend().symmetricEigen(a);
}

/**
 * Eigenvalues and eigenvectors V = Q Z of A = Q T Qᵀ from its tridiagonal form T = Z diag(values) Zᵀ: completes a reduction made before, so
 * that both together cost what `symmetricEigen` does. Signs and bases like there.
 * @throws FinitewidthError (code "not-converged"). Cost: O(n³), 32 n² bytes.
 */
export function eigenFromTridiagonal(t: Tridiagonalisation): SymmetricEigen {
  const { values, vectors } = backend().tridiagonalEigen(t);
  return { values, vectors: applyReflectors(t, vectors) };
}

/** Eigenvalues alone, ascending. @throws like `symmetricEigen`. Cost: 4n³/3 flops, a third of what the vectors cost or less. */
export function symmetricEigenvalues(a: Matrix): Float64Array {
  return backend().tridiagonalEigenvalues(tridiagonalise(a));
}

/**
 * Symmetric square root S of a positive semi-definite matrix, S S = A; eigenvalues down to −100 n ε max|λ| count as zero.
 * @throws FinitewidthError (code "not-positive-definite") when an eigenvalue is more negative, and like `symmetricEigen`. O(n³).
 */
export function symmetricSquareRoot(a: Matrix): Matrix {
  const n = a.shape[0];
  const { values, vectors } = symmetricEigen(a);
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (n > 0 && values[0]! < -100 * n * Number.EPSILON * largest) {
    throw new FinitewidthError(
      `matrix is not positive semi-definite: its smallest eigenvalue is ${values[0]}, its largest ${values[n - 1]}`,
      { code: "not-positive-definite" },
    );
  }
  const roots = values.map((value) => Math.sqrt(Math.max(value, 0)));
  // V diag(λ^½) Vᵀ as a Gram matrix of V diag(λ^¼), so that the result is exactly symmetric
  const half = zeros(n, n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) half.data[i * n + j] = vectors.data[i * n + j]! * Math.sqrt(roots[j]!);
  return backend().gram(half);
}
