import { inputError, rowRange, zeros, type LinearKernel, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft, symmetricEigen, transpose } from "@finitewidth/linalg";
import { requireParameters, type LaterBiases, type SpectralProblem } from "../spectrum/problem.js";
import { inputMoments, residualMoments } from "./moments.js";

/** A problem whose eigenvectors are known by what makes them of the inputs. */
export interface InputSpaceProblem {
  /** Without eigenvectors at the training points: `spectrum.vectors` is empty. */
  readonly spectral: SpectralProblem;
  /** W, (N0 + 1) × r: V = ψW for rows ψ = (x, 1) of the inputs. */
  readonly directions: Matrix;
}

/** Noise, relative to the mean of the kernel's diagonal, below which squares of the inputs would cost digits that count. */
const leastNoise = 1e-9;

/**
 * Spectrum of K = w X Xᵀ + b 11ᵀ (P × P, never formed) and targets in its eigenbasis: with Φ = ψC, C = diag(√w, …, √w, √b), and ΦᵀΦ =
 * U S Uᵀ, K = V S Vᵀ for V = Φ U S^{−½}. Eigenvalues above P ε κ_max count; the constant vector gets a direction of its own (κ = 0) where
 * later biases need it. Undefined unless there are more points than features and noise that is felt beside the kernel. P N0² + 9 N0³ flops
 * and 6 N0² numbers besides the inputs. Source: docs/theories/exact.md, "More points than features".
 * @throws FinitewidthError (code "input"/"shape") naming the field.
 */
export function inputSpaceProblem(
  kernel: LinearKernel,
  inputs: Matrix,
  targets: Matrix,
  temperature: number,
  biases: LaterBiases,
  breathe?: () => void,
): InputSpaceProblem | undefined {
  requireParameters(temperature, biases.readout);
  const [points, features] = inputs.shape;
  if (points <= features + 1 || temperature === 0) return undefined;
  const bad = targets.data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) throw inputError("targets", "finite numbers", targets.data[bad]);
  const moments = inputMoments(inputs, targets, breathe);
  const found = positiveDirections(moments.gram, kernel, points);
  const total = found.values.reduce((sum, value) => sum + value, 0);
  if (!(temperature > (leastNoise * total) / points)) return undefined;
  const spanned = biases.hidden || biases.readout > 0 ? withConstant(inputs, found) : found;
  const projected = multiplyTransposedLeft(spanned.directions, moments.targets);
  const { square } = residualMoments(inputs, targets, multiply(spanned.directions, projected));
  return {
    spectral: {
      spectrum: { values: spanned.values, vectors: zeros(0, 0) },
      targets: projected,
      nullity: points - spanned.values.length,
      residualSquare: square,
      temperature,
      ones: spanned.ones,
      readoutBias: biases.readout,
      warnings: [],
    },
    directions: spanned.directions,
  };
}

interface Directions {
  /** S. */
  readonly values: Float64Array;
  /** W. */
  readonly directions: Matrix;
  /** Vᵀ1. */
  readonly ones: Float64Array;
}

/** S and W = C U S^{−½} of what counts. */
function positiveDirections(gram: Matrix, kernel: LinearKernel, points: number): Directions {
  const size = gram.shape[0];
  const scales = new Float64Array(size).fill(Math.sqrt(kernel.weight));
  scales[size - 1] = Math.sqrt(kernel.bias);
  const scaled = zeros(size, size);
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) scaled.data[i * size + j] = scales[i]! * gram.data[i * size + j]! * scales[j]!;
  const { values: all, vectors } = symmetricEigen(scaled);
  const threshold = points * Number.EPSILON * Math.max(all[size - 1]!, 0);
  const above = all.findIndex((value) => value > threshold);
  const first = above < 0 ? size : above;
  const values = all.slice(first);
  const rank = values.length;
  const directions = zeros(size, rank);
  for (let i = 0; i < size; i++)
    for (let k = 0; k < rank; k++)
      directions.data[i * rank + k] = (scales[i]! * vectors.data[i * size + first + k]!) / Math.sqrt(values[k]!);
  const sums = { data: gram.data.subarray((size - 1) * size), shape: [size, 1] as const };
  return { values, directions, ones: multiplyTransposedLeft(directions, sums).data };
}

/** Like `spanConstant`: the constant vector less what V spans of it, normalised, in front of the others with κ = 0. */
function withConstant(inputs: Matrix, found: Directions): Directions {
  const { values, directions, ones } = found;
  const [size, rank] = directions.shape;
  const points = inputs.shape[0];
  const constant = { data: new Float64Array(points).fill(1), shape: [points, 1] as const };
  const span = zeros(size, 1);
  let square = 0;
  let overlap: Float64Array = ones;
  // twice: the second pass removes what rounding left of the first
  for (let pass = 0; pass < 2; pass++) {
    const part = multiply(directions, { data: overlap, shape: [rank, 1] });
    for (let i = 0; i < size; i++) span.data[i]! += part.data[i]!;
    const rest = residualMoments(inputs, constant, span);
    square = rest.square;
    overlap = multiplyTransposedLeft(directions, rest.seen).data;
  }
  if (square < 1e-14 * points) return found;
  const norm = Math.sqrt(square);
  const wider = zeros(size, rank + 1);
  for (let i = 0; i < size; i++) {
    wider.data[i * (rank + 1)] = ((i === size - 1 ? 1 : 0) - span.data[i]!) / norm;
    wider.data.set(directions.data.subarray(i * rank, (i + 1) * rank), i * (rank + 1) + 1);
  }
  // the new direction is orthogonal to the rest of 1, so that 1ᵀv is its norm
  return { values: Float64Array.from([0, ...values]), directions: wider, ones: Float64Array.from([norm, ...ones]) };
}

/** VᵀK_x at other inputs, r × P*: diag(κ) Wᵀψᵀ. O(P* N0 r). */
export function inputSpaceCross(directions: Matrix, values: Float64Array, inputs: Matrix): Matrix {
  const out = transpose(inputSpaceVectors(directions, inputs, 0, inputs.shape[0]));
  const columns = out.shape[1];
  for (let i = 0; i < values.length; i++) for (let j = 0; j < columns; j++) out.data[i * columns + j]! *= values[i]!;
  return out;
}

/** Rows from … to of V at the given inputs: (to − from) × r. O((to − from) N0 r). */
export function inputSpaceVectors(directions: Matrix, inputs: Matrix, from: number, to: number): Matrix {
  const [size, rank] = directions.shape;
  const features = size - 1;
  const out = multiply(rowRange(inputs, from, to), { data: directions.data.subarray(0, features * rank), shape: [features, rank] });
  const constant = directions.data.subarray(features * rank);
  for (let i = 0; i < to - from; i++) for (let k = 0; k < rank; k++) out.data[i * rank + k]! += constant[k]!;
  return out;
}
