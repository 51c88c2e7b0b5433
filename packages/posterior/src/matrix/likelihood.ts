import type { SpectralProblem } from "../spectrum/problem.js";
import { smallEigen, smallMultiply, smallMultiplyLeft, smallMultiplyRight, smallSolve } from "./small.js";

/**
 * log N(vec Y | 0, Q ⊗ K + B ⊗ 11ᵀ + T) with its gradients in Q and B, for one Q and B after the other: eigenbasis of K, then of Q,
 * Woodbury on the D columns of the bias. All arrays are work space, valid until the next call. Source: docs/theories/exact.md, "Several
 * outputs".
 */
export interface MatrixLikelihood {
  readonly outputs: number;
  readonly rank: number;
  /** Eigenvalues of Q and its eigenvectors O (columns), D and D × D. */
  readonly q: Float64Array;
  readonly rotation: Float64Array;
  /** v_ia = q_aκ_i + T: r × D. */
  readonly variance: Float64Array;
  /** α = Σ⁻¹Y in the eigenbasis of K and Q: r × D; filled by every call. */
  readonly alpha: Float64Array;
  /** w_a = Σ_i o_i²/v_ia. */
  readonly w: Float64Array;
  /** Posterior mean of the bias of the outputs, S u: D; filled when there are biases. */
  readonly biasMean: Float64Array;
  /** S = (B⁻¹ + W)⁻¹ in the eigenbasis of Q: D × D; zero without biases. */
  readonly s: Float64Array;
  /** Symmetric gradients in Q and B, D × D, filled when asked for. */
  readonly gradientQ: Float64Array;
  readonly gradientB: Float64Array;
  /** What the directions outside the range of K add to every value; `evaluate` leaves it out. */
  readonly constant: number;
  /** −∞ where the covariance is singular. `bias`: B (D × D), or undefined when there are no biases beyond layer 1. */
  evaluate(mixing: Float64Array, bias: Float64Array | undefined, gradients: boolean): number;
}

