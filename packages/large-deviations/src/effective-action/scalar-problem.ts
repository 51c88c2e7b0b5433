import { FinitewidthError, columnOf, inputError, shapeError, zeros, type Matrix } from "@finitewidth/core";
import {
  eigenFromTridiagonal,
  multiplyTransposedLeft,
  projectedSpectrum,
  symmetricEigen,
  tridiagonalise,
  type SymmetricEigen,
  type Tridiagonalisation,
} from "@finitewidth/linalg";
import { checkKernel } from "@finitewidth/numerics";

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

/**
 * The same in the eigenbasis of K = U diag(k) Uᵀ, where every evaluation of the action is O(P): all that minima, evidence, posterior of Q
 * and training error need. Plain data.
 */
export interface ScalarSpectrum {
  /** k, ascending; 0 within rounding of 0. */
  readonly eigenvalues: Float64Array;
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

/** With the eigenvectors, for outputs at training points, learned kernels and joint covariances. */
export interface ScalarProblem extends ScalarSpectrum {
  /** U: P × P. */
  readonly vectors: Matrix;
}

/** Without the eigenvectors, but with what makes them: see `completeScalarProblem`. */
export interface ReducedScalarProblem extends ScalarSpectrum {
  /** K = Q T Qᵀ. */
  readonly form: Tridiagonalisation;
  /** y itself. */
  readonly given: Float64Array;
}

const finite = (values: Float64Array): boolean => values.every(Number.isFinite);

/**
 * Sets eigenvalues (ascending) within rounding of 0, P ε of the largest, to 0: null directions, which hold noise alone.
 * @throws FinitewidthError (code "not-positive-definite") below −1e-7 of the largest.
 */
export function clipEigenvalues(values: Float64Array, path = "kernel"): Float64Array {
  const largest = Math.max(values.at(-1) ?? 0, 0);
  const smallest = values[0] ?? 0;
  if (smallest < -1e-7 * Math.max(largest, Number.MIN_VALUE)) {
    throw new FinitewidthError(`${path}: expected a positive semidefinite matrix, got the eigenvalue ${smallest} (largest ${largest})`, {
      code: "not-positive-definite",
      path,
    });
  }
  const rounding = values.length * Number.EPSILON * largest;
  return values.map((value) => (value > rounding ? value : 0));
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
  const kernel = checkInput(input);
  return withVectors(symmetricEigen(kernel), input.targets, input);
}

/**
 * The same without eigenvectors: one tridiagonalisation, 40 % of the time. Saddle, integral and training error take it as it is,
 * `predictReduced` predicts from it. O(P³). @throws like `createScalarProblem`.
 */
export function reduceScalarProblem(input: ScalarInput): ReducedScalarProblem {
  const { targets } = input;
  return reduceScalarProblems(input, { data: targets, shape: [targets.length, 1] })[0]!;
}

/** A problem for every column of `targets` (P × m, m ≥ 1), the kernel reduced once. O(P³ + m P²). @throws like `createScalarProblem`. */
export function reduceScalarProblems(input: Omit<ScalarInput, "targets">, targets: Matrix): ReducedScalarProblem[] {
  const { temperature, width, biasVariance = 0 } = input;
  const [size, count] = targets.shape;
  const form = tridiagonalise(checkInput({ ...input, targets: targets.data }, size));
  const { values, projections } = projectedSpectrum(form, withColumns(targets, new Float64Array(size).fill(1)));
  const eigenvalues = clipEigenvalues(values);
  const rank = requireRank(eigenvalues, temperature);
  const ones = columnOf(projections, count);
  return Array.from({ length: count }, (_, j) => ({
    eigenvalues,
    targets: columnOf(projections, j),
    ones,
    temperature,
    width,
    biasVariance,
    rank,
    form,
    given: columnOf(targets, j),
  }));
}

/** Makes the eigenvectors of a reduced problem after all; both steps together cost what `createScalarProblem` does. O(P³). */
export function completeScalarProblem(problem: ReducedScalarProblem): ScalarProblem {
  return withVectors(eigenFromTridiagonal(problem.form), problem.given, problem);
}

/** A with further columns on its right. */
export function withColumns(a: Matrix, ...columns: Float64Array[]): Matrix {
  const [rows, own] = a.shape;
  const out = zeros(rows, own + columns.length);
  for (let i = 0; i < rows; i++) {
    out.data.set(a.data.subarray(i * own, (i + 1) * own), i * (own + columns.length));
    for (const [j, column] of columns.entries()) out.data[i * (own + columns.length) + own + j] = column[i]!;
  }
  return out;
}

/** Checks everything but the rank and returns the symmetrised kernel. */
function checkInput({ targets, temperature, width, biasVariance = 0, kernel: given }: ScalarInput, rows = targets.length): Matrix {
  const kernel = checkKernel(given);
  const size = kernel.shape[0];
  if (rows !== size) throw shapeError("targets", `${size} numbers, like the kernel`, `${rows}`);
  if (!finite(targets)) throw inputError("targets", "finite numbers", "NaN or infinity");
  checkParameters(temperature, width, biasVariance);
  return kernel;
}

/** Number of independent points. @throws FinitewidthError (code "not-positive-definite") at T = 0 when it is not that of all. */
export function requireRank(eigenvalues: Float64Array, temperature: number): number {
  const size = eigenvalues.length;
  const rank = rankOf(eigenvalues);
  if (temperature === 0 && rank < size) {
    throw new FinitewidthError(
      `temperature: expected a positive number because the kernel is singular (rank ${rank} of ${size}: duplicate inputs, or fewer features than inputs), got 0`,
      { code: "not-positive-definite", path: "temperature" },
    );
  }
  return rank;
}

function withVectors(
  { values, vectors }: SymmetricEigen,
  targets: Float64Array,
  { temperature, width, biasVariance = 0 }: Pick<ScalarInput, "temperature" | "width" | "biasVariance">,
): ScalarProblem {
  const eigenvalues = clipEigenvalues(values);
  const rank = requireRank(eigenvalues, temperature);
  const size = targets.length;
  const project = (data: Float64Array): Float64Array => multiplyTransposedLeft(vectors, { data, shape: [size, 1] }).data;
  return {
    eigenvalues,
    vectors,
    targets: project(targets),
    ones: project(new Float64Array(size).fill(1)),
    temperature,
    width,
    biasVariance,
    rank,
  };
}
