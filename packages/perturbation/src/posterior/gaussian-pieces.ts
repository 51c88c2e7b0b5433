import { FinitewidthError, inputError, zeros, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  diagonalOf,
  identity,
  multiplyTransposedRight,
  solveCholesky,
  symmetricEigenvalues,
  symmetrise,
  type Cholesky,
} from "@finitewidth/linalg";

/** The infinite-width posterior on the training points, in the notation of the theory page. */
export interface GaussianPieces {
  /** Noise variance T. */
  readonly temperature: number;
  /** Factor of Γ = K^{L+1}_RR + T. */
  readonly factor: Cholesky;
  /** Γ⁻¹, P × P. */
  readonly inverse: Matrix;
  /** a = Γ⁻¹ Y, P × D. */
  readonly weights: Matrix;
  /** A = a aᵀ − D Γ⁻¹: gradient of twice the log-likelihood in K, P × P. */
  readonly gradient: Matrix;
  /** log N(Y | 0, Γ), all outputs. */
  readonly logEvidence: number;
  /** Decimal digits that rounding leaves of the corrections, at worst: −log₁₀(P ε κ²), κ the condition number of Γ. */
  readonly digits: number;
}

/** Fewer digits are no answer. */
const leastDigits = 2;

/** Largest condition number of K^{L+1} with which T = 0 is answered. */
const conditionLimit = 1e12;

/**
 * Γ⁻¹, a, A and the leading evidence. `kernel`: P × P, `targets`: P × D. O(P³).
 * @throws FinitewidthError (code "input") at T = 0 when the kernel is singular (condition number above 1e12).
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
  const factor = factorise(addDiagonal(kernel, temperature));
  const digits = digitsLeft(factor);
  if (temperature > 0 && digits < leastDigits) {
    throw new FinitewidthError(
      `likelihood.temperature: the noise ${temperature} is lost in the rounding of the prior kernel of the training inputs, which is singular beside it; raise it, or use "exact", "nngp" or "effective-action"`,
      { code: "refused", path: "likelihood.temperature" },
    );
  }
  const inverse = symmetrise(solveCholesky(factor, identity(P)));
  const weights = solveCholesky(factor, targets);
  const outer = multiplyTransposedRight(weights, weights);
  const gradient: Matrix = { data: outer.data.map((value, i) => value - D * inverse.data[i]!), shape: [P, P] };
  let quadratic = 0;
  for (let i = 0; i < targets.data.length; i++) quadratic += targets.data[i]! * weights.data[i]!;
  const logEvidence = -0.5 * (quadratic + D * factor.logDeterminant + P * D * Math.log(2 * Math.PI));
  return { temperature, factor, inverse, weights, gradient, logEvidence, digits };
}

/** Pivots bound the condition number from below, and hardly miss it for a kernel plus noise. Corrections hold products of two inverses. */
function digitsLeft({ factor }: Cholesky): number {
  const pivots = diagonalOf(factor).map((pivot) => pivot * pivot);
  const condition = Math.max(...pivots) / Math.min(...pivots);
  return Math.max(0, -Math.log10(pivots.length * Number.EPSILON * condition * condition));
}

function factorise(gamma: Matrix): Cholesky {
  try {
    return cholesky(gamma);
  } catch (cause) {
    if (cause instanceof FinitewidthError && cause.code === "not-positive-definite") {
      throw new FinitewidthError(
        "likelihood.temperature: the prior kernel of the training inputs plus T is not positive definite in double precision; raise T or remove duplicate inputs",
        { code: "not-positive-definite", path: "likelihood.temperature" },
        { cause },
      );
    }
    throw cause;
  }
}

/** A (P × P) padded with zeros to n × n. */
export function padGradient({ gradient }: GaussianPieces, n: number): Matrix {
  const P = gradient.shape[0];
  if (P === n) return gradient;
  const out = zeros(n, n);
  for (let i = 0; i < P; i++) out.data.set(gradient.data.subarray(i * P, (i + 1) * P), i * n);
  return out;
}
