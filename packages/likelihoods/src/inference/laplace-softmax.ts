import { inputError, zeros, type Matrix } from "@finitewidth/core";
import {
  cholesky,
  choleskyInverse,
  createWorkspace,
  dot,
  multiply,
  solveCholesky,
  solveLower,
  transpose,
  type Cholesky,
} from "@finitewidth/linalg";
import { softmaxLikelihood } from "../family/softmax.js";
import { findMode, type ModeOptions } from "./newton-step.js";

/** Laplace approximation of softmax with prior covariance I_D ⊗ K: everything in units of τ. */
export interface LaplaceSoftmax {
  /** P × D logits f̂/τ at the mode. */
  readonly logits: Matrix;
  /** P × D: A = Y − π, so that f̂/τ = (K/τ²)A. */
  readonly alpha: Matrix;
  /** P × D: π, class probabilities at the mode. */
  readonly probabilities: Matrix;
  readonly scale: number;
  readonly factor: SoftmaxFactor;
  readonly logEvidence: number;
  readonly iterations: number;
  readonly converged: boolean;
  readonly residual: number;
}

/** E_c = √Δ_c B_c⁻¹ √Δ_c with Δ_c = diag π_c, B_c = I + √Δ_c K √Δ_c; M Mᵀ = Σ_c E_c; log|I + ΣW| = Σ_c log|B_c| + log|Σ_c E_c|. */
export interface SoftmaxFactor {
  /** D matrices P × P. */
  readonly blocks: readonly Matrix[];
  readonly sum: Cholesky;
  readonly logDeterminant: number;
}

/** O(D P³), 8 D P² bytes. `kernel`: K/τ². */
export function factorSoftmax(kernel: Matrix, probabilities: Matrix): SoftmaxFactor {
  const [n, D] = probabilities.shape;
  const total = zeros(n, n);
  let logDeterminant = 0;
  const blocks = Array.from({ length: D }, (_, c) => {
    const root = Float64Array.from({ length: n }, (_, i) => Math.sqrt(probabilities.data[i * D + c]!));
    const b = zeros(n, n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) b.data[i * n + j] = root[i]! * kernel.data[i * n + j]! * root[j]!;
      b.data[i * n + i]! += 1;
    }
    const factor = cholesky(b);
    logDeterminant += factor.logDeterminant;
    const block = choleskyInverse(factor.factor, factor.factor.data);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) total.data[i * n + j]! += block.data[i * n + j]! *= root[i]! * root[j]!;
    }
    return block;
  });
  const sum = cholesky(total);
  return { blocks, sum, logDeterminant: logDeterminant + sum.logDeterminant };
}

/** Column c of a P × D matrix times E_c, for every c. */
function applyBlocks({ blocks }: SoftmaxFactor, v: Matrix): Matrix {
  const [n, D] = v.shape;
  const out = zeros(n, D);
  for (const [c, { data }] of blocks.entries()) {
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += data[i * n + j]! * v.data[j * D + c]!;
      out.data[i * D + c] = sum;
    }
  }
  return out;
}

/** (Rv)_c = E_c v_c − E_c (MMᵀ)⁻¹ Σ_c' E_c' v_c', R = (Σ + W⁻¹)⁻¹ in the D logits. O(D P²). */
export function applySoftmaxResolvent(factor: SoftmaxFactor, v: Matrix): Matrix {
  const [n, D] = v.shape;
  const own = applyBlocks(factor, v);
  const sums = zeros(n, 1);
  for (let i = 0; i < own.data.length; i++) sums.data[Math.floor(i / D)]! += own.data[i]!;
  const solved = solveCholesky(factor.sum, sums);
  const common = zeros(n, D);
  for (let i = 0; i < common.data.length; i++) common.data[i] = solved.data[Math.floor(i / D)]!;
  const shared = applyBlocks(factor, common);
  return { data: own.data.map((value, i) => value - shared.data[i]!), shape: own.shape };
}

const scaled = (kernel: Matrix, scale: number): Matrix => ({ data: kernel.data.map((value) => value / scale ** 2), shape: kernel.shape });

/**
 * Newton's a = b − V(I + VᵀKV)⁻¹VᵀKb by conjugate gradients, VVᵀ = W with V = diag √π − π√πᵀ per point: products with K alone, O(D P²)
 * each, with K resident. `tolerance`: relative residual. Gives up (undefined) after P·D steps.
 */
