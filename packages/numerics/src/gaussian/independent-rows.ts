import { zeros, type Matrix } from "@finitewidth/core";
import { lu, multiplyTransposedRight, solveLu, transpose } from "@finitewidth/linalg";
import { pivotedCholesky } from "./pivoted-cholesky.js";
import { isClearlyOfRank, projectTargets, requireInRange, spectrumOf } from "./spectrum.js";

/** Points whose outputs determine those of all others, where a kernel is singular. */
export interface IndependentRows {
  /** r of the P rows, ascending. */
  readonly rows: readonly number[];
  /** A: P × r with f = A f_rows almost surely under N(0, K), and K = A K_rows Aᵀ. */
  readonly combinations: Matrix;
  /** ½ log det AᵀA: the log density of f on the range of K is that of f_rows less this, for every output. */
  readonly logVolume: number;
}

/**
 * Conditioning without noise on a singular kernel K of rank r < P: f ~ N(0, K) has r independent values, which determine the others, and
 * targets Y (P × D) that agree with that say no more than those at r points. The rows are the pivots of the projector VVᵀ on the range of
 * K, A = V V_rows⁻¹. Undefined for a kernel of full rank, and for K = 0. O(P³).
 * @throws FinitewidthError (code "input") for targets outside the range of K, "not-positive-definite" for an indefinite kernel.
 */
export function independentRows(kernel: Matrix, targets: Matrix): IndependentRows | undefined {
  if (isClearlyOfRank(kernel, kernel.shape[0])) return undefined;
  const spectrum = spectrumOf(kernel);
  const [points, rank] = spectrum.vectors.shape;
  if (rank === points) return undefined;
  requireInRange(projectTargets(spectrum, targets), targets);
  if (rank === 0) return undefined;
  // with k < r pivots taken one of the P diagonal entries still holds (r − k)/P or more
  const { pivots } = pivotedCholesky(multiplyTransposedRight(spectrum.vectors, spectrum.vectors), rank, 0.5 / points)!;
  const rows = [...pivots].sort((a, b) => a - b);
  const own = zeros(rank, rank);
  rows.forEach((row, i) => own.data.set(spectrum.vectors.data.subarray(row * rank, (row + 1) * rank), i * rank));
  const factorisation = lu(transpose(own));
  const combinations = transpose(solveLu(factorisation, transpose(spectrum.vectors)));
  return { rows, combinations, logVolume: -factorisation.logAbsoluteDeterminant };
}
