import { shapeError, type Matrix } from "@finitewidth/core";
import { backend } from "./backend.js";
import { requireFinite, squareSize } from "./validate.js";

/** Symmetric tridiagonal matrix T: n diagonal and n − 1 off-diagonal entries. */
export interface SymmetricTridiagonal {
  readonly diagonal: Float64Array;
  readonly offDiagonal: Float64Array;
}

/**
 * A = Q T Qᵀ with Q = H₀ H₁ … H₍ₙ₋₃₎ and H_k = 1 − τ_k v_k v_kᵀ. Row k of `reflectors` (n × n) is v_k, whose first k + 1 entries
 * are zero; `scales[k]` is τ_k (n entries, the last two zero). Plain data: it survives structured clone.
 */
export interface Tridiagonalisation extends SymmetricTridiagonal {
  readonly reflectors: Matrix;
  readonly scales: Float64Array;
}

/**
 * Householder reduction of a symmetric n × n matrix (lower triangle read) to tridiagonal form. One reduction serves every shifted
 * system (q A + t)x = b: see `evaluateShifted`.
 * @throws FinitewidthError (code "shape") when not square, (code "input") for NaN or infinity. Cost: 4n³/3 flops, 16 n² bytes.
 */
export function tridiagonalise(a: Matrix): Tridiagonalisation {
  squareSize(a);
  requireFinite(a);
  return backend().tridiagonalise(a);
}

/** Q B, or Qᵀ B with `transposed`, for B n × m. @throws FinitewidthError (code "shape") when B has not n rows. Cost: 2 n² m flops. */
export function applyReflectors(t: Tridiagonalisation, b: Matrix, options: { readonly transposed?: boolean } = {}): Matrix {
  const n = t.diagonal.length;
  if (b.shape[0] !== n) throw shapeError("b", `${n} rows`, `${b.shape[0]} × ${b.shape[1]}`);
  return backend().applyReflectors(t, b, options.transposed ?? false);
}