function newtonSolver(kernel: Matrix, D: number): (p: Matrix, b: Float64Array, tolerance: number) => Float64Array | undefined {
  const n = kernel.shape[0];
  const workspace = createWorkspace([[n, n], [n, D], [n, D]]); // prettier-ignore
  const [k, left, right] = workspace.matrices as [Matrix, Matrix, Matrix];
  k.data.set(kernel.data);
  const timesKernel = (v: Float64Array): Float64Array => {
    left.data.set(v);
    workspace.multiply(k, left, right);
    return right.data;
  };
  const roots = new Float64Array(n * D);
  /** V v, or Vᵀv. */
  const half = ({ data: p }: Matrix, v: Float64Array, transposed: boolean): Float64Array => {
    const out = new Float64Array(v.length);
    const [inner, outer] = transposed ? [p, roots] : [roots, p];
    for (let i = 0; i < n * D; i += D) {
      let sum = 0;
      for (let c = i; c < i + D; c++) sum += inner[c]! * v[c]!;
      for (let c = i; c < i + D; c++) out[c] = roots[c]! * v[c]! - outer[c]! * sum;
    }
    return out;
  };
  return (p, b, tolerance) => {
    for (let i = 0; i < roots.length; i++) roots[i] = Math.sqrt(p.data[i]!);
    const r = half(p, timesKernel(b), true);
    const x = new Float64Array(n * D);
    let direction = r.slice();
    let square = dot(r, r);
    const goal = tolerance ** 2 * square;
    for (let step = 0; step < n * D && square > goal; step++) {
      const image = half(p, timesKernel(half(p, direction, false)), true);
      for (let i = 0; i < image.length; i++) image[i]! += direction[i]!;
      const length = square / dot(direction, image);
      for (let i = 0; i < x.length; i++) {
        x[i]! += length * direction[i]!;
        r[i]! -= length * image[i]!;
      }
      const next = dot(r, r);
      direction = r.map((value, i) => value + (next / square) * direction[i]!);
      square = next;
    }
    if (!(square <= goal)) return undefined;
    const back = half(p, x, false);
    return b.map((value, i) => value - back[i]!);
  };
}

/**
 * Laplace approximation of softmax classification with D independent outputs of covariance K (P × P) and one-hot targets. Newton steps by
 * conjugate gradients, O(D P²) per product with K; at the mode one Cholesky factor per class and one for the class sum, in which W is
 * singular: O(D P³) once. The same numbers as the D − 1 contrasts. @throws FinitewidthError (code "input" or "shape") for targets that
 * are not one-hot.
 * Source: docs/theories/classification.md; C. Rasmussen, C. Williams, Gaussian Processes for Machine Learning, §3.5.
 */
export function laplaceSoftmax(kernel: Matrix, targets: Matrix, scale = 1, options: ModeOptions = {}): LaplaceSoftmax {
  const [n, D] = targets.shape;
  if (kernel.shape[0] !== n) throw inputError("kernel", `${n} rows, one for each label`, kernel.shape[0]);
  const observation = softmaxLikelihood(1, { contrasts: false }).observe(targets);
  const k = scaled(kernel, scale);
  const gradient = new Float64Array(n * D);
  const shape = [n, D] as const;
  const classProbabilities = (latent: Float64Array): Matrix => {
    observation.evaluate(latent, { gradient });
    return { data: targets.data.map((y, i) => y - gradient[i]!), shape };
  };
  const solve = newtonSolver(k, D);
  let last: Float64Array | undefined;
  const mode = findMode(
    new Float64Array(n * D),
    (alpha) => multiply(k, { data: alpha, shape }).data,
    (latent) => observation.evaluate(latent),
    ({ latent }) => {
      const p = classProbabilities(latent);
      const b = gradient.slice();
      for (let i = 0; i < n; i++) {
        let mean = 0;
        for (let c = 0; c < D; c++) mean += p.data[i * D + c]! * latent[i * D + c]!;
        for (let c = 0; c < D; c++) b[i * D + c]! += p.data[i * D + c]! * (latent[i * D + c]! - mean);
      }
      // as precise as the square of the last step deserves
      const change = last ? latent.reduce((most, value, i) => Math.max(most, Math.abs(value - last![i]!)), 0) : 1;
      last = latent;
      const solved = solve(p, b, Math.min(1e-2, Math.max(1e-3 * change ** 2, 1e-12)));
      if (solved) return solved;
      const back = applySoftmaxResolvent(factorSoftmax(k, p), multiply(k, { data: b, shape }));
      return b.map((value, i) => value - back.data[i]!);
    },
    options,
  );
  const { latent, iterations, converged, residual } = mode;
  const probabilities = classProbabilities(latent);
  const factor = factorSoftmax(k, probabilities);
  let product = 0;
  for (let i = 0; i < latent.length; i++) product += gradient[i]! * latent[i]!;
  return {
    logits: { data: latent, shape },
    alpha: { data: gradient, shape },
    probabilities,
    scale,
    factor,
    logEvidence: observation.evaluate(latent) - 0.5 * product - 0.5 * factor.logDeterminant,
    iterations,
    converged,
    residual,
  };
}

