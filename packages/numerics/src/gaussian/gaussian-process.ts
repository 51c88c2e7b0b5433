import { FinitewidthError, zeros, type Matrix, type Prediction } from "@finitewidth/core";
import {
  cholesky,
  choleskyInverse,
  diagonalOf,
  gram,
  innerProduct,
  inverseDiagonal,
  multiply,
  multiplyTransposedLeft,
  scaleColumns,
  solveCholesky,
  solveLower,
  solveLowerTransposed,
  trace,
  transpose,
  type Cholesky,
} from "@finitewidth/linalg";
import { projectTargets, rankWarnings, requireInRange, spectrumOf, type Spectrum } from "./spectrum.js";
import { mayLoseNoise } from "./lost-noise.js";

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

/** The conditioning with what derivatives in the kernel need. */
export interface ConditionedTargets extends GaussianProcess {
  /** log det(K + T) and tr Yᵀ(K + T)⁻¹Y, those of the null directions included at T > 0. */
  readonly logDeterminant: number;
  readonly quadratic: number;
  /** P, or the rank of K where "root" and "range" leave the null directions out. */
  readonly directions: number;
  /** The targets' part in the null directions that are left out. */
  readonly outside?: Matrix;
  /**
   * (K + T)⁻¹ (P × P) without the null directions that `weights` leave out: changes of the kernel within its range do not reach them.
   * `into` is an array for it, that of the Cholesky factor if need be. O(P³).
   */
  resolvent(into?: Float64Array): Matrix;
  /** R B with RᵀR = `resolvent`, and Rᵀ B; R is `directions` × P. */
  whiten(b: Matrix): Matrix;
  unwhiten(b: Matrix): Matrix;
  /** Condition number of what the resolvent holds, by eigenvalues, or at least that of the pivots. */
  condition(): number;
}

export interface ConditioningOptions {
  /** K is regular at T = 0: Cholesky there too, for iterations. @defaultValue false */
  readonly regular?: boolean;
  /** Share of the largest variance up to which T counts as little, and null directions are looked for. @defaultValue 1e-7 */
  readonly littleNoise?: number;
}

/**
 * Conditions on targets Y (P × D). Cholesky of K + T for T > 0; the eigenvectors of K where that fails, where T is lost in the rounding of
 * a singular K, and at T = 0, so that a singular K (duplicate inputs, P > rank) is an ordinary input at any T. A function that makes the
 * kernel lends its array to the factor: one P × P array in place of three. O(P³).
 * @throws FinitewidthError (code "input") at T = 0 when Y is outside the range of K, "not-positive-definite" for a kernel with a negative
 * eigenvalue.
 */
export function conditionGaussianProcess(given: Matrix | (() => Matrix), targets: Matrix, temperature: number): GaussianProcess {
  const { root, form, weights, logEvidence, warnings } = conditionTargets(given, targets, temperature);
  return { root, form, weights, logEvidence, warnings };
}

/**
 * The same with determinant and resolvent. O(P³ + P² D); twice where the noise may be lost beside the kernel. @throws FinitewidthError like
 * `conditionGaussianProcess`, and (code "not-positive-definite") for a singular `regular` K at T = 0.
 */
export function conditionTargets(
  given: Matrix | (() => Matrix),
  targets: Matrix,
  temperature: number,
  { regular = false, littleNoise }: ConditioningOptions = {},
): ConditionedTargets {
  const own = typeof given === "function";
  const make = own ? given : (): Matrix => given;
  if (!(temperature > 0) && !regular) return conditionBySpectrum(spectrumOf(make()), targets, temperature);
  const kernel = make();
  const n = kernel.shape[0];
  let largest = 0;
  for (let i = 0; i < n; i++) largest = Math.max(largest, kernel.data[i * n + i]!);
  const factorise = (k: Matrix): Cholesky => {
    const noisy = own ? k : { data: k.data.slice(), shape: k.shape };
    for (let i = 0; i < n; i++) noisy.data[i * n + i]! += temperature;
    return cholesky(noisy, noisy.data);
  };
  try {
    let factor = factorise(kernel);
    if (temperature > 0 && mayLoseNoise(factor.factor, largest, temperature, littleNoise)) {
      const spectrum = spectrumOf(make());
      if (spectrum.values.length < n) return conditionBySpectrum(spectrum, targets, temperature);
      // what makes the kernel may have made it in the array of the factor
      if (own) factor = factorise(make());
    }
    const weights = solveCholesky(factor, targets);
    const outputs = targets.shape[1];
    const quadratic = innerProduct(targets, weights);
    const { logDeterminant } = factor;
    return {
      root: factor.factor,
      form: "cholesky",
      weights,
      logEvidence: -0.5 * (outputs * (logDeterminant + n * Math.log(2 * Math.PI)) + quadratic),
      warnings: [],
      logDeterminant,
      quadratic,
      directions: n,
      resolvent: (into) => choleskyInverse(factor.factor, into),
      whiten: (b) => solveLower(factor.factor, b),
      unwhiten: (b) => solveLowerTransposed(factor.factor, b),
      condition: () => {
        const pivots = diagonalOf(factor.factor);
        return (Math.max(...pivots) / Math.min(...pivots)) ** 2;
      },
    };
  } catch (error) {
    if (!(error instanceof FinitewidthError && error.code === "not-positive-definite")) throw error;
    if (!(temperature > 0)) throw singular(error);
  }
  return conditionBySpectrum(spectrumOf(make()), targets, temperature);
}

