import { inputError, matrix, shapeError, type Matrix, type RandomStream } from "@finitewidth/core";
import { cholesky, multiplyTransposedRight, solveLower } from "@finitewidth/linalg";
import { logBesselK, logGamma } from "@finitewidth/numerics";

/**
 * Law of the outputs of one hidden layer within the Gaussian equivalence (exact for φ = identity): f | Q ~ N(0, QK), NQ ~ χ²_N, a
 * variance-gamma law. Student's t is not the law of the outputs: it is the shape of their characteristic function (1 + sᵀKs/N)^{−N/2} in
 * the conjugate variable s, with N − P degrees of freedom and scale matrix (N/(N − P)) K⁻¹ where N > P.
 */
export interface VarianceGamma {
  /** K, positive definite: P × P. */
  readonly kernel: Matrix;
  /** N > 0. */
  readonly width: number;
}

/** log det K and f^T K^{-1} f. */
function whiten({ kernel }: VarianceGamma, value: Float64Array): { readonly logDeterminant: number; readonly quadratic: number } {
  const size = kernel.shape[0];
  if (value.length !== size) throw shapeError("value", `${size} numbers, like the kernel`, `${value.length}`);
  const { factor, logDeterminant } = cholesky(kernel);
  const white = solveLower(factor, { data: value, shape: [size, 1] }).data;
  return { logDeterminant, quadratic: white.reduce((sum, entry) => sum + entry * entry, 0) };
}

/**
 * log p(f) = log 2 − (P/2) log 2π − ½ log det K + (N/2) log(N/2) − log Γ(N/2) + (λ/2) log(δ/N) + log K_λ(√(Nδ)), δ = fᵀK⁻¹f, λ = (N − P)/2.
 * At f = 0 the density is finite for N > P and +∞ otherwise. @throws FinitewidthError (code "not-positive-definite" or "shape"). O(P³).
 */
export function varianceGammaLogDensity(law: VarianceGamma, value: Float64Array): number {
  const { width } = law;
  const size = value.length;
  const { logDeterminant, quadratic } = whiten(law, value);
  const base = -0.5 * size * Math.log(2 * Math.PI) - 0.5 * logDeterminant + 0.5 * width * Math.log(0.5 * width) - logGamma(0.5 * width);
  const order = 0.5 * (width - size);
  if (quadratic === 0) return order > 0 ? base + logGamma(order) - order * Math.log(0.5 * width) : Infinity;
  return base + Math.LN2 + 0.5 * order * Math.log(quadratic / width) + logBesselK(order, Math.sqrt(width * quadratic));
}

/**
 * E[Q^r | f] at T = 0: Q | f is generalised inverse Gaussian, (δ/N)^{r/2} K_{λ+r}(√(Nδ))/K_λ(√(Nδ)). O(P³). @throws FinitewidthError (code
 * "input") for f = 0.
 */
export function orderParameterMoment(law: VarianceGamma, value: Float64Array, power: number): number {
  const { width } = law;
  const { quadratic } = whiten(law, value);
  if (!(quadratic > 0)) throw inputError("value", "a vector that is not 0", quadratic);
  const order = 0.5 * (width - value.length);
  const x = Math.sqrt(width * quadratic);
  return Math.exp(0.5 * power * Math.log(quadratic / width) + logBesselK(order + power, x) - logBesselK(order, x));
}

/** log E exp(i s·f) = −(N/2) log(1 + sᵀKs/N). O(P²). */
export function varianceGammaLogCharacteristic({ kernel, width }: VarianceGamma, frequency: Float64Array): number {
  const size = kernel.shape[0];
  let quadratic = 0;
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) quadratic += frequency[i]! * kernel.data[i * size + j]! * frequency[j]!;
  return -0.5 * width * Math.log1p(quadratic / width);
}

/** `count` draws of f, one a row: √Q L ξ with NQ/2 ~ Gamma(N/2). count × P. O(P³ + count P²). */
export function sampleVarianceGamma({ kernel, width }: VarianceGamma, count: number, stream: RandomStream): Matrix {
  const size = kernel.shape[0];
  const { factor } = cholesky(kernel);
  const white = new Float64Array(count * size);
  for (let i = 0; i < count; i++) {
    const row = stream.normals(white.subarray(i * size, (i + 1) * size));
    const scale = Math.sqrt(stream.gamma(0.5 * width) / (0.5 * width));
    for (let j = 0; j < size; j++) row[j]! *= scale;
  }
  return multiplyTransposedRight(matrix(count, size, white), factor);
}