/** Mean (M × D) and covariance (M × D × D) of the logits f at other points; `cross` P × M, `prior` the M prior variances. O(D P² M). */
export function predictLaplaceSoftmax(
  { scale, alpha, factor }: Pick<LaplaceSoftmax, "scale" | "alpha" | "factor">,
  cross: Matrix,
  prior: Float64Array,
): { readonly mean: Matrix; readonly covariance: Float64Array } {
  const D = alpha.shape[1];
  const [n, m] = cross.shape;
  const c = scaled(cross, scale);
  const mean = multiply(transpose(c), alpha);
  const covariance = new Float64Array(m * D * D);
  const products = factor.blocks.map((block) => multiply(block, c));
  const solved = products.map((product) => solveLower(factor.sum.factor, product));
  const sums = new Float64Array(m);
  for (let a = 0; a < D; a++) {
    for (let b = 0; b <= a; b++) {
      const [left, right] = [solved[a]!.data, solved[b]!.data];
      sums.fill(0);
      for (let at = 0; at < n * m; at += m) for (let j = 0; j < m; j++) sums[j]! += left[at + j]! * right[at + j]!;
      for (let j = 0; j < m; j++) covariance[(j * D + a) * D + b] = sums[j]!;
    }
    for (let j = 0; j < m; j++) {
      let explained = 0;
      for (let i = 0; i < n; i++) explained += products[a]!.data[i * m + j]! * c.data[i * m + j]!;
      covariance[(j * D + a) * D + a]! += prior[j]! / scale ** 2 - explained;
    }
  }
  for (let j = 0; j < m; j++) {
    for (let a = 0; a < D; a++) for (let b = 0; b < a; b++) covariance[(j * D + b) * D + a] = covariance[(j * D + a) * D + b]!;
  }
  return {
    mean: { data: mean.data.map((value) => value * scale), shape: mean.shape },
    covariance: covariance.map((value) => value * scale ** 2),
  };
}

/**
 * t (P × D) with posterior mean of the logits K(A + t)/τ, K_*ᵀ(A + t)/τ at other points: first skewness correction of the mode. O(D P³).
 */
export function laplaceSoftmaxMeanShift(kernel: Matrix, fit: LaplaceSoftmax): Matrix {
  const k = scaled(kernel, fit.scale);
  const [n, D] = fit.alpha.shape;
  const { factor } = fit;
  const diagonal = Float64Array.from({ length: n }, (_, i) => k.data[i * n + i]!);
  const { covariance } = predictLaplaceSoftmax({ ...fit, scale: 1 }, k, diagonal);
  const targets = { data: fit.alpha.data.map((a, i) => Math.round(a + fit.probabilities.data[i]!)), shape: fit.alpha.shape };
  const s = new Float64Array(n * D);
  softmaxLikelihood(1, { contrasts: false }).observe(targets).curvatureSlope(fit.logits.data, covariance, s);
  for (let i = 0; i < s.length; i++) s[i]! *= -0.5;
  const back = applySoftmaxResolvent(factor, multiply(k, { data: s, shape: fit.alpha.shape }));
  return { data: s.map((value, i) => value - back.data[i]!), shape: fit.alpha.shape };
}
