import { FinitewidthError, shapeError } from "@finitewidth/core";
import { backend } from "./backend.js";
import type { SymmetricTridiagonal } from "./tridiagonal.js";
import { dot } from "./elementary.js";

/** k steps of Lanczos from b: Vᵀ A V = T with orthonormal V, V e₁ = b/‖b‖. */
export interface Lanczos {
  readonly tridiagonal: SymmetricTridiagonal;
  /** ‖b‖ */
  readonly norm: number;
  /** Next off-diagonal entry; 0 when the Krylov space is exhausted and T is exact. */
  readonly residual: number;
}

/**
 * Lanczos reduction of a symmetric operator, fully reorthogonalised (twice). With y = ‖b‖ e₁, `evaluateShifted(tridiagonal, q, t, y)`
 * approximates bᵀ(qA + t)⁻¹b for every (q, t) at once, from below for positive definite qA + t. log det of T is not that of A.
 * @throws FinitewidthError (code "input") when b or a product is not finite. Cost: `steps` products, 2·steps²·n flops, steps·n numbers.
 */
export function lanczos(apply: (x: Float64Array) => Float64Array, b: Float64Array, steps: number): Lanczos {
  const n = b.length;
  const norm = length(b);
  if (!Number.isFinite(norm)) throw new FinitewidthError("b: expected finite numbers, got NaN or infinity", { code: "input", path: "b" });
  const diagonal: number[] = [];
  const offDiagonal: number[] = [];
  const basis: Float64Array[] = [];
  let residual = 0;
  let v = norm > 0 ? b.map((value) => value / norm) : new Float64Array(n);
  let scale = 0;
  const count = norm > 0 ? Math.min(steps, n) : 0;
  for (let k = 0; k < count; k++) {
    if (k > 0) offDiagonal.push(residual);
    basis.push(v);
    const w = apply(v).slice();
    if (w.length !== n) throw shapeError("apply(x)", `${n} numbers`, `${w.length}`);
    let alpha = 0;
    for (let pass = 0; pass < 2; pass++) {
      for (let i = basis.length - 1; i >= 0; i--) {
        const u = basis[i]!;
        const overlap = dot(u, w);
        if (i === k) alpha += overlap;
        for (let j = 0; j < n; j++) w[j]! -= overlap * u[j]!;
      }
    }
    residual = length(w);
    if (!Number.isFinite(residual)) throw new FinitewidthError("apply(x): expected finite numbers, got NaN or infinity", { code: "input" });
    diagonal.push(alpha);
    scale = Math.max(scale, Math.abs(alpha), residual);
    if (residual <= 10 * Number.EPSILON * scale) {
      residual = 0;
      break;
    }
    const inverse = 1 / residual;
    v = w.map((value) => value * inverse);
  }
  return { tridiagonal: { diagonal: Float64Array.from(diagonal), offDiagonal: Float64Array.from(offDiagonal) }, norm, residual };
}

// Norm without overflow or underflow of squares.
function length(x: Float64Array): number {
  const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0 || !Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! / largest) ** 2;
  return largest * Math.sqrt(sum);
}

/** Estimate of a log determinant with the standard error of its mean over the probes. */
export interface StochasticLogDeterminant {
  readonly value: number;
  readonly standardError: number;
}

/**
 * log det(qA + t) for each (q, t), by stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017): the mean over probes z of
 * ‖z‖² Σ τ_i² log(qθ_i + t), θ and τ the eigenvalues and first components of the eigenvectors of Lanczos' T. The error of the quadrature
 * itself (few steps, wide spectrum) is not in the standard error.
 * @param probes vectors with independent entries of mean 0 and variance 1; at least two.
 * @throws FinitewidthError (code "not-positive-definite") when a Ritz value of qA + t is not positive. Cost: probes × `lanczos`.
 */
export function stochasticLogDeterminant(
  apply: (x: Float64Array) => Float64Array,
  probes: readonly Float64Array[],
  steps: number,
  shifts: readonly { readonly q: number; readonly t: number }[],
): StochasticLogDeterminant[] {
  if (probes.length < 2) throw shapeError("probes", "at least two vectors", `${probes.length}`);
  const samples = shifts.map((): number[] => []);
  for (const probe of probes) {
    const { tridiagonal, norm } = lanczos(apply, probe, steps);
    const { values, vectors } = backend().tridiagonalEigen(tridiagonal);
    shifts.forEach(({ q, t }, s) => {
      let sum = 0;
      values.forEach((theta, i) => {
        const value = q * theta + t;
        if (!(value > 0))
          throw new FinitewidthError(`q A + t is not positive definite: it has the Ritz value ${value} at q = ${q}, t = ${t}`, {
            code: "not-positive-definite",
          });
        sum += vectors.data[i]! ** 2 * Math.log(value);
      });
      samples[s]!.push(norm * norm * sum);
    });
  }
  return samples.map((list) => {
    const value = list.reduce((sum, x) => sum + x, 0) / list.length;
    const variance = list.reduce((sum, x) => sum + (x - value) ** 2, 0) / (list.length - 1);
    return { value, standardError: Math.sqrt(variance / list.length) };
  });
}
