import type { Activation } from "@finitewidth/core";
import { brentRoot } from "@finitewidth/numerics";

/** Prior variances, the same in every layer. */
export interface PhasePoint {
  /** g = σ_w² > 0. */
  readonly weightVariance: number;
  /** g_b = σ_b² ≥ 0. */
  readonly biasVariance: number;
}

/** Preactivation variance of the next layer, q ↦ g E φ(√q z)² + g_b. Source: docs/theories/criticality.md; Poole et al. (2016). */
export const varianceMap = (activation: Activation, q: number, { weightVariance, biasVariance }: PhasePoint): number =>
  weightVariance * activation.moments.diagonal(q) + biasVariance;

/** Beyond this the variance counts as infinite; below the other as zero. */
const limits = { largest: 1e12, smallest: 1e-12, ratio: 1.25 } as const;

/**
 * Variance q* that the map reaches from `start`: the nearest fixed point in the direction in which the map moves it (the map increases with
 * q). Infinity when it escapes; `start` itself when every q is a fixed point (relu at σ_w² = 2, σ_b² = 0). Brent's method, to rounding.
 * Some ten to a hundred one-point functions.
 */
export function fixedPointVariance(activation: Activation, point: PhasePoint, start = 1): number {
  const excess = (q: number): number => varianceMap(activation, q, point) - q;
  const first = excess(start);
  if (Math.abs(first) <= 4 * Number.EPSILON * start) return start;
  let near = start;
  if (first > 0) {
    for (;;) {
      const far = near * limits.ratio;
      const value = excess(far);
      if (far > limits.largest || !Number.isFinite(value)) return Number.POSITIVE_INFINITY;
      if (value <= 0) return brentRoot(excess, near, far, { tolerance: 1e-15 }).root;
      near = far;
    }
  }
  for (;;) {
    const far = near / limits.ratio;
    if (excess(far) >= 0) return brentRoot(excess, far, near, { tolerance: 1e-15 }).root;
    if (far < limits.smallest) return point.biasVariance === 0 ? 0 : brentRoot(excess, 0, far, { tolerance: 1e-15 }).root;
    near = far;
  }
}

/** χ⊥ and χ∥ at a variance. */
export interface Susceptibilities {
  /** χ⊥ = g E φ′²: growth of the angle between two nearby inputs per layer. */
  readonly perpendicular: number;
  /** χ∥ = g E[φ′² + φφ″] = dq^{l+1}/dq^l: growth of a length difference. */
  readonly parallel: number;
}

/** χ⊥ = g E φ′(√q z)² and χ∥ = g d E φ²/dq. At q = ∞ those of a homogeneous φ, which do not depend on q; NaN for others. */
export function susceptibilities({ moments, degree }: Activation, q: number, weightVariance: number): Susceptibilities {
  if (q === Number.POSITIVE_INFINITY && degree !== 1) return { perpendicular: Number.NaN, parallel: Number.NaN };
  const at = q === Number.POSITIVE_INFINITY || (q === 0 && degree === 1) ? 1 : q;
  return { perpendicular: weightVariance * moments.kernelSlope(at, at, at), parallel: weightVariance * moments.diagonalSlope(at) };
}

/** Depth over which a perturbation with factor χ per layer falls by e: ξ = −1/ln χ; Infinity at χ = 1, negative when it grows. */
export const depthScale = (susceptibility: number): number =>
  susceptibility === 1 ? Number.POSITIVE_INFINITY : -1 / Math.log(Math.abs(susceptibility));
