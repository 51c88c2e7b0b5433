import { FinitewidthError, shapeError } from "@finitewidth/core";
import type { SymmetricTridiagonal } from "./tridiagonal.js";

/** M = q T + t = L D Lᵀ for a positive definite M: pivots D, the subdiagonal of the unit lower bidiagonal L, and log det M. */
export interface ShiftedFactor {
  readonly pivots: Float64Array;
  readonly multipliers: Float64Array;
  readonly logDeterminant: number;
}

/** Everything a Gaussian likelihood with covariance M = q T + t needs, and its derivatives in q. */
export interface ShiftedValues {
  /** log det M */
  readonly logDeterminant: number;
  /** yᵀ M⁻¹ y */
  readonly quadratic: number;
  /** M⁻¹ y */
  readonly solution: Float64Array;
  /** ∂ log det M/∂q = tr(M⁻¹ T) */
  readonly logDeterminantDerivative: number;
  /** ∂(yᵀ M⁻¹ y)/∂q = −yᵀ M⁻¹ T M⁻¹ y */
  readonly quadraticDerivative: number;
}

function notPositive(index: number, n: number, pivot: number): FinitewidthError {
  return new FinitewidthError(
    `matrix is not positive definite: pivot ${index} of ${n} is ${pivot}; raise the temperature or remove duplicate inputs`,
    { code: Number.isNaN(pivot) ? "input" : "not-positive-definite" },
  );
}

/** Factorises q T + t. @throws FinitewidthError (code "not-positive-definite") naming the pivot. O(n). */
export function factorShifted(tridiagonal: SymmetricTridiagonal, q: number, t: number): ShiftedFactor {
  const { diagonal, offDiagonal } = tridiagonal;
  const n = diagonal.length;
  const pivots = new Float64Array(n);
  const multipliers = new Float64Array(Math.max(n - 1, 0));
  let logDeterminant = 0;
  for (let i = 0; i < n; i++) {
    let pivot = q * diagonal[i]! + t;
    if (i > 0) {
      const coupling = q * offDiagonal[i - 1]!;
      const multiplier = coupling / pivots[i - 1]!;
      multipliers[i - 1] = multiplier;
      pivot -= multiplier * coupling;
    }
    if (!(pivot > 0)) throw notPositive(i, n, pivot);
    pivots[i] = pivot;
    logDeterminant += Math.log(pivot);
  }
  return { pivots, multipliers, logDeterminant };
}

/** M⁻¹ y from the factor of M. O(n). @throws FinitewidthError (code "shape"). */
export function solveShifted(factor: ShiftedFactor, y: Float64Array): Float64Array {
  const { pivots, multipliers } = factor;
  const n = pivots.length;
  if (y.length !== n) throw shapeError("y", `${n} numbers`, `${y.length}`);
  const x = y.slice();
  for (let i = 1; i < n; i++) x[i]! -= multipliers[i - 1]! * x[i - 1]!;
  for (let i = 0; i < n; i++) x[i]! /= pivots[i]!;
  for (let i = n - 2; i >= 0; i--) x[i]! -= multipliers[i]! * x[i + 1]!;
  return x;
}

/** yᵀ M⁻¹ y = Σ (L⁻¹y)²/D, a sum of positive terms. O(n), no allocation. @throws FinitewidthError (code "shape"). */
export function shiftedQuadratic(factor: ShiftedFactor, y: Float64Array): number {
  const { pivots, multipliers } = factor;
  const n = pivots.length;
  if (y.length !== n) throw shapeError("y", `${n} numbers`, `${y.length}`);
  let previous = 0;
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const value = i === 0 ? y[0]! : y[i]! - multipliers[i - 1]! * previous;
    sum += (value * value) / pivots[i]!;
    previous = value;
  }
  return sum;
}

/** T x. O(n). */
export function multiplyTridiagonal(tridiagonal: SymmetricTridiagonal, x: Float64Array): Float64Array {
  const { diagonal, offDiagonal } = tridiagonal;
  const n = diagonal.length;
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    let value = diagonal[i]! * x[i]!;
    if (i > 0) value += offDiagonal[i - 1]! * x[i - 1]!;
    if (i + 1 < n) value += offDiagonal[i]! * x[i + 1]!;
    out[i] = value;
  }
  return out;
}

/**
 * log det M, yᵀM⁻¹y, M⁻¹y and the derivatives in q for M = q T + t. With A = Q T Qᵀ (`tridiagonalise`) and y = Qᵀ b
 * (`applyReflectors`, transposed) these are log det(qA + t), bᵀ(qA + t)⁻¹b and Qᵀ(qA + t)⁻¹b: O(n) for every (q, t).
 * The derivative of log det is the sum of D_i′/D_i, the pivots differentiated along with their recursion.
 * @throws FinitewidthError (code "not-positive-definite") naming the pivot. O(n).
 */
export function evaluateShifted(tridiagonal: SymmetricTridiagonal, q: number, t: number, y: Float64Array): ShiftedValues {
  const { diagonal, offDiagonal } = tridiagonal;
  const factor = factorShifted(tridiagonal, q, t);
  const { pivots, multipliers, logDeterminant } = factor;
  let logDeterminantDerivative = 0;
  let slope = 0;
  for (let i = 0; i < pivots.length; i++) {
    // D_i = q a_i + t − q² b²/D₍ᵢ₋₁₎, and the multiplier is l = q b/D₍ᵢ₋₁₎
    slope = i === 0 ? diagonal[0]! : diagonal[i]! - 2 * multipliers[i - 1]! * offDiagonal[i - 1]! + multipliers[i - 1]! ** 2 * slope;
    logDeterminantDerivative += slope / pivots[i]!;
  }
  const solution = solveShifted(factor, y);
  const image = multiplyTridiagonal(tridiagonal, solution);
  let quadraticDerivative = 0;
  for (let i = 0; i < solution.length; i++) quadraticDerivative -= solution[i]! * image[i]!;
  return { logDeterminant, quadratic: shiftedQuadratic(factor, y), solution, logDeterminantDerivative, quadraticDerivative };
}
