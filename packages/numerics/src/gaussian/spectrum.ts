import { FinitewidthError, inputError, shapeError, zeros, type Matrix } from "@finitewidth/core";
import {
  block,
  cholesky,
  diagonalOf,
  gram,
  multiply,
  multiplyTransposedLeft,
  symmetricEigen,
  symmetrise,
  transpose,
  type SymmetricEigen,
} from "@finitewidth/linalg";
import { pivotedCholesky } from "./pivoted-cholesky.js";

/** Positive part of the spectrum of a kernel: K = V diag(values) Vᵀ on its range of dimension r, zero on the other P − r directions. */
export interface Spectrum {
  /** κ_i > 0, r entries, ascending. */
  readonly values: Float64Array;
  /** V: P × r, orthonormal columns. */
  readonly vectors: Matrix;
}

/** Rows and columns of a tile: a matrix and its transpose pass through the cache once. */
const tile = 32;

/**
 * Checks that a kernel is square, finite and symmetric to 1e-8 of its largest entry; returns K itself where it is exactly symmetric,
 * (K + Kᵀ)/2 elsewhere. O(P²). @throws FinitewidthError (code "shape" or "input") naming the worst entry.
 */
export function checkKernel(kernel: Matrix, path = "kernel"): Matrix {
  const { data } = kernel;
  const [n, columns] = kernel.shape;
  if (n !== columns) throw shapeError(path, "a square matrix", `${n} × ${columns}`);
  if (n === 0) throw inputError(path, "at least one input", []);
  // x − x is 0 for finite x and NaN otherwise
  let notFinite = 0;
  let largest = 0;
  let difference = 0;
  let worst = 0;
  for (let top = 0; top < n; top += tile) {
    for (let left = 0; left <= top; left += tile) {
      for (let i = top; i < Math.min(top + tile, n); i++) {
        for (let j = left; j < Math.min(left + tile, i + 1); j++) {
          const [a, b] = [data[i * n + j]!, data[j * n + i]!];
          notFinite += a - a + (b - b);
          if (Math.abs(a) > largest) largest = Math.abs(a);
          if (Math.abs(a - b) > difference) [difference, worst] = [Math.abs(a - b), i * n + j];
        }
      }
    }
  }
  if (notFinite !== 0)
    throw inputError(
      path,
      "finite entries",
      data.find((value) => !Number.isFinite(value)),
    );
  if (difference === 0) return kernel;
  const [i, j] = [Math.floor(worst / n), worst % n];
  if (difference > 1e-8 * largest)
    throw inputError(`${path}[${i}][${j}]`, `the same value as ${path}[${j}][${i}] (a symmetric matrix)`, data[worst]);
  return symmetrise(kernel);
}

/**
 * Eigenvalues above P·ε·κ_max and their eigenvectors. When `lowRank` is set and the rank is below about P/2 (more points than input
 * features, duplicates) a pivoted Cholesky factor K = G Gᵀ is found first and GᵀG diagonalised: O(P r²) instead of O(P³); directions near
 * the threshold are then orthogonal only to ε κ_max/κ, which a positive temperature hides.
 * @throws FinitewidthError: see `checkKernel`; code "not-positive-definite" for an eigenvalue below −1e-8 κ_max.
 */
export function spectrumOf(kernel: Matrix, options: { readonly lowRank?: boolean } = {}): Spectrum {
  checkKernel(kernel);
  return (
    (options.lowRank ? lowRankSpectrum(kernel, Math.floor(kernel.shape[0] / 2)) : undefined) ?? positiveSpectrum(symmetricEigen(kernel))
  );
}

/**
 * The spectrum through a pivoted Cholesky factor where the rank of K (checked already) is at most `limit` < P; undefined where it is
 * higher. O(P r²).
 */
export function lowRankSpectrum(kernel: Matrix, limit: number): Spectrum | undefined {
  // the leading block alone, an eighth of the work or less, decides unless points repeat
  if (isClearlyOfRank(block(kernel, 0, limit + 1, 0, limit + 1), limit + 1) || isClearlyOfRank(kernel, limit + 1)) return undefined;
  const found = pivotedCholesky(kernel, limit);
  return found === undefined ? undefined : spectrumOfFactor(found.factor);
}

/**
 * The part of an eigendecomposition above P·ε·κ_max. @throws FinitewidthError (code "not-positive-definite") for an eigenvalue below −1e-8
 * κ_max.
 */
export function positiveSpectrum({ values, vectors }: SymmetricEigen): Spectrum {
  const first = firstPositive(values);
  return first === values.length
    ? { values: new Float64Array(0), vectors: zeros(vectors.shape[0], 0) }
    : { values: values.slice(first), vectors: columnsFrom(vectors, first) };
}

/**
 * Index of the first of the ascending eigenvalues of a kernel that is above P·ε·κ_max, P when none is.
 * @throws FinitewidthError (code "not-positive-definite") for an eigenvalue below −1e-8 κ_max.
 */
export function firstPositive(values: Float64Array): number {
  const n = values.length;
  const largest = Math.max(values[n - 1]!, 0);
  const smallest = values[0]!;
  if (smallest < -1e-8 * Math.max(largest, 1e-300)) {
    throw new FinitewidthError(`kernel is not positive semi-definite: its smallest eigenvalue is ${smallest}, its largest ${largest}`, {
      code: "not-positive-definite",
    });
  }
  const threshold = n * Number.EPSILON * largest;
  const first = values.findIndex((value) => value > threshold);
  return first < 0 ? n : first;
}

