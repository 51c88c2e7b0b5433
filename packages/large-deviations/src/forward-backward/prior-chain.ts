import { kernelMap } from "@finitewidth/activations";
import { FinitewidthError, shapeError, zeros, type Activation, type Matrix, type RandomStream, type Tensor } from "@finitewidth/core";
import { affine, combine, gram, innerProduct, multiply } from "@finitewidth/linalg";
import { minimiseLbfgs } from "@finitewidth/numerics";
import type { TiltClosure } from "./closure.js";
import { symmetricRoot } from "./kernel-root.js";
import type { KernelChain } from "./prior-covariance.js";

/** One step of the prior's Markov chain of kernels: from Cˡ through N_l units to Ĉ^{l+1}. */
export interface KernelStep {
  readonly activation: Activation;
  /** Cˡ: P × P. */
  readonly kernel: Matrix;
  /** N_l. */
  readonly width: number;
  /** g = σ_w²(l+1). */
  readonly weightVariance: number;
  /** g_b = σ_b²(l+1). */
  readonly biasVariance: number;
}

/** Draws Ĉ^{l+1} = g φφᵀ/N_l + g_b given Cˡ: the N_l units are independent N(0, Cˡ). O(P² N_l). */
export function sampleKernelStep({ activation, kernel, width, weightVariance, biasVariance }: KernelStep, stream: RandomStream): Matrix {
  const size = kernel.shape[0];
  const noise: Matrix = { data: stream.normals(new Float64Array(size * width)), shape: [size, width] };
  const fields = multiply(symmetricRoot(kernel).root, noise);
  const features: Matrix = { data: fields.data.map(activation.value), shape: fields.shape };
  return affine(weightVariance / width, gram(features), biasVariance);
}

/**
 * One draw of the kernels Ĉ², …, Ĉ^{L+1} of a random network: given Ĉˡ the units of layer l are independent N(0, Ĉˡ), so that the prior
 * over functions is a superposition of Gaussian processes. O(Σ P² N_l). Source: docs/theories/forward-backward.md; Fischer et al. (2024).
 */
export function sampleKernelChain(
  { activation, firstKernel, widths, weightVariance, biasVariance }: KernelChain,
  stream: RandomStream,
): readonly Matrix[] {
  const out: Matrix[] = [];
  let kernel = firstKernel;
  for (const [l, width] of widths.entries()) {
    kernel = sampleKernelStep({ activation, kernel, width, weightVariance: weightVariance[l]!, biasVariance: biasVariance[l]! }, stream);
    out.push(kernel);
  }
  return out;
}

/** Mean gG(C) + g_b and covariance (g²/N)(E φ_aφ_bφ_cφ_d − G_ab G_cd) of Ĉ^{l+1} given Cˡ; the n-th cumulant falls as N^{1−n}. */
export interface KernelCumulants {
  /** P × P. */
  readonly mean: Matrix;
  /** P × P × P × P. */
  readonly covariance: Tensor;
}

/** First two conditional cumulants of the chain. One four-point function for every sorted quadruple, about P⁴/24, and 16 P⁴ bytes. */
export function kernelCumulants({ activation, kernel, width, weightVariance, biasVariance }: KernelStep): KernelCumulants {
  const n = kernel.shape[0];
  const g = kernelMap(activation, kernel);
  const covariance = new Float64Array(n ** 4);
  const block = new Float64Array(16);
  const fourth = new Float64Array(n ** 4);
  const index = [0, 0, 0, 0];
  for (let at = 0; at < covariance.length; at++) {
    for (let axis = 3, rest = at; axis >= 0; axis--, rest = Math.floor(rest / n)) index[axis] = rest % n;
    // the same four points in ascending order came first
    const first = index.toSorted((a, b) => a - b).reduce((place, i) => place * n + i, 0);
    if (first === at) {
      for (let i = 0; i < 4; i++) for (let j = 0; j < 4; j++) block[4 * i + j] = kernel.data[index[i]! * n + index[j]!]!;
      fourth[at] = activation.moments.fourPoint(block);
    }
    const connected = fourth[first]! - g.data[index[0]! * n + index[1]!]! * g.data[index[2]! * n + index[3]!]!;
    covariance[at] = (weightVariance ** 2 / width) * connected;
  }
  return { mean: affine(weightVariance, g, biasVariance), covariance: { data: covariance, shape: [n, n, n, n] } };
}