const singular = (cause: FinitewidthError): FinitewidthError =>
  new FinitewidthError(
    "the kernel plus the temperature (T = 0) is singular: duplicate inputs, or more inputs than the network's features at T = 0; give a temperature > 0",
    { code: "not-positive-definite" },
    { cause },
  );

function conditionBySpectrum(spectrum: Spectrum, targets: Matrix, temperature: number): ConditionedTargets {
  const { values, vectors } = spectrum;
  const [n, r] = vectors.shape;
  const outputs = targets.shape[1];
  const y = projectTargets(spectrum, targets);
  if (temperature === 0) requireInRange(y, targets);
  let [logEvidence, logDeterminant, quadratic] = [0, 0, 0];
  const scaled = zeros(r, outputs);
  for (let i = 0; i < r; i++) {
    const variance = values[i]! + temperature;
    logDeterminant += Math.log(variance);
    for (let a = 0; a < outputs; a++) {
      const value = y.projected.data[i * outputs + a]!;
      const square = (value * value) / variance;
      quadratic += square;
      logEvidence -= 0.5 * (Math.log(2 * Math.PI * variance) + square);
      scaled.data[i * outputs + a] = value / variance;
    }
  }
  const weights = multiply(vectors, scaled);
  const inverseRoots = (t: number): Float64Array => values.map((value) => 1 / Math.sqrt(value + t));
  const half = (): Matrix => scaleColumns(vectors, inverseRoots(temperature));
  const resolvent = (into?: Float64Array): Matrix => {
    const made = gram(half());
    if (into === undefined) return made;
    into.set(made.data);
    return { data: into, shape: made.shape };
  };
  const common = {
    weights,
    directions: r,
    resolvent,
    whiten: (b: Matrix) => multiplyTransposedLeft(half(), b),
    unwhiten: (b: Matrix) => multiply(half(), b),
    condition: () => (r === 0 ? 1 : (values[r - 1]! + temperature) / (values[0]! + temperature)),
  };
  const root = transpose(scaleColumns(vectors, inverseRoots(0)));
  if (temperature === 0) return { ...common, root, form: "root", logEvidence, logDeterminant, quadratic, warnings: rankWarnings(r, n) };
  if (n > r) {
    logEvidence -= 0.5 * ((n - r) * outputs * Math.log(2 * Math.PI * temperature) + y.residualSquare / temperature);
    logDeterminant += (n - r) * Math.log(temperature);
    quadratic += y.residualSquare / temperature;
  }
  const fitted = multiply(vectors, y.projected);
  const outside = { data: targets.data.map((value, i) => value - fitted.data[i]!), shape: targets.shape };
  const both = zeros(2 * r, n);
  for (let i = 0; i < r; i++) {
    const noise = Math.sqrt(temperature / (values[i]! + temperature));
    for (let j = 0; j < n; j++) {
      both.data[i * n + j] = root.data[i * n + j]!;
      both.data[(r + i) * n + j] = noise * root.data[i * n + j]!;
    }
  }
  return { ...common, outside, root: both, form: "range", logEvidence, logDeterminant, quadratic, warnings: [] };
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
  const sumsOfSquares = (from: number, to: number): Float64Array => {
    const out = new Float64Array(points);
    const { data } = applied;
    for (let start = from * points; start < to * points; start += points)
      for (let j = 0; j < points; j++) out[j]! += data[start + j]! * data[start + j]!;
    return out;
  };
  const diagonal = prior instanceof Float64Array ? prior : diagonalOf(prior);
  const left = sumsOfSquares(0, k);
  for (let j = 0; j < points; j++) {
    const value = diagonal[j]!;
    const rest = value - left[j]!;
    left[j] = process.form === "range" && rest < spanTolerance * value ? 0 : Math.max(rest, 0);
  }
  const variance = sumsOfSquares(k, rows);
  for (let j = 0; j < points; j++) variance[j]! += left[j]!;
  if (prior instanceof Float64Array) return { mean, variance };
  const explained: Matrix = { data: applied.data.subarray(0, k * points), shape: [k, points] };
  const noise: Matrix = { data: applied.data.subarray(k * points), shape: [rows - k, points] };
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
