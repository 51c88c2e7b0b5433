import type { Matrix, Observation } from "@finitewidth/core";
import { diagonalOf, multiplyVector } from "@finitewidth/linalg";
import { findMode, type ModeOptions } from "./newton-step.js";
import {
  applyResolvent,
  factorSites,
  posteriorCovariance,
  posteriorVariance,
  resolvent,
  type SiteApproximation,
  type SiteFactor,
} from "./sites.js";

export interface LaplaceScalarOptions extends ModeOptions {
  /** a to start from. @defaultValue 0 */
  readonly start?: Float64Array;
}

/**
 * Laplace approximation for one output with covariance K (P × P, singular or not): log Z = ℓ(f̂) − ½aᵀf̂ − ½ log|I + √W K √W| at the mode
 * f̂, where a = ∂ℓ/∂f. Newton: b = Wf + g, a ← b − r B⁻¹ r K b. Always errs towards under-confidence.
 * Source: docs/theories/classification.md. O(P³) per step, 3–22 steps for kernel scales 10⁻³ … 10⁶.
 */
export function laplaceScalar(kernel: Matrix, observation: Observation, options: LaplaceScalarOptions = {}): SiteApproximation {
  const n = observation.points;
  const gradient = new Float64Array(n);
  const curvature = new Float64Array(n);
  const mode = findMode(
    options.start ?? new Float64Array(n),
    (alpha) => multiplyVector(kernel, alpha),
    (latent) => observation.evaluate(latent),
    ({ latent }) => {
      observation.evaluate(latent, { gradient, curvature });
      const b = latent.map((f, i) => curvature[i]! * f + gradient[i]!);
      const back = applyResolvent(factorSites(kernel, curvature), multiplyVector(kernel, b));
      return b.map((value, i) => value - back[i]!);
    },
    options,
  );
  const { latent, iterations, converged, residual } = mode;
  const logDensity = observation.evaluate(latent, { gradient, curvature });
  const { cholesky } = factorSites(kernel, curvature);
  let product = 0;
  for (let i = 0; i < n; i++) product += gradient[i]! * latent[i]!;
  return {
    latent,
    alpha: gradient,
    weights: curvature,
    logEvidence: logDensity - 0.5 * product - 0.5 * cholesky.logDeterminant,
    iterations,
    converged,
    residual,
  };
}

/** t = (I + WK)⁻¹s = s − R K s with s = −½ S_ii ∂W_i/∂f_i. */
function shiftOf(
  kernel: Matrix,
  observation: Observation,
  { latent }: SiteApproximation,
  factor: SiteFactor,
  variances: Float64Array,
): Float64Array {
  const s = new Float64Array(latent.length);
  observation.curvatureSlope(latent, variances, s);
  for (let i = 0; i < s.length; i++) s[i]! *= -0.5;
  const back = applyResolvent(factor, multiplyVector(kernel, s));
  return s.map((value, i) => value - back[i]!);
}

/**
 * First skewness correction of a Laplace approximation: t with posterior mean K(a + t), K_*ᵀ(a + t) at other points; the variance stays.
 * Over-corrects where the signal is strong. O(P³).
 */
export function laplaceScalarMeanShift(kernel: Matrix, observation: Observation, approximation: SiteApproximation): Float64Array {
  const factor = factorSites(kernel, approximation.weights);
  return shiftOf(kernel, observation, approximation, factor, posteriorVariance(factor, kernel, diagonalOf(kernel)));
}

/**
 * G with d log Z = tr(G dK), the motion of the mode included: ½(aaᵀ − R) + ½(atᵀ + taᵀ). O(P³).
 */
export function laplaceScalarGradient(kernel: Matrix, observation: Observation, approximation: SiteApproximation): Matrix {
  const factor = factorSites(kernel, approximation.weights);
  const { alpha } = approximation;
  const t = shiftOf(kernel, observation, approximation, factor, diagonalOf(posteriorCovariance(factor, kernel)));
  const out = resolvent(factor);
  const n = alpha.length;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++)
      out.data[i * n + j] = 0.5 * (alpha[i]! * alpha[j]! - out.data[i * n + j]! + alpha[i]! * t[j]! + t[i]! * alpha[j]!);
  return out;
}
