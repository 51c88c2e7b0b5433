import { zeros, type Matrix, type Scaling } from "@finitewidth/core";
import {
  addDiagonal,
  affine,
  cholesky,
  diagonalMatrix,
  gram,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  symmetricEigen,
  symmetrise,
  trace,
  transpose,
} from "@finitewidth/linalg";
import { outputRate, type OutputRate } from "./output-rate.js";
import { dataWeight, type SpectralData } from "./spectral-data.js";

/** Several outputs: the kernel's eigenvalues contain the variances of all layers; n_l = N_l/N. */
export interface MatrixRateProblem {
  readonly data: SpectralData;
  readonly widths: readonly number[];
  /** k_l = α²/β² of layers that skip. @defaultValue all 0 */
  readonly skips?: readonly number[];
  readonly referenceWidth: number;
  readonly scaling: Scaling;
}

/** A local minimum of J(Q) over positive definite D × D matrices. */
export interface MatrixMinimum {
  readonly q: Matrix;
  readonly action: number;
  /** Largest entry of the gradient along geodesics. */
  readonly residual: number;
  readonly converged: boolean;
  readonly iterations: number;
  /** Symmetric directions B_k with Cov(Q) = (1/N) Σ_k vec B_k vec B_kᵀ to leading order: from the Hessian at the minimum. */
  readonly spread: readonly Matrix[];
}

interface ActionGradient {
  readonly action: number;
  readonly gradient: Matrix;
}

/** Rates of all eigenvalues of Q with Q's eigenvectors. O(D³), and a root search of O(L) a step for every eigenvalue. */
export function spectralRates(
  q: Matrix,
  ratios: readonly number[],
  skips?: readonly number[],
): { readonly rates: readonly OutputRate[]; readonly values: Float64Array; readonly vectors: Matrix } {
  const { values, vectors } = symmetricEigen(q);
  return { rates: Array.from(values, (value) => outputRate(Math.log(value), ratios, skips)), values, vectors };
}

/** J(Q) = Σ_a φ(log q_a) + data and ∂J/∂Q; value +∞ where Q is not positive definite. O(D³ + D²P). */
export function matrixRateAction({ data, widths, skips, referenceWidth, scaling }: MatrixRateProblem, q: Matrix): ActionGradient {
  const { eigenvalues, targets, temperature } = data;
  const d = q.shape[0];
  const { weight, logDeterminant } = dataWeight(scaling, referenceWidth);
  const { values, vectors } = symmetricEigen(q);
  if (!(values[0]! > 0)) return { action: Infinity, gradient: zeros(d, d) };
  const rotated = multiply(targets, vectors).data;
  const inner = zeros(d, d);
  const points = eigenvalues.length;
  const alpha = new Float64Array(d);
  let action = 0;
  for (let a = 0; a < d; a++) {
    const rate = outputRate(
      Math.log(values[a]!),
      widths.map((width) => width / referenceWidth),
      skips,
    );
    action += rate.value;
    inner.data[a * d + a] = rate.slope / values[a]!;
  }
  for (let i = 0; i < points; i++) {
    const kappa = eigenvalues[i]!;
    for (let a = 0; a < d; a++) {
      const v = values[a]! * kappa + temperature;
      alpha[a] = rotated[i * d + a]! / v;
      action += 0.5 * weight * (logDeterminant * Math.log(v) + alpha[a]! * rotated[i * d + a]!);
      inner.data[a * d + a]! += (0.5 * weight * logDeterminant * kappa) / v;
    }
    for (let a = 0; a < d; a++) for (let b = 0; b < d; b++) inner.data[a * d + b]! -= 0.5 * weight * kappa * alpha[a]! * alpha[b]!;
  }
  return { action, gradient: multiplyTransposedRight(multiply(vectors, inner), vectors) };
}