/**
 * Cumulant generating function of Ĉ^{l+1} given Cˡ at N·A: ln E exp(N tr A Ĉ^{l+1}) = N W(A|C) + N g_b 1ᵀA1, W = ln E exp(gφᵀAφ). One
 * average of the closure.
 * @throws FinitewidthError (code "not-positive-definite") where it is infinite.
 */
export function kernelCumulantGenerator(step: KernelStep, conjugate: Matrix, closure: TiltClosure): number {
  const { cumulant } = closure.averages({ kernel: step.kernel, conjugate, weightVariance: step.weightVariance }, { gradient: false });
  if (cumulant === undefined)
    throw new FinitewidthError('this closure has no cumulant generating function; use order "full"', { code: "input", path: "closure" });
  return step.width * (cumulant + step.biasVariance * conjugate.data.reduce((sum, value) => sum + value, 0));
}

/** Rate of a kernel and the conjugate kernel that makes it typical. */
export interface KernelRate {
  /** Γ ≥ 0: −ln p(C^{l+1}|Cˡ) ≈ N Γ. */
  readonly rate: number;
  /** A at the supremum. */
  readonly conjugate: Matrix;
}

/**
 * Rate function Γ(C′|C) = sup_A [tr A(C′ − g_b) − W(A|C)], zero at the infinite-width value. The concave maximisation over symmetric A is
 * by L-BFGS, its gradient C′ − g_b − g⟨φφᵀ⟩. One average of the closure an evaluation, at most some hundred, over P(P + 1)/2 unknowns.
 * @throws FinitewidthError: "shape"; "not-converged" when the supremum is not attained (C′ out of reach of φ).
 */
export function kernelRate(step: KernelStep, next: Matrix, closure: TiltClosure): KernelRate {
  const n = step.kernel.shape[0];
  if (next.shape[0] !== n || next.shape[1] !== n) throw shapeError("next", `${n} × ${n}`, next.shape.join(" × "));
  const target = affine(1, next, -step.biasVariance);
  const pairs = Array.from({ length: n }, (_, i) => Array.from({ length: i + 1 }, (_, j) => [i, j] as const)).flat();
  const toMatrix = (x: Float64Array): Matrix => {
    const out = zeros(n, n);
    pairs.forEach(([i, j], k) => (out.data[i * n + j] = out.data[j * n + i] = x[k]!));
    return out;
  };
  const objective = (x: Float64Array): { readonly value: number; readonly gradient: Float64Array } => {
    const conjugate = toMatrix(x);
    try {
      const averages = closure.averages({ kernel: step.kernel, conjugate, weightVariance: step.weightVariance }, { gradient: false });
      const force = combine(step.weightVariance, averages.secondMoment, -1, target);
      return {
        value: averages.cumulant! - innerProduct(conjugate, target),
        gradient: Float64Array.from(pairs, ([i, j]) => (i === j ? 1 : 2) * force.data[i * n + j]!),
      };
    } catch (error) {
      if (!(error instanceof FinitewidthError && error.code === "not-positive-definite")) throw error;
      return { value: Number.POSITIVE_INFINITY, gradient: new Float64Array(x.length) };
    }
  };
  const found = minimiseLbfgs(objective, new Float64Array(pairs.length), {
    gradientTolerance: 1e-9 * Math.max(1, innerProduct(target, target) ** 0.5),
    maxIterations: 200,
  });
  if (!found.converged)
    throw new FinitewidthError(
      `the rate of this kernel was not found: gradient ${found.residual.toExponential(1)} after ${found.iterations} iterations; it may be out of reach of the activation`,
      { code: "not-converged" },
    );
  return { rate: Math.max(-found.value, 0), conjugate: toMatrix(found.point) };
}
