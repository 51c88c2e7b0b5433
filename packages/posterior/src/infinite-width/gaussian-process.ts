import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  diagonalOf,
  gram,
  identity,
  multiply,
  multiplyTransposedLeft,
  solveCholesky,
  solveLower,
  trace,
  transpose,
} from "@finitewidth/linalg";
import { projectTargets, requireInRange, spectrumOf } from "../spectrum/spectrum.js";

/**
 * A Gaussian process with D independent outputs conditioned on Y = f(X) + noise of variance T. `root` is R (k × P) with
 * Rᵀ R = (K + T)⁻¹, or the pseudo-inverse of K at T = 0; `weights` is (K + T)⁻¹ Y (P × D). Plain data.
 */
export interface GaussianProcess {
  readonly root: Matrix;
  /** "cholesky": root holds the lower Cholesky factor of K + T instead, and R = L⁻¹ is applied by substitution. */
  readonly form: "cholesky" | "root";
  readonly weights: Matrix;
  /** Σ_outputs log N(Y | 0, K + T); on the range of K (orthonormal coordinates) at T = 0. */
  readonly logEvidence: number;
  readonly warnings: readonly string[];
}

/**
 * Conditions on targets Y (P × D). Cholesky of K + T for T > 0; the eigenvectors of K where that fails and at T = 0, so that a singular K
 * (duplicate inputs, P > rank) is an ordinary input. O(P³).
 * @throws FinitewidthError (code "input") at T = 0 when Y is outside the range of K, "not-positive-definite" for a kernel with a negative
 * eigenvalue.
 */
export function conditionGaussianProcess(kernel: Matrix, targets: Matrix, temperature: number): GaussianProcess {
  if (temperature > 0) {
    try {
      const factor = cholesky(addDiagonal(kernel, temperature));
      const weights = solveCholesky(factor, targets);
      const outputs = targets.shape[1];
      let quadratic = 0;
      for (let i = 0; i < targets.data.length; i++) quadratic += targets.data[i]! * weights.data[i]!;
      const logEvidence = -0.5 * (outputs * (factor.logDeterminant + kernel.shape[0] * Math.log(2 * Math.PI)) + quadratic);
      return { root: factor.factor, form: "cholesky", weights, logEvidence, warnings: [] };
    } catch (error) {
      if (!(error instanceof FinitewidthError && error.code === "not-positive-definite")) throw error;
    }
  }
  return conditionBySpectrum(kernel, targets, temperature);
}

function conditionBySpectrum(kernel: Matrix, targets: Matrix, temperature: number): GaussianProcess {
  const spectrum = spectrumOf(kernel);
  const { values, vectors } = spectrum;
  const [n, r] = vectors.shape;
  const outputs = targets.shape[1];
  const y = projectTargets(spectrum, targets);
  if (temperature === 0)
    requireInRange(
      y,
      targets.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0),
    );
  let logEvidence = 0;
  const scaled = zeros(r, outputs);
  for (let i = 0; i < r; i++) {
    const variance = values[i]! + temperature;
    for (let a = 0; a < outputs; a++) {
      const value = y.projected.data[i * outputs + a]!;
      logEvidence -= 0.5 * (Math.log(2 * Math.PI * variance) + (value * value) / variance);
      scaled.data[i * outputs + a] = value / variance;
    }
  }
  const weights = multiply(vectors, scaled);
  if (temperature > 0) {
    logEvidence -= 0.5 * ((n - r) * outputs * Math.log(2 * Math.PI * temperature) + y.residualSquare / temperature);
    // The null directions carry weight Y_⊥/T; they do not reach test points.
    const fitted = multiply(vectors, y.projected);
    for (let i = 0; i < weights.data.length; i++) weights.data[i]! += (targets.data[i]! - fitted.data[i]!) / temperature;
  }
  const root = transpose(vectors);
  for (let i = 0; i < r; i++) for (let j = 0; j < n; j++) root.data[i * n + j]! /= Math.sqrt(values[i]! + temperature);
  const warnings = r < n && temperature === 0 ? [`kernel has rank ${r} of ${n}: the log evidence is the density on its range`] : [];
  return { root, form: "root", weights, logEvidence, warnings };
}

/** R B. */
const applyRoot = (process: Pick<GaussianProcess, "root" | "form">, b: Matrix): Matrix =>
  process.form === "cholesky" ? solveLower(process.root, b) : multiply(process.root, b);

/** Mean (P* × D), and the variance (P*) or covariance (P* × P*) that all outputs share. */
export interface GaussianPrediction {
  readonly mean: Matrix;
  readonly variance: Float64Array;
  readonly covariance?: Matrix;
}

/**
 * Mean K_xᵀ(K + T)⁻¹Y and variance K_xx − K_xᵀ(K + T)⁻¹K_x at other points. `cross`: P × P*; `prior`: P* variances, or the P* × P*
 * covariance when the joint one is wanted. Variances below rounding are clipped at 0. O(P² P*).
 */
export function predictGaussianProcess(
  process: Pick<GaussianProcess, "root" | "form" | "weights">,
  cross: Matrix,
  prior: Float64Array | Matrix,
): GaussianPrediction {
  const mean = multiplyTransposedLeft(cross, process.weights);
  const explained = applyRoot(process, cross);
  const [k, points] = explained.shape;
  const square = new Float64Array(points);
  for (let i = 0; i < k; i++) for (let j = 0; j < points; j++) square[j]! += explained.data[i * points + j]! ** 2;
  const diagonal = prior instanceof Float64Array ? prior : diagonalOf(prior);
  const variance = diagonal.map((value, j) => Math.max(value - square[j]!, 0));
  if (prior instanceof Float64Array) return { mean, variance };
  const product = gram(transpose(explained));
  return { mean, variance, covariance: { data: prior.data.map((value, i) => value - product.data[i]!), shape: prior.shape } };
}

/**
 * The same at the training points: mean Y − T(K + T)⁻¹Y, variance T − T²(K + T)⁻¹ (or K − K(K + T)⁻¹K where T exceeds the kernel: each form
 * is used where it does not cancel). O(P³).
 */
export function trainGaussianProcess(process: GaussianProcess, kernel: Matrix, targets: Matrix, temperature: number): GaussianPrediction {
  const n = kernel.shape[0];
  if (process.form === "root" || temperature > trace(kernel) / n) return predictGaussianProcess(process, kernel, diagonalOf(kernel));
  const mean = { data: targets.data.map((value, i) => value - temperature * process.weights.data[i]!), shape: targets.shape };
  const inverse = applyRoot(process, identity(n));
  const diagonal = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) diagonal[j]! += inverse.data[i * n + j]! ** 2;
  return { mean, variance: diagonal.map((value) => Math.max(temperature - temperature * temperature * value, 0)) };
}
