import { FinitewidthError, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  diagonalOf,
  gram,
  identity,
  innerProduct,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveCholesky,
  solveLower,
  symmetricEigen,
  transpose,
} from "@finitewidth/linalg";

/** The likelihood at a readout kernel C. */
export interface DataTerm {
  /** V = (C + T)⁻¹Y: P × D. */
  readonly weights: Matrix;
  /** R = (C + T)⁻¹: P × P. */
  readonly resolvent: Matrix;
  /** ln N(Y | 0, C + T), all outputs. */
  readonly logDensity: number;
}

/**
 * Weights, resolvent and log density of the targets Y (P × D) under N(0, C + T) per output: Cholesky, or the eigenvectors of C where T > 0
 * is lost in the rounding of a singular C. O(P³).
 * @throws FinitewidthError (code "not-positive-definite") when C + T is singular, as at T = 0 with dependent inputs.
 */
export function dataTerm(kernel: Matrix, targets: Matrix, temperature: number): DataTerm {
  const [points, outputs] = targets.shape;
  let largest = 0;
  for (let i = 0; i < points; i++) largest = Math.max(largest, kernel.data[i * points + i]!);
  const tiny = temperature > 0 && temperature < 1e-7 * largest;
  let factor;
  try {
    factor = cholesky(addDiagonal(kernel, temperature));
    const least = 10 * (temperature + points * Number.EPSILON * largest);
    if (tiny && diagonalOf(factor.factor).some((pivot) => pivot * pivot <= least)) return spectralTerm(kernel, targets, temperature);
  } catch (error) {
    if (!(error instanceof FinitewidthError && error.code === "not-positive-definite")) throw error;
    if (tiny) return spectralTerm(kernel, targets, temperature);
    throw new FinitewidthError(
      `the readout kernel plus the temperature (T = ${temperature}) is singular${temperature === 0 ? ": duplicate inputs, or more inputs than the network's features at T = 0; give a temperature > 0" : ""}`,
      { code: "not-positive-definite" },
      { cause: error },
    );
  }
  const weights = solveCholesky(factor, targets);
  const resolvent = gram(transpose(solveLower(factor.factor, identity(points))));
  const logDensity = -0.5 * (innerProduct(targets, weights) + outputs * (factor.logDeterminant + points * Math.log(2 * Math.PI)));
  return { weights, resolvent, logDensity };
}

/** The same by the eigenvalues of C, those within rounding of 0 being 0. @throws FinitewidthError for a negative eigenvalue. */
function spectralTerm(kernel: Matrix, targets: Matrix, temperature: number): DataTerm {
  const [points, outputs] = targets.shape;
  const { values, vectors } = symmetricEigen(kernel);
  const least = points * Number.EPSILON * values[points - 1]!;
  if (values[0]! < -1e-8 * values[points - 1]!)
    throw new FinitewidthError(`the readout kernel has the eigenvalue ${values[0]}`, { code: "not-positive-definite" });
  const half = transpose(vectors);
  let logDeterminant = 0;
  for (let i = 0; i < points; i++) {
    const total = (values[i]! > least ? values[i]! : 0) + temperature;
    logDeterminant += Math.log(total);
    for (let j = 0; j < points; j++) half.data[i * points + j]! /= Math.sqrt(total);
  }
  const whitened = multiply(half, targets);
  const logDensity = -0.5 * (innerProduct(whitened, whitened) + outputs * (logDeterminant + points * Math.log(2 * Math.PI)));
  return { weights: multiplyTransposedLeft(half, whitened), resolvent: gram(transpose(half)), logDensity };
}

/** d ln N(Y|0, C + T)/dC = ½[VVᵀ − D R]: the force of the data on the readout kernel. */
export function dataForce({ weights, resolvent }: Pick<DataTerm, "weights" | "resolvent">): Matrix {
  const outputs = weights.shape[1];
  const square = multiplyTransposedRight(weights, weights);
  return { data: square.data.map((value, i) => 0.5 * (value - outputs * resolvent.data[i]!)), shape: square.shape };
}

/** ⟨y − f⟩ = TV and ⟨|y − f|²⟩ = T²|V|² + DT(P − T tr R), summed over points and outputs. */
export function trainingDiscrepancy(
  { weights, resolvent }: Pick<DataTerm, "weights" | "resolvent">,
  temperature: number,
): { readonly mean: Matrix; readonly square: number } {
  const [points, outputs] = weights.shape;
  let trace = 0;
  for (let i = 0; i < points; i++) trace += resolvent.data[i * points + i]!;
  return {
    mean: { data: weights.data.map((value) => temperature * value), shape: weights.shape },
    square: temperature ** 2 * innerProduct(weights, weights) + outputs * temperature * (points - temperature * trace),
  };
}

/** Mean C*V (P* × D) and variance c** − c*ᵀRc* per output (P*), clipped at 0, from cross kernels (P* × P) and variances (P*). */
export function predictFromKernels(
  { weights, resolvent }: Pick<DataTerm, "weights" | "resolvent">,
  cross: Matrix,
  variances: Float64Array,
): { readonly mean: Matrix; readonly variance: Float64Array } {
  const [points, size] = cross.shape;
  const product = multiply(cross, resolvent);
  const variance = variances.slice();
  for (let t = 0; t < points; t++) {
    for (let a = 0; a < size; a++) variance[t]! -= product.data[t * size + a]! * cross.data[t * size + a]!;
    variance[t] = Math.max(variance[t]!, 0);
  }
  return { mean: multiply(cross, weights), variance };
}
