import { FinitewidthError, inputError, shapeError, type Matrix } from "@finitewidth/core";
import { multiplyTransposedLeft, symmetricEigen, symmetrise } from "@finitewidth/linalg";

/** Data of the effective action of one hidden layer and one output. */
export interface ScalarInput {
  /** K = σ_w²(2) G¹, the readout kernel without the readout bias: P × P, positive semidefinite. */
  readonly kernel: Matrix;
  /** y: P numbers. */
  readonly targets: Float64Array;
  /** T ≥ 0. */
  readonly temperature: number;
  /** N > 0; need not be an integer. */
  readonly width: number;
  /** b = σ_b²(2). @defaultValue 0 */
  readonly biasVariance?: number;
}

/** The same in the eigenbasis of K = U diag(k) Uᵀ, where every evaluation of the action is O(P). Plain data. */
export interface ScalarProblem {
  /** k, ascending, clipped at 0. */
  readonly eigenvalues: Float64Array;
  /** U: P × P. */
  readonly vectors: Matrix;
  /** z = Uᵀy. */
  readonly targets: Float64Array;
  /** w = Uᵀ1. */
  readonly ones: Float64Array;
  readonly temperature: number;
  readonly width: number;
  readonly biasVariance: number;
  /** Eigenvalues above 1e-12 of the largest. */
  readonly rank: number;
}

const finite = (values: Float64Array): boolean => values.every(Number.isFinite);

/** Checks that a kernel is square, finite and symmetric to 1e-8 of its largest entry; returns (K + Kᵀ)/2. @throws FinitewidthError (code "input" or "shape"). */
export function checkKernel(kernel: Matrix, path = "kernel"): Matrix {
  const [rows, columns] = kernel.shape;
  if (rows !== columns) throw shapeError(path, "a square matrix", `${rows} × ${columns}`);
  if (!finite(kernel.data)) throw inputError(path, "finite numbers", "NaN or infinity");
  let largest = 0;
  let difference = 0;
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j <= i; j++) {
      const [a, b] = [kernel.data[i * rows + j]!, kernel.data[j * rows + i]!];
      largest = Math.max(largest, Math.abs(a), Math.abs(b));
      difference = Math.max(difference, Math.abs(a - b));
    }
  }
  if (difference > 1e-8 * largest) throw inputError(path, "a symmetric matrix", `entries that differ by ${difference}`);
  return symmetrise(kernel);
}

/** Clips eigenvalues (ascending) that rounding made negative to 0. @throws FinitewidthError (code "not-positive-definite") below −1e-7 of the largest. */
export function clipEigenvalues(values: Float64Array, path = "kernel"): Float64Array {
  const largest = Math.max(values.at(-1) ?? 0, 0);
  const smallest = values[0] ?? 0;
  if (smallest < -1e-7 * Math.max(largest, Number.MIN_VALUE)) {
    throw new FinitewidthError(`${path}: expected a positive semidefinite matrix, got the eigenvalue ${smallest} (largest ${largest})`, { code: "not-positive-definite", path });
  }
  return values.map((value) => Math.max(value, 0));
}

/** Number of eigenvalues above 1e-12 of the largest. */
export function rankOf(values: Float64Array): number {
  const threshold = 1e-12 * Math.max(...values, 0);
  return values.reduce((count, value) => count + (value > threshold ? 1 : 0), 0);
}

/** @throws FinitewidthError (code "input") unless T ≥ 0, N > 0, b ≥ 0 are finite. */
export function checkParameters(temperature: number, width: number, biasVariance: number): void {
  if (!(temperature >= 0 && Number.isFinite(temperature))) throw inputError("temperature", "a number ≥ 0", temperature);
  if (!(width > 0 && Number.isFinite(width))) throw inputError("width", "a positive number", width);
  if (!(biasVariance >= 0 && Number.isFinite(biasVariance))) throw inputError("biasVariance", "a number ≥ 0", biasVariance);
}

/**
 * Diagonalises the kernel once: O(P³). @throws FinitewidthError (code "input", "shape" or "not-positive-definite") for shapes that do not
 * fit, NaN, a kernel that is not symmetric or indefinite (eigenvalues down to −1e-7 of the largest count as 0), negative variances, and
 * T = 0 with a singular kernel (duplicate inputs, or rank < P).
 */
export function createScalarProblem(input: ScalarInput): ScalarProblem {
  const { targets, temperature, width, biasVariance = 0 } = input;
  const kernel = checkKernel(input.kernel);
  const size = kernel.shape[0];
  if (targets.length !== size) throw shapeError("targets", `${size} numbers, like the kernel`, `${targets.length}`);
  if (!finite(targets)) throw inputError("targets", "finite numbers", "NaN or infinity");
  checkParameters(temperature, width, biasVariance);
  const eigen = symmetricEigen(kernel);
  const eigenvalues = clipEigenvalues(eigen.values);
  const rank = rankOf(eigenvalues);
  if (temperature === 0 && rank < size) {
    throw new FinitewidthError(`temperature: expected a positive number because the kernel is singular (rank ${rank} of ${size}: duplicate inputs, or fewer features than inputs), got 0`, { code: "not-positive-definite", path: "temperature" });
  }
  const project = (data: Float64Array): Float64Array => multiplyTransposedLeft(eigen.vectors, { data, shape: [size, 1] }).data;
  return { eigenvalues, vectors: eigen.vectors, targets: project(targets), ones: project(new Float64Array(size).fill(1)), temperature, width, biasVariance, rank };
}