/** Work space and constants of a problem. O(D³ + D² r) per evaluation. */
export function matrixLikelihood(problem: SpectralProblem): MatrixLikelihood {
  const { temperature, ones, nullity, residualSquare } = problem;
  const kappa = problem.spectrum.values;
  const y = problem.targets.data;
  const d = problem.targets.shape[1];
  const r = kappa.length;
  const q = new Float64Array(d);
  const rotation = new Float64Array(d * d);
  const variance = new Float64Array(r * d);
  const alpha = new Float64Array(r * d);
  const w = new Float64Array(d);
  const s = new Float64Array(d * d);
  const gradientQ = new Float64Array(d * d);
  const gradientB = new Float64Array(d * d);
  const [work, work2, rotatedBias] = [new Float64Array(d * d), new Float64Array(d * d), new Float64Array(d * d)];
  const biasMean = new Float64Array(d);
  const [u, sums, ky, kv] = [new Float64Array(d), new Float64Array(d), new Float64Array(d * d), new Float64Array(d)];
  const constant =
    nullity > 0 && temperature > 0 ? -0.5 * (d * nullity * Math.log(2 * Math.PI * temperature) + residualSquare / temperature) : 0;
  const normalisation = -0.5 * r * d * Math.log(2 * Math.PI);

  /** G ← O G Oᵀ, symmetrised. */
  const rotateBack = (g: Float64Array): void => {
    smallMultiply(rotation, g, d, d, d, work);
    smallMultiplyRight(work, rotation, d, d, d, work2);
    for (let a = 0; a < d; a++) for (let b = 0; b < d; b++) g[a * d + b] = 0.5 * (work2[a * d + b]! + work2[b * d + a]!);
  };

  const evaluate = (mixing: Float64Array, bias: Float64Array | undefined, gradients: boolean): number => {
    work.set(mixing);
    smallEigen(work, d, q, rotation);
    for (let a = 0; a < d; a++) q[a] = Math.max(q[a]!, 0);
    let value = normalisation;
    let product = 1;
    w.fill(0);
    u.fill(0);
    for (let i = 0; i < r; i++) {
      const k = kappa[i]!;
      const one = ones[i]!;
      for (let a = 0; a < d; a++) {
        let target = 0;
        for (let b = 0; b < d; b++) target += y[i * d + b]! * rotation[b * d + a]!;
        const v = q[a]! * k + temperature;
        if (!(v > 0)) return -Infinity;
        const weight = target / v;
        variance[i * d + a] = v;
        alpha[i * d + a] = weight;
        if (bias === undefined) value -= 0.5 * target * weight;
        product *= v;
        if (product > 1e200 || product < 1e-200) {
          value -= 0.5 * Math.log(product);
          product = 1;
        }
        if (bias !== undefined) {
          w[a]! += (one * one) / v;
          u[a]! += one * weight;
        }
      }
    }
    value -= 0.5 * Math.log(product);
    if (bias !== undefined) value += addBias(bias);
    else {
      s.fill(0);
      biasMean.fill(0);
    }
    if (!Number.isFinite(value)) return -Infinity;
    if (gradients) fillGradients(bias !== undefined);
    return value;
  };

  /**
   * Woodbury: S = B(I + WB)⁻¹, β = S u, α ← α − c β, ω_a = Σ_i o_i α_ia, so that β = Bω; returns −½ log|I + WB| − ½ Σ v α² − ½ ωᵀBω, whose
   * terms do not cancel where a constant of the targets is much larger than the noise.
   */
  const addBias = (bias: Float64Array): number => {
    smallMultiplyLeft(rotation, bias, d, d, d, work);
    smallMultiply(work, rotation, d, d, d, rotatedBias);
    // (I + B W) S = B
    for (let a = 0; a < d; a++) for (let b = 0; b < d; b++) work[a * d + b] = (a === b ? 1 : 0) + rotatedBias[a * d + b]! * w[b]!;
    s.set(rotatedBias);
    const logDeterminant = smallSolve(work, s, d, d);
    let quadratic = 0;
    for (let a = 0; a < d; a++) {
      let sum = 0;
      for (let b = 0; b < d; b++) sum += s[a * d + b]! * u[b]!;
      biasMean[a] = sum;
    }
    sums.fill(0);
    for (let i = 0; i < r; i++) {
      for (let a = 0; a < d; a++) {
        const k = i * d + a;
        const weight = alpha[k]! - (ones[i]! * biasMean[a]!) / variance[k]!;
        alpha[k] = weight;
        quadratic += variance[k]! * weight * weight;
        sums[a]! += ones[i]! * weight;
      }
    }
    for (let a = 0; a < d; a++) quadratic += biasMean[a]! * sums[a]!;
    return -0.5 * (quadratic + logDeterminant);
  };

  const fillGradients = (biased: boolean): void => {
    ky.fill(0);
    kv.fill(0);
    for (let i = 0; i < r; i++) {
      const k = kappa[i]!;
      if (k === 0) continue;
      for (let a = 0; a < d; a++) {
        const scaled = k * alpha[i * d + a]!;
        kv[a]! += k / variance[i * d + a]!;
        for (let b = 0; b <= a; b++) ky[a * d + b]! += scaled * alpha[i * d + b]!;
      }
    }
    for (let a = 0; a < d; a++) {
      for (let b = 0; b <= a; b++) {
        const value = 0.5 * ky[a * d + b]!;
        gradientQ[a * d + b] = value;
        gradientQ[b * d + a] = value;
      }
      gradientQ[a * d + a]! -= 0.5 * kv[a]!;
    }
    if (biased) addBiasGradients();
    rotateBack(gradientQ);
    if (biased) rotateBack(gradientB);
  };

  const addBiasGradients = (): void => {
    // Σ_i κ_i c_ia c_ib with c = o/v
    ky.fill(0);
    for (let i = 0; i < r; i++) {
      const one = ones[i]!;
      for (let a = 0; a < d; a++) {
        const ca = (kappa[i]! * one) / variance[i * d + a]!;
        for (let b = 0; b < d; b++) ky[a * d + b]! += (ca * one) / variance[i * d + b]!;
      }
    }
    for (let a = 0; a < d; a++) {
      for (let b = 0; b < d; b++) {
        gradientQ[a * d + b]! += 0.5 * s[a * d + b]! * ky[a * d + b]!;
        gradientB[a * d + b] = 0.5 * (sums[a]! * sums[b]! + w[a]! * s[a * d + b]! * w[b]! - (a === b ? w[a]! : 0));
      }
    }
  };

  return { outputs: d, rank: r, q, rotation, variance, alpha, w, s, biasMean, gradientQ, gradientB, constant, evaluate };
}