/** Symmetric matrix from D(D+1)/2 coordinates in an orthonormal basis, and back. */
function symmetricFrom(coordinates: Float64Array, d: number): Matrix {
  const out = zeros(d, d);
  let k = 0;
  for (let i = 0; i < d; i++) {
    for (let j = 0; j <= i; j++) {
      const value = i === j ? coordinates[k++]! : coordinates[k++]! * Math.SQRT1_2;
      out.data[i * d + j] = value;
      out.data[j * d + i] = value;
    }
  }
  return out;
}
function coordinatesOf(m: Matrix): Float64Array {
  const d = m.shape[0];
  const out = new Float64Array((d * (d + 1)) / 2);
  let k = 0;
  for (let i = 0; i < d; i++)
    for (let j = 0; j <= i; j++) out[k++] = i === j ? m.data[i * d + i]! : (m.data[i * d + j]! + m.data[j * d + i]!) * Math.SQRT1_2;
  return out;
}

const congruence = (r: Matrix, m: Matrix): Matrix => multiplyTransposedRight(multiply(r, m), r);

/** R e^E Rᵀ, exactly symmetric. */
function alongGeodesic(r: Matrix, e: Matrix): Matrix {
  const { values, vectors } = symmetricEigen(e);
  return gram(multiply(multiply(r, vectors), diagonalMatrix(values.map((value) => Math.exp(value / 2)))));
}

/** Gradient in E of J(R e^E Rᵀ): the gradient at the end point pulled back with the Daleckii–Krein kernel. */
function geodesicGradient(problem: MatrixRateProblem, r: Matrix, e: Matrix): Float64Array {
  const { values, vectors } = symmetricEigen(e);
  const d = values.length;
  const at = gram(multiply(multiply(r, vectors), diagonalMatrix(values.map((value) => Math.exp(value / 2)))));
  const inner = multiply(multiplyTransposedLeft(multiply(r, vectors), matrixRateAction(problem, at).gradient), multiply(r, vectors));
  for (let a = 0; a < d; a++) {
    for (let b = 0; b < d; b++) {
      const gap = values[a]! - values[b]!;
      inner.data[a * d + b]! *=
        Math.abs(gap) < 1e-9 ? Math.exp(0.5 * (values[a]! + values[b]!)) : (Math.exp(values[a]!) - Math.exp(values[b]!)) / gap;
    }
  }
  return coordinatesOf(congruence(vectors, inner));
}

/** Hessian along geodesics through R Rᵀ, by central differences of the transported gradient. */
function geodesicHessian(problem: MatrixRateProblem, r: Matrix): Matrix {
  const d = r.shape[0];
  const m = (d * (d + 1)) / 2;
  const step = 1e-5;
  const out = zeros(m, m);
  for (let k = 0; k < m; k++) {
    const unit = new Float64Array(m);
    unit[k] = step;
    const e = symmetricFrom(unit, d);
    const [plus, minus] = [geodesicGradient(problem, r, e), geodesicGradient(problem, r, affine(-1, e))];
    for (let l = 0; l < m; l++) out.data[k * m + l] = (plus[l]! - minus[l]!) / (2 * step);
  }
  return symmetrise(out);
}

const longestStep = 3;

/**
 * One local minimum from a start: damped Newton along geodesics Q = R e^E Rᵀ, R = chol(Q), eigenvalues of the Hessian replaced by their
 * absolute values, steps no longer than 3, Armijo. Quadratic near the minimum. O(D²(D³ + D²P)) a step.
 */
