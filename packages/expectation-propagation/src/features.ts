import { crossKernelMap, diagonalMap, kernelMap } from "@finitewidth/activations";
import { zeros, type Activation, type Matrix } from "@finitewidth/core";
import { combine, diagonalOf, multiply, multiplyTransposedRight, symmetricEigen } from "@finitewidth/linalg";
import type { TestRows } from "./prediction.js";

/** Directions with less than this fraction of the largest eigenvalue of K¹ are rounding. */
const rankTolerance = 1e-12;

/** Coordinates of the preactivations of one unit. */
export interface UnitFeatures {
  /** F: P × d, F Fᵀ = K¹, d its rank. */
  readonly features: Matrix;
  /** P × d: K¹_*t times it gives the features of new rows. */
  readonly projection: Matrix;
}

/**
 * Coordinates of a unit from K¹ = σ_w²(1) XXᵀ/N0 + σ_b²(1): its eigenvectors times the roots of its eigenvalues. Eigenvectors point along
 * the targets, so that the same draws belong to the same units in any order of the rows. O(P³).
 */
export function unitFeatures(kernel: Matrix, targets: Float64Array): UnitFeatures {
  const P = kernel.shape[0];
  const { values, vectors } = symmetricEigen(kernel);
  const kept = [...values.keys()].filter((k) => values[k]! > rankTolerance * P * values.at(-1)!);
  // inputs that are all zero: one coordinate that nothing depends on
  if (kept.length === 0) return { features: zeros(P, 1), projection: zeros(P, 1) };
  const features = zeros(P, kept.length);
  const projection = zeros(P, kept.length);
  for (const [j, k] of kept.entries()) {
    const root = Math.sqrt(values[k]!);
    let along = 0;
    for (let a = 0; a < P; a++) along += vectors.data[a * P + k]! * targets[a]!;
    for (let a = 0; a < P; a++) {
      const entry = (along < 0 ? -1 : 1) * vectors.data[a * P + k]!;
      features.data[a * kept.length + j] = entry * root;
      projection.data[a * kept.length + j] = entry / root;
    }
  }
  return { features, projection };
}

/** First-layer kernels of new rows: K¹_*t, and K¹_** (its diagonal, or all of it when covariances are wanted). */
export interface NewKernels {
  readonly cross: Matrix;
  readonly own: Float64Array | Matrix;
}

/** New rows as the units see them. O(P* P d), and O(P*³) for covariances. */
export function testRowsOf(activation: Activation, kernel: Matrix, { projection }: UnitFeatures, { cross, own }: NewKernels): TestRows {
  const features = multiply(cross, projection);
  const [S, d] = features.shape;
  const explained = Float64Array.from({ length: S }, (_, a) => {
    let sum = 0;
    for (let j = 0; j < d; j++) sum += features.data[a * d + j]! ** 2;
    return sum;
  });
  const full = "shape" in own;
  const variances = full ? diagonalOf(own) : own;
  return {
    features,
    residual: full ? rootOf(combine(1, own, -1, multiplyTransposedRight(features, features)), variances) : rootsOf(variances, explained),
    cross: crossKernelMap(activation, variances, cross, diagonalOf(kernel)),
    own: full ? kernelMap(activation, own) : diagonalMap(activation, own),
  };
}

/** Residual variances below this fraction of the variance are rounding. */
const residualTolerance = 1e-10;

const rootsOf = (variances: Float64Array, explained: Float64Array): Float64Array =>
  variances.map((value, a) => (value - explained[a]! > residualTolerance * value ? Math.sqrt(value - explained[a]!) : 0));

/** Factor B (n × rank) of a positive semi-definite matrix, B Bᵀ, without the directions that are rounding. */
function rootOf(a: Matrix, variances: Float64Array): Matrix {
  const { values, vectors } = symmetricEigen(a);
  const least = residualTolerance * variances.reduce((most, value) => Math.max(most, value), 0);
  const kept = [...values.keys()].filter((k) => values[k]! > least);
  const n = a.shape[0];
  const root = zeros(n, kept.length);
  for (const [j, k] of kept.entries())
    for (let i = 0; i < n; i++) root.data[i * kept.length + j] = vectors.data[i * n + k]! * Math.sqrt(values[k]!);
  return root;
}
