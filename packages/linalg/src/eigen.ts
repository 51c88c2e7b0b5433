import { FinitewidthError, type Matrix } from "@finitewidth/core";
import { EigenvalueDecomposition, Matrix as MlMatrix } from "ml-matrix";

/** A = V diag(values) Vᵀ: values ascending, vectors in the columns of V. */
export interface SymmetricEigen {
  readonly values: Float64Array;
  readonly vectors: Matrix;
}

/** Eigenvalues and eigenvectors of a symmetric n × n matrix. @throws FinitewidthError (code "input") for NaN. O(n³). */
export function symmetricEigen(a: Matrix): SymmetricEigen {
  const n = a.shape[0];
  if (a.data.some((value) => !Number.isFinite(value))) throw new FinitewidthError("a: expected finite numbers, got NaN or infinity", { code: "input", path: "a" });
  if (n === 0) return { values: new Float64Array(0), vectors: { data: new Float64Array(0), shape: [0, 0] } };
  const evd = new EigenvalueDecomposition(MlMatrix.from1DArray(n, n, a.data), { assumeSymmetric: true });
  return { values: Float64Array.from(evd.realEigenvalues), vectors: { data: Float64Array.from(evd.eigenvectorMatrix.to1DArray()), shape: [n, n] } };
}
