import { columnVector, zeros, type Matrix, type Observation } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  gram,
  multiply,
  multiplyVector,
  solveLower,
  solveLowerTransposed,
  transpose,
  type Cholesky,
} from "@finitewidth/linalg";
import { blockRoots, multiplyBlocks } from "./blocks.js";
import { findMode, type ModeOptions } from "./newton-step.js";

/** Laplace approximation of any likelihood under any covariance Σ of the latent outputs, index point·d + output. */
export interface LaplaceDense {
  /** P·d: mode. */
  readonly latent: Float64Array;
  /** a = Σ⁻¹ latent = ∂ℓ/∂f. */
  readonly alpha: Float64Array;
  /** t: posterior mean Σ(a + t), the first skewness correction. */
  readonly shift: Float64Array;
  /** P × d × d: W at the mode. */
  readonly curvature: Float64Array;
  /** R = (Σ + W⁻¹)⁻¹. */
  readonly resolvent: Matrix;
  readonly logEvidence: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly residual: number;
}

interface Factor {
  /** V with VVᵀ = W. */
  readonly roots: Float64Array;
  /** Of B = I + VᵀΣV. */
  readonly cholesky: Cholesky;
}

function factorDense(covariance: Matrix, curvature: Float64Array, points: number, d: number): Factor {
  const roots = blockRoots(curvature, points, d);
  const half = multiplyBlocks(roots, d, covariance, true);
  return { roots, cholesky: cholesky(addDiagonal(multiplyBlocks(roots, d, transpose(half), true), 1)) };
}

/**
 * Laplace approximation for d latent outputs with covariance Σ (P·d × P·d; K ⊗ Q for a mixing matrix Q), any log-concave likelihood; the
 * mean shift and R with it. Dense: O(d³P³) a step, for P·d up to 1500 or so. Source: docs/theories/classification.md.
 */
export function laplaceDense(
  covariance: Matrix,
  observation: Observation,
  options: ModeOptions & { readonly start?: Float64Array } = {},
): LaplaceDense {
  const { points, latents: d } = observation;
  const n = points * d;
  const gradient = new Float64Array(n);
  const curvature = new Float64Array(n * d);
  const mode = findMode(
    options.start ?? new Float64Array(n),
    (alpha) => multiplyVector(covariance, alpha),
    (latent) => observation.evaluate(latent),
    ({ latent }) => {
      observation.evaluate(latent, { gradient, curvature });
      const b = multiplyBlocks(curvature, d, columnVector(latent)).data.map((value, i) => value + gradient[i]!);
      const { roots, cholesky: factor } = factorDense(covariance, curvature, points, d);
      const inner = multiplyBlocks(roots, d, columnVector(multiplyVector(covariance, b)), true);
      const back = multiplyBlocks(roots, d, solveLowerTransposed(factor.factor, solveLower(factor.factor, inner)));
      return b.map((value, i) => value - back.data[i]!);
    },
    options,
  );
  const { latent, iterations, converged, residual } = mode;
  const logDensity = observation.evaluate(latent, { gradient, curvature });
  const { roots, cholesky: factor } = factorDense(covariance, curvature, points, d);
  const resolvent = resolventOf(roots, factor, d);
  // blocks of S = Σ − ΣRΣ
  const product = multiply(resolvent, covariance);
  const blocks = new Float64Array(n * d);
  for (let mu = 0; mu < points; mu++) {
    for (let a = 0; a < d; a++) {
      for (let b = 0; b < d; b++) {
        const [i, j] = [mu * d + a, mu * d + b];
        let value = covariance.data[i * n + j]!;
        for (let k = 0; k < n; k++) value -= covariance.data[i * n + k]! * product.data[k * n + j]!;
        blocks[i * d + b] = value;
      }
    }
  }
  const s = new Float64Array(n);
  observation.curvatureSlope(latent, blocks, s);
  for (let i = 0; i < n; i++) s[i]! *= -0.5;
  const back = multiplyVector(resolvent, multiplyVector(covariance, s));
  let quadratic = 0;
  for (let i = 0; i < n; i++) quadratic += gradient[i]! * latent[i]!;
  return {
    latent,
    alpha: gradient,
    shift: s.map((value, i) => value - back[i]!),
    curvature,
    resolvent,
    logEvidence: logDensity - 0.5 * quadratic - 0.5 * factor.logDeterminant,
    iterations,
    converged,
    residual,
  };
}

/** V B⁻¹ Vᵀ. */
function resolventOf(roots: Float64Array, factor: Cholesky, d: number): Matrix {
  const n = factor.factor.shape[0];
  const identity = addDiagonal(zeros(n, n), 1);
  // X = L⁻¹Vᵀ: rows of V are columns
  const v = multiplyBlocks(roots, d, identity);
  return gram(transpose(solveLower(factor.factor, transpose(v))));
}

/** G with d log Z = tr(G dΣ), the motion of the mode included: ½(aaᵀ − R) + ½(atᵀ + taᵀ). O(d²P²). */
export function laplaceDenseGradient({ alpha, shift, resolvent }: LaplaceDense): Matrix {
  const n = alpha.length;
  const out = zeros(n, n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++)
      out.data[i * n + j] = 0.5 * (alpha[i]! * alpha[j]! - resolvent.data[i * n + j]! + alpha[i]! * shift[j]! + shift[i]! * alpha[j]!);
  }
  return out;
}

/** K ⊗ Q, index point·d + output. */
export function kernelTimesMixing(kernel: Matrix, mixing: Matrix): Matrix {
  const [n, m] = kernel.shape;
  const d = mixing.shape[0];
  const out = zeros(n * d, m * d);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < m; j++)
      for (let a = 0; a < d; a++)
        for (let b = 0; b < d; b++) out.data[(i * d + a) * m * d + j * d + b] = kernel.data[i * m + j]! * mixing.data[a * d + b]!;
  return out;
}

/**
 * log p_Laplace(Y | Q) of Σ = K ⊗ Q and its symmetric gradient in Q, Σ_μν G_(μa)(νb) K_μν. O(d³P³). The Laplace fit comes with it.
 */
export function laplaceGivenMixing(
  kernel: Matrix,
  mixing: Matrix,
  observation: Observation,
  options: ModeOptions & { readonly start?: Float64Array } = {},
): { readonly logEvidence: number; readonly gradient: Matrix; readonly fit: LaplaceDense } {
  const fit = laplaceDense(kernelTimesMixing(kernel, mixing), observation, options);
  const full = laplaceDenseGradient(fit);
  const d = mixing.shape[0];
  const n = kernel.shape[0];
  const gradient = zeros(d, d);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      for (let a = 0; a < d; a++)
        for (let b = 0; b < d; b++)
          gradient.data[a * d + b]! +=
            0.5 * kernel.data[i * n + j]! * (full.data[(i * d + a) * n * d + j * d + b]! + full.data[(i * d + b) * n * d + j * d + a]!);
  return { logEvidence: fit.logEvidence, gradient, fit };
}
