import { FinitewidthError, inputError, zeros, type Matrix } from "@finitewidth/core";
import { multiplyTransposedRight, symmetricEigenvalues } from "@finitewidth/linalg";
import { conditionTargets, type ConditionedTargets } from "@finitewidth/numerics";

/** The infinite-width posterior on the training points, in the notation of the theory page; Γ = K^{L+1}_RR + T, a = `weights` = Γ⁻¹Y. */
export interface GaussianPieces extends ConditionedTargets {
  /** Noise variance T. */
  readonly temperature: number;
  /** Γ⁻¹, P × P; like a without the null directions of K, which no fluctuation of the kernel reaches, where T is little beside it. */
  readonly inverse: Matrix;
  /** A = a aᵀ − D Γ⁻¹: gradient of twice the log-likelihood in K, P × P. */
  readonly gradient: Matrix;
  /** Decimal digits that rounding leaves of the corrections, at worst: −log₁₀(P ε κ²), κ the condition number of Γ. */
  readonly digits: number;
}

/** Fewer digits are no answer. */
const leastDigits = 2;

/** Largest condition number of K^{L+1} with which T = 0 is answered. */
const conditionLimit = 1e12;

/** Corrections hold products of two inverses: noise is lost in rounding sooner than elsewhere. */
const littleNoise = 1e-3;

/**
 * Γ⁻¹, a, A and the leading evidence. `kernel`: P × P, `targets`: P × D. O(P³).
 * @throws FinitewidthError (code "input") at T = 0 when the kernel is singular (condition number above 1e12), (code "refused") where the
 * rounding of a nearly singular kernel leaves no digits.
 */
export function gaussianPieces(kernel: Matrix, targets: Matrix, temperature: number): GaussianPieces {
  const [P, D] = targets.shape;
  if (temperature === 0) {
    const values = symmetricEigenvalues(kernel);
    const [smallest, largest] = [values[0]!, values.at(-1)!];
    if (!(smallest * conditionLimit > largest)) {
      throw inputError(
        "likelihood.temperature",
        `a positive number, because the prior kernel of the training inputs is singular (eigenvalues from ${smallest.toExponential(2)} to ${largest.toExponential(2)})`,
        0,
      );
    }
  }
  const conditioned = conditionTargets(kernel, targets, temperature, { regular: true, littleNoise });
  const condition = conditioned.condition();
  // pivots bound the condition number from below, and hardly miss it for a kernel plus noise
  const digits = Math.max(0, -Math.log10(P * Number.EPSILON * condition * condition));
  if (temperature > 0 && digits < leastDigits) {
    throw new FinitewidthError(
      `likelihood.temperature: the noise ${temperature} is lost in the rounding of the prior kernel of the training inputs, which is nearly singular beside it; raise it, or use "exact", "nngp" or "effective-action"`,
      { code: "refused", path: "likelihood.temperature" },
    );
  }
  const { weights } = conditioned;
  const inverse = conditioned.resolvent();
  const outer = multiplyTransposedRight(weights, weights);
  const gradient: Matrix = { data: outer.data.map((value, i) => value - D * inverse.data[i]!), shape: [P, P] };
  return { ...conditioned, temperature, inverse, gradient, digits };
}

/** A (P × P) padded with zeros to n × n. */
export function padGradient({ gradient }: GaussianPieces, n: number): Matrix {
  const P = gradient.shape[0];
  if (P === n) return gradient;
  const out = zeros(n, n);
  for (let i = 0; i < P; i++) out.data.set(gradient.data.subarray(i * P, (i + 1) * P), i * n);
  return out;
}
