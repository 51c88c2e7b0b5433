import { FinitewidthError, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  choleskyInverse,
  diagonalOf,
  gram,
  innerProduct,
  multiply,
  multiplyTransposedLeft,
  solveCholesky,
  symmetricEigen,
  transpose,
} from "@finitewidth/linalg";
import { firstPositive } from "./spectrum.js";

/** Targets under N(0, K + T), one Gaussian per output. */
export interface TargetResponse {
  /** V = (K + T)⁻¹Y: P × D. */
  readonly weights: Matrix;
  /** R = (K + T)⁻¹: P × P. */
  readonly resolvent: Matrix;
  /** ln N(Y | 0, K + T), all outputs. */
  readonly logDensity: number;
}

/**
 * Whether K may be singular beside so small a T > 0 that null directions, with weights of size Y/T, would cost more than nine digits: a
 * pivot of K + T (lower Cholesky factor `factor`; undefined where there is none) that holds hardly more than T and rounding of the
 * `largest` variance.
 */
export function mayLoseNoise(factor: Matrix | undefined, largest: number, temperature: number): boolean {
  if (temperature > 1e-7 * largest) return false;
  if (factor === undefined) return true;
  const least = 10 * (temperature + factor.shape[0] * Number.EPSILON * largest);
  return diagonalOf(factor).some((pivot) => pivot * pivot <= least);
}

/**
 * Weights, resolvent and log density of the targets Y (P × D): Cholesky, or the eigenvectors of K where T > 0 is lost in the rounding of a
 * singular K. O(P³). @throws FinitewidthError (code "not-positive-definite") when K + T is singular, as at T = 0 with dependent inputs.
 */
export function respondToTargets(kernel: Matrix, targets: Matrix, temperature: number): TargetResponse {
  const [points, outputs] = targets.shape;
  const largest = diagonalOf(kernel).reduce((most, value) => Math.max(most, value), 0);
  const lost = (factor?: Matrix): boolean => temperature > 0 && mayLoseNoise(factor, largest, temperature);
  let factor;
  try {
    factor = cholesky(addDiagonal(kernel, temperature));
  } catch (error) {
    if (!(error instanceof FinitewidthError && error.code === "not-positive-definite")) throw error;
    if (lost()) return spectralResponse(kernel, targets, temperature);
    throw new FinitewidthError(
      `the kernel plus the temperature (T = ${temperature}) is singular${temperature === 0 ? ": duplicate inputs, or more inputs than the network's features at T = 0; give a temperature > 0" : ""}`,
      { code: "not-positive-definite" },
      { cause: error },
    );
  }
  if (lost(factor.factor)) return spectralResponse(kernel, targets, temperature);
  const weights = solveCholesky(factor, targets);
  const logDensity = -0.5 * (innerProduct(targets, weights) + outputs * (factor.logDeterminant + points * Math.log(2 * Math.PI)));
  return { weights, resolvent: choleskyInverse(factor.factor, factor.factor.data), logDensity };
}

/** The same by the eigenvalues of K, those within rounding of 0 being 0. @throws FinitewidthError for a negative eigenvalue. */
function spectralResponse(kernel: Matrix, targets: Matrix, temperature: number): TargetResponse {
  const [points, outputs] = targets.shape;
  const { values, vectors } = symmetricEigen(kernel);
  const first = firstPositive(values);
  const half = transpose(vectors);
  let logDeterminant = 0;
  for (let i = 0; i < points; i++) {
    const total = (i < first ? 0 : values[i]!) + temperature;
    logDeterminant += Math.log(total);
    for (let j = 0; j < points; j++) half.data[i * points + j]! /= Math.sqrt(total);
  }
  const whitened = multiply(half, targets);
  const logDensity = -0.5 * (innerProduct(whitened, whitened) + outputs * (logDeterminant + points * Math.log(2 * Math.PI)));
  return { weights: multiplyTransposedLeft(half, whitened), resolvent: gram(transpose(half)), logDensity };
}
