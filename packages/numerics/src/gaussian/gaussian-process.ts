import { FinitewidthError, zeros, type Matrix, type Prediction } from "@finitewidth/core";
import {
  cholesky,
  diagonalOf,
  gram,
  inverseDiagonal,
  multiply,
  multiplyTransposedLeft,
  solveCholesky,
  solveLower,
  trace,
  transpose,
} from "@finitewidth/linalg";
import { projectTargets, rankWarnings, requireInRange, spectrumOf, type Spectrum } from "./spectrum.js";
import { mayLoseNoise } from "./resolvent.js";

/**
 * A Gaussian process with D independent outputs conditioned on Y = f(X) + noise of variance T. `root` is R (k × P) with
 * Rᵀ R = (K + T)⁻¹, or the pseudo-inverse of K at T = 0; `weights` is (K + T)⁻¹ Y (P × D). Plain data.
 */
export interface GaussianProcess {
  readonly root: Matrix;
  /**
   * "cholesky": root holds the lower Cholesky factor of K + T instead, and R = L⁻¹ is applied by substitution. "range": a kernel of rank
   * r < P beside which T is lost in rounding; root holds κ^{−½}Vᵀ (r × P) above the same times √(T/(κ + T)), and `weights` leave out the
   * null directions, which do not reach other points.
   */
  readonly form: "cholesky" | "root" | "range";
  readonly weights: Matrix;
  /** Σ_outputs log N(Y | 0, K + T); on the range of K (orthonormal coordinates) at T = 0. */
  readonly logEvidence: number;
  readonly warnings: readonly string[];
}

/** A test point whose variance beyond the training points is below this share of its own is in their span. */
const spanTolerance = 1e-12;

/**
 * Conditions on targets Y (P × D). Cholesky of K + T for T > 0; the eigenvectors of K where that fails, where T is lost in the rounding of
 * a singular K, and at T = 0, so that a singular K (duplicate inputs, P > rank) is an ordinary input at any T. A function that makes the
 * kernel lends its array to the factor: one P × P array in place of three. O(P³).
 * @throws FinitewidthError (code "input") at T = 0 when Y is outside the range of K, "not-positive-definite" for a kernel with a negative
 * eigenvalue.
 */
export function conditionGaussianProcess(given: Matrix | (() => Matrix), targets: Matrix, temperature: number): GaussianProcess {
  const own = typeof given === "function";
  const make = own ? given : (): Matrix => given;
  if (!(temperature > 0)) return conditionBySpectrum(spectrumOf(make()), targets, temperature);
  const kernel = make();
  const n = kernel.shape[0];
  const largest = diagonalOf(kernel).reduce((most, value) => Math.max(most, value), 0);
  const noisy = own ? kernel : { data: kernel.data.slice(), shape: kernel.shape };
  for (let i = 0; i < n; i++) noisy.data[i * n + i]! += temperature;
  try {
    const factor = cholesky(noisy, noisy.data);
    if (mayLoseNoise(factor.factor, largest, temperature)) {
      const spectrum = spectrumOf(make());
      if (spectrum.values.length < n) return conditionBySpectrum(spectrum, targets, temperature);
    }
    const weights = solveCholesky(factor, targets);
    const outputs = targets.shape[1];
    let quadratic = 0;
    for (let i = 0; i < targets.data.length; i++) quadratic += targets.data[i]! * weights.data[i]!;
    const logEvidence = -0.5 * (outputs * (factor.logDeterminant + n * Math.log(2 * Math.PI)) + quadratic);
    return { root: factor.factor, form: "cholesky", weights, logEvidence, warnings: [] };
  } catch (error) {
    if (!(error instanceof FinitewidthError && error.code === "not-positive-definite")) throw error;
  }
  return conditionBySpectrum(spectrumOf(make()), targets, temperature);
}