/**
 * Whether a plain Cholesky factorisation succeeds with `rank` pivots or more far above rounding: the pivoted one, several times as slow,
 * would then not end before that many columns. A guess, of a rank below the true one where it errs. O(n³/3).
 */
export function isClearlyOfRank(kernel: Matrix, rank: number): boolean {
  const n = kernel.shape[0];
  const diagonal = diagonalOf(kernel);
  const threshold = 100 * n * Number.EPSILON * diagonal.reduce((most, value) => Math.max(most, value), 0);
  try {
    const { factor } = cholesky(kernel);
    return diagonal.filter((_, i) => factor.data[i * n + i]! ** 2 > threshold).length >= rank;
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "not-positive-definite") return false;
    throw error;
  }
}

/** Spectrum of G Gᵀ for G: P × k with k < P. */
function spectrumOfFactor(factor: Matrix): Spectrum {
  const { values, vectors } = symmetricEigen(gram(transpose(factor)));
  const k = values.length;
  const threshold = factor.shape[0] * Number.EPSILON * (values[k - 1] ?? 0);
  const first = values.findIndex((value) => value > threshold);
  if (first < 0) return { values: new Float64Array(0), vectors: zeros(factor.shape[0], 0) };
  const kept = values.slice(first);
  const v = multiply(factor, columnsFrom(vectors, first));
  const r = kept.length;
  for (let i = 0; i < v.data.length; i++) v.data[i]! /= Math.sqrt(kept[i % r]!);
  return { values: kept, vectors: v };
}

function columnsFrom(m: Matrix, first: number): Matrix {
  const [rows, columns] = m.shape;
  if (first === 0) return m;
  const out = zeros(rows, columns - first);
  for (let i = 0; i < rows; i++) out.data.set(m.data.subarray(i * columns + first, (i + 1) * columns), i * (columns - first));
  return out;
}

/** Adds the direction of the constant vector that K does not span (eigenvalue 0), where there is one, so that 1 = V Vᵀ 1. O(P r). */
export function spanConstant(spectrum: Spectrum): Spectrum {
  const { values, vectors } = spectrum;
  const [n, r] = vectors.shape;
  const one = zeros(n, 1);
  one.data.fill(1);
  // twice: the second pass removes what rounding left of the first
  for (let pass = 0; pass < 2; pass++) {
    const fitted = multiply(vectors, multiplyTransposedLeft(vectors, one));
    for (let i = 0; i < n; i++) one.data[i]! -= fitted.data[i]!;
  }
  const norm = Math.hypot(...one.data);
  if (norm < 1e-7 * Math.sqrt(n)) return spectrum;
  const wider = zeros(n, r + 1);
  for (let i = 0; i < n; i++) {
    wider.data[i * (r + 1)] = one.data[i]! / norm;
    wider.data.set(vectors.data.subarray(i * r, (i + 1) * r), i * (r + 1) + 1);
  }
  return { values: Float64Array.from([0, ...values]), vectors: wider };
}

/** Targets in the eigenbasis: Ŷ = VᵀY and what V does not span, Y_⊥ = Y − V Ŷ. */
export interface ProjectedTargets {
  /** Ŷ: r × D. */
  readonly projected: Matrix;
  /** |Y_⊥|², summed over outputs. */
  readonly residualSquare: number;
  /** Largest |entry| of Y_⊥. */
  readonly residualLargest: number;
}

/**
 * Projects Y (P × D) on the range of K. O(P r D). @throws FinitewidthError (code "shape" or "input") for a wrong number of rows or entries
 * that are not finite.
 */
export function projectTargets(spectrum: Spectrum, targets: Matrix, path = "targets"): ProjectedTargets {
  const { vectors } = spectrum;
  const [n, r] = vectors.shape;
  if (targets.shape[0] !== n) throw shapeError(path, `${n} rows, like inputs`, `${targets.shape[0]}`);
  for (const value of targets.data) if (!Number.isFinite(value)) throw inputError(path, "finite numbers", value);
  const projected = multiplyTransposedLeft(vectors, targets);
  if (r === n) return { projected, residualSquare: 0, residualLargest: 0 };
  const fitted = multiply(vectors, projected);
  let residualSquare = 0;
  let residualLargest = 0;
  for (let i = 0; i < fitted.data.length; i++) {
    const rest = targets.data[i]! - fitted.data[i]!;
    residualSquare += rest * rest;
    residualLargest = Math.max(residualLargest, Math.abs(rest));
  }
  return { projected, residualSquare, residualLargest };
}

/**
 * The policy of T = 0: targets without noise must lie in the range of the kernel, where their density exists.
 * @throws FinitewidthError (code "input") when the targets (`given`, P × D) have a component outside it.
 */
export function requireInRange({ residualLargest }: ProjectedTargets, given: Matrix, path = "targets"): void {
  const largest = given.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (residualLargest > 1e-10 * Math.max(largest, 1e-300)) {
    throw inputError(
      path,
      "no component outside the range of the kernel when the temperature is 0 (inputs that are repeated or outnumber the features make others impossible)",
      residualLargest,
    );
  }
}

/** What a kernel of rank r < P means at T = 0. */
export const rankWarnings = (rank: number, points: number): readonly string[] =>
  rank < points ? [`kernel has rank ${rank} of ${points}: the log evidence is the density on its range`] : [];