export function minimiseMatrixRate(problem: MatrixRateProblem, start: Matrix): MatrixMinimum {
  const d = start.shape[0];
  let q = start;
  let [iterations, converged] = [0, false];
  for (; iterations < 200 && !converged; iterations++) {
    const r = cholesky(q).factor;
    const { action } = matrixRateAction(problem, q);
    const gradient = geodesicGradient(problem, r, zeros(d, d));
    const { values, vectors } = symmetricEigen(geodesicHessian(problem, r));
    const floor = 1e-8 * values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const projected = multiplyTransposedLeft(vectors, { data: gradient, shape: [gradient.length, 1] });
    let step = multiply(vectors, {
      data: projected.data.map((value, k) => -value / Math.max(Math.abs(values[k]!), floor)),
      shape: projected.shape,
    }).data;
    const length = Math.hypot(...step);
    if (length > longestStep) step = step.map((value) => (value * longestStep) / length);
    const slope = step.reduce((sum, value, k) => sum + value * gradient[k]!, 0);
    let size = 1;
    let next = alongGeodesic(r, symmetricFrom(step, d));
    while (size > 1e-10) {
      const there = matrixRateAction(problem, next).action;
      if (there <= action + 1e-4 * size * slope || (length < 1e-6 && there <= action + 1e-12 * Math.abs(action))) break;
      size /= 2;
      next = alongGeodesic(r, affine(size, symmetricFrom(step, d)));
    }
    converged = length < 1e-11 || size <= 1e-10;
    if (size > 1e-10) q = next;
  }
  const r = cholesky(q).factor;
  const gradient = geodesicGradient(problem, r, zeros(d, d));
  const { values, vectors } = symmetricEigen(geodesicHessian(problem, r));
  const spread = Array.from(values, (value, k) => {
    const direction = Float64Array.from(
      { length: values.length },
      (_, i) => vectors.data[i * values.length + k]! / Math.sqrt(Math.max(value, 1e-12)),
    );
    return congruence(r, symmetricFrom(direction, d));
  });
  const { action } = matrixRateAction(problem, q);
  const residual = gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return { q, action, residual, converged: residual < 1e-8 * Math.max(1, Math.abs(action)), iterations, spread };
}

/**
 * Minimum of J(Q) = Σ_a φ(log q_a) + data over positive definite Q from several starts (1, 10⁻³, 30 and a multiple of YᵀY), all distinct
 * local minima found, lowest first. O(D²(D³ + D²P)) a step of `minimiseMatrixRate`, from three or four starts. Source:
 * docs/theories/large-deviation.md §2.
 */
export function matrixRateMinima(problem: MatrixRateProblem): readonly [MatrixMinimum, ...MatrixMinimum[]] {
  const { targets, eigenvalues } = problem.data;
  const d = targets.shape[1];
  const total = Math.max(
    eigenvalues.reduce((sum, value) => sum + value, 0),
    Number.MIN_VALUE,
  );
  const size = affine(1 / total, multiplyTransposedLeft(targets, targets));
  const scale = trace(size) / d;
  const starts = [
    identity(d),
    affine(1e-3, identity(d)),
    affine(30, identity(d)),
    ...(Number.isFinite(scale) && scale > 0 ? [addDiagonal(size, 0.1 * scale + 1e-6)] : []),
  ];
  const found = starts.map((start) => minimiseMatrixRate(problem, start)).sort((a, b) => a.action - b.action);
  const distinct = found.filter((minimum, k) => k === 0 || found.slice(0, k).every((other) => relativeDistance(other.q, minimum.q) > 1e-5));
  return distinct as [MatrixMinimum, ...MatrixMinimum[]];
}

function relativeDistance(a: Matrix, b: Matrix): number {
  let [difference, size] = [0, 0];
  for (let k = 0; k < a.data.length; k++) {
    difference = Math.max(difference, Math.abs(a.data[k]! - b.data[k]!));
    size = Math.max(size, Math.abs(a.data[k]!), Math.abs(b.data[k]!));
  }
  return difference / size;
}

/** M_l = O diag(Π_{k≥l} (1 + λ_a/n_k)) Oᵀ, l = 1 … L, at unit variances: the chain at the cheapest way to reach Q. O(L D³). */
export function chainAtMinimum(q: Matrix, ratios: readonly number[], skips?: readonly number[]): readonly Matrix[] {
  const { rates, vectors } = spectralRates(q, ratios, skips);
  return ratios.map((_, l) => {
    const values = rates.map(({ layerFactors }) => layerFactors.slice(l).reduce((product, factor) => product * factor, 1));
    return symmetrise(multiply(multiply(vectors, diagonalMatrix(values)), transpose(vectors)));
  });
}
