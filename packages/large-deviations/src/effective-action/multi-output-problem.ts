import { FinitewidthError, columnOf, inputError, shapeError, type Matrix } from "@finitewidth/core";
import { multiplyTransposedLeft, projectedSpectrum, symmetricEigen, tridiagonalise } from "@finitewidth/linalg";
import { checkKernel } from "@finitewidth/numerics";
import { checkParameters, clipEigenvalues, rankOf, requireRank, withColumns } from "./scalar-problem.js";

/** Data of one hidden layer with D outputs, and with an activation that may have a mean. */
export interface MultiOutputInput {
  /** K = σ_w²(2) G¹ without the readout bias: P × P; its centred part K − m mᵀ where `mean` is given. */
  readonly kernel: Matrix;
  /** Y: P × D. */
  readonly targets: Matrix;
  /** T ≥ 0; T = 0 needs a positive definite kernel. */
  readonly temperature: number;
  readonly width: number;
  /** @defaultValue 0 */
  readonly biasVariance?: number;
  /** m = σ_w E φ, P numbers: turns on the second order parameter ζ. */
  readonly mean?: Float64Array;
}

/**
 * The same in the eigenbasis of the kernel. Directions whose coefficients are integrated out exactly, output by output: the mean m of the
 * activation (covariance ζ of its coefficients ξ) and the readout bias.
 */
export interface MultiOutputSpectrum {
  /** k, ascending; 0 within rounding of 0. */
  readonly eigenvalues: Float64Array;
  /** Z = UᵀY: P × D. */
  readonly targets: Matrix;
  /** Uᵀm, where there is a mean. */
  readonly mean?: Float64Array;
  /** Uᵀ1. */
  readonly ones: Float64Array;
  readonly temperature: number;
  readonly width: number;
  readonly biasVariance: number;
  readonly rank: number;
}

/** With the eigenvectors, for outputs at new or training points and learned kernels. */
export interface MultiOutputProblem extends MultiOutputSpectrum {
  readonly vectors: Matrix;
}

/**
 * Diagonalises the kernel: O(P³). @throws FinitewidthError (code "input", "shape" or "not-positive-definite") like `createScalarProblem`,
 * and at T = 0 for a singular kernel.
 */
export function createMultiOutputProblem(input: MultiOutputInput): MultiOutputProblem {
  const { targets, temperature, width, biasVariance = 0, mean } = input;
  const { values, vectors } = symmetricEigen(checkInput(input));
  const eigenvalues = clipEigenvalues(values);
  const rank = requireRank(eigenvalues, temperature);
  const project = (data: Float64Array): Float64Array => multiplyTransposedLeft(vectors, { data, shape: [data.length, 1] }).data;
  return {
    eigenvalues,
    vectors,
    targets: multiplyTransposedLeft(vectors, targets),
    ...(mean ? { mean: project(mean) } : {}),
    ones: project(new Float64Array(targets.shape[0]).fill(1)),
    temperature,
    width,
    biasVariance,
    rank,
  };
}

/**
 * Problems with one output and a mean, one for every column of `targets` (P × m), without eigenvectors: one tridiagonalisation for all.
 * `meanSaddle` and `meanIntegral` take them. O(P³ + m P²). @throws like `createMultiOutputProblem`.
 */
export function reduceMeanProblems(
  input: Omit<MultiOutputInput, "targets" | "mean"> & { readonly mean: Float64Array },
  targets: Matrix,
): MultiOutputSpectrum[] {
  const { temperature, width, biasVariance = 0, mean } = input;
  const [size, count] = targets.shape;
  const form = tridiagonalise(checkInput({ ...input, targets }));
  const { values, projections } = projectedSpectrum(form, withColumns(targets, mean, new Float64Array(size).fill(1)));
  const eigenvalues = clipEigenvalues(values);
  const common = {
    eigenvalues,
    mean: columnOf(projections, count),
    ones: columnOf(projections, count + 1),
    temperature,
    width,
    biasVariance,
    rank: requireRank(eigenvalues, temperature),
  };
  return Array.from({ length: count }, (_, j) => ({ ...common, targets: { data: columnOf(projections, j), shape: [size, 1] } }));
}

/** Checks everything but the rank and returns the symmetrised kernel. */
function checkInput({ targets, temperature, width, biasVariance = 0, kernel: given }: MultiOutputInput): Matrix {
  const kernel = checkKernel(given);
  const size = kernel.shape[0];
  if (targets.shape[0] !== size) throw shapeError("targets", `${size} rows, like the kernel`, `${targets.shape[0]}`);
  if (!targets.data.every(Number.isFinite)) throw inputError("targets", "finite numbers", "NaN or infinity");
  checkParameters(temperature, width, biasVariance);
  return kernel;
}

/**
 * Without noise and with as many points as the narrowest layer is wide, targets of rank below D drive the order parameter to a singular
 * matrix. O(P D² + D³), and only at T = 0. @throws FinitewidthError (code "not-converged").
 */
export function requireMinimum({ targets, ones, mean, temperature, biasVariance }: MultiOutputSpectrum, width: number): void {
  const taken = [...(biasVariance > 0 ? [ones] : []), ...(mean ? [mean] : [])];
  const [points, outputs] = targets.shape;
  if (temperature > 0 || points - taken.length < width) return;
  const directions = multiplyTransposedLeft(withColumns(targets, ...taken), withColumns(targets, ...taken));
  const rank = rankOf(symmetricEigen(directions).values);
  if (rank >= outputs + taken.length) return;
  throw new FinitewidthError(
    "the action has no minimum: T = 0 and P ≥ N with targets that do not span the outputs (once the readout bias has taken what it can) drive the order parameter to 0; raise the temperature",
    { code: "not-converged" },
  );
}