function conditionBySpectrum(spectrum: Spectrum, targets: Matrix, temperature: number): GaussianProcess {
  const { values, vectors } = spectrum;
  const [n, r] = vectors.shape;
  const outputs = targets.shape[1];
  const y = projectTargets(spectrum, targets);
  if (temperature === 0) requireInRange(y, targets);
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
    if (n > r) logEvidence -= 0.5 * ((n - r) * outputs * Math.log(2 * Math.PI * temperature) + y.residualSquare / temperature);
    const root = zeros(2 * r, n);
    for (let i = 0; i < r; i++) {
      const [scale, noise] = [1 / Math.sqrt(values[i]!), Math.sqrt(temperature / (values[i]! + temperature))];
      for (let j = 0; j < n; j++) {
        root.data[i * n + j] = scale * vectors.data[j * r + i]!;
        root.data[(r + i) * n + j] = noise * scale * vectors.data[j * r + i]!;
      }
    }
    return { root, form: "range", weights, logEvidence, warnings: [] };
  }
  const root = transpose(vectors);
  for (let i = 0; i < r; i++) for (let j = 0; j < n; j++) root.data[i * n + j]! /= Math.sqrt(values[i]!);
  return { root, form: "root", weights, logEvidence, warnings: rankWarnings(r, n) };
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
  const applied = applyRoot(process, cross);
  const [rows, points] = applied.shape;
  const k = process.form === "range" ? rows / 2 : rows;
  const explained: Matrix = { data: applied.data.subarray(0, k * points), shape: [k, points] };
  const noise: Matrix = { data: applied.data.subarray(k * points), shape: [rows - k, points] };
  const diagonal = prior instanceof Float64Array ? prior : diagonalOf(prior);
  const squares = (m: Matrix): Float64Array => {
    const out = new Float64Array(points);
    for (let i = 0; i < m.shape[0]; i++) for (let j = 0; j < points; j++) out[j]! += m.data[i * points + j]! ** 2;
    return out;
  };
  const square = squares(explained);
  const left = diagonal.map((value, j) => {
    const rest = value - square[j]!;
    return process.form === "range" && rest < spanTolerance * value ? 0 : Math.max(rest, 0);
  });
  const added = squares(noise);
  const variance = left.map((value, j) => value + added[j]!);
  if (prior instanceof Float64Array) return { mean, variance };
  const [product, more] = [gram(transpose(explained)), gram(transpose(noise))];
  const covariance = zeros(points, points);
  for (let i = 0; i < points; i++) {
    for (let j = 0; j < points; j++) {
      const at = i * points + j;
      // a point in the span has no part of its own that others could share
      const own = process.form === "range" && (left[i] === 0 || left[j] === 0) ? 0 : prior.data[at]! - product.data[at]!;
      covariance.data[at] = own + (more.data[at] ?? 0);
    }
  }
  return { mean, variance, covariance };
}

/** Mean and the variance (P* × D), or joint covariance with index point·D + output, of D outputs that share them and are independent. */
export function independentOutputs({ mean, variance, covariance }: GaussianPrediction, outputs: number): Prediction {
  const points = variance.length;
  const spread = zeros(points, outputs);
  for (let i = 0; i < points; i++) spread.data.fill(variance[i]!, i * outputs, (i + 1) * outputs);
  if (covariance === undefined) return { mean, variance: spread };
  const size = points * outputs;
  const joint = zeros(size, size);
  for (let i = 0; i < points; i++) {
    for (let j = 0; j < points; j++) {
      const value = i === j ? variance[i]! : covariance.data[i * points + j]!;
      for (let a = 0; a < outputs; a++) joint.data[(i * outputs + a) * size + j * outputs + a] = value;
    }
  }
  return { mean, variance: spread, covariance: joint };
}

/**
 * The same at the training points: mean Y − T(K + T)⁻¹Y, variance T − T²(K + T)⁻¹ (or K − K(K + T)⁻¹K where T exceeds the kernel: each form
 * is used where it does not cancel; only that makes a kernel given as a function). O(P³).
 */
export function trainGaussianProcess(
  process: Pick<GaussianProcess, "root" | "form" | "weights">,
  given: Matrix | (() => Matrix),
  targets: Matrix,
  temperature: number,
  meanVariance?: number,
): GaussianPrediction {
  const kernel = (): Matrix => (typeof given === "function" ? given() : given);
  const n = targets.shape[0];
  if (process.form !== "cholesky" || temperature > (meanVariance ?? trace(kernel()) / n)) {
    const own = kernel();
    return predictGaussianProcess(process, own, diagonalOf(own));
  }
  const mean = { data: targets.data.map((value, i) => value - temperature * process.weights.data[i]!), shape: targets.shape };
  const diagonal = inverseDiagonal(process.root);
  return { mean, variance: diagonal.map((value) => Math.max(temperature - temperature * temperature * value, 0)) };
}
