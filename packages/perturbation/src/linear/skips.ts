import { inputError, zeros, type Matrix } from "@finitewidth/core";
import { pairingFluctuation, type Fluctuation } from "../posterior/fluctuation.js";
import { evidenceCorrection } from "../posterior/corrections.js";
import { gaussianPieces, type GaussianPieces } from "../posterior/gaussian-pieces.js";

/** Kernels of a linear network as multiples of the input Gram matrix Gx; layers 0 (input) … d (output). */
export interface SkipCoefficients {
  /** E Ĝˡ = m_l Gx. */
  readonly mean: readonly number[];
  /** Cov(Ĝˡ_ab, Ĝᵏ_cd) = c_lk (Gx_ac Gx_bd + Gx_ad Gx_bc); row d is the output kernel. */
  readonly covariance: readonly (readonly number[])[];
}

/**
 * Linear network with arbitrary forward connections, hˡ = Σ_{k<l} (σ_lk/√N_k) W^{lk} hᵏ: m_l = Σ_k σ_lk² m_k and the recursion of c_lk.
 * `variances[l][k]` = σ_lk² from layer k (0 = input) to l (1 … d = output), entries k ≥ l ignored; `widths`: N_1 … N_{d−1}. O(d³).
 * Source: docs/theories/perturbative.md §7; J. Zavatone-Veth et al. (2021), skip connections.
 * @throws FinitewidthError (code "input").
 */
export function skipCoefficients(variances: readonly (readonly number[])[], widths: readonly number[]): SkipCoefficients {
  const d = variances.length - 1;
  checkSkips(variances, widths);
  const mean = [1];
  const covariance = Array.from({ length: d + 1 }, () => Array.from({ length: d + 1 }, () => 0));
  for (let l = 1; l <= d; l++) {
    const s = variances[l]!;
    let m = 0;
    for (let k = 0; k < l; k++) {
      m += s[k]! * mean[k]!;
      let c = 0;
      for (let j = 0; j < l; j++) c += s[j]! * covariance[j]![k]!;
      covariance[l]![k] = covariance[k]![l] = c;
    }
    mean.push(m);
    let own = l < d ? (m * m) / widths[l - 1]! : 0;
    for (let j = 0; j < l; j++) for (let i = 0; i < l; i++) own += s[j]! * s[i]! * covariance[j]![i]!;
    covariance[l]![l] = own;
  }
  return { mean, covariance };
}

function checkSkips(variances: readonly (readonly number[])[], widths: readonly number[]): void {
  const d = variances.length - 1;
  if (d < 2) throw inputError("variances", "one row per layer 0 … d, at least one hidden layer", variances);
  if (widths.length !== d - 1) throw inputError("widths", `${d - 1} widths, one per hidden layer`, widths);
  for (const [i, width] of widths.entries())
    if (!(Number.isSafeInteger(width) && width >= 1)) throw inputError(`widths[${i}]`, "a positive integer", width);
  for (let l = 1; l <= d; l++) {
    for (let k = 0; k < l; k++)
      if (!(variances[l]![k]! >= 0 && Number.isFinite(variances[l]![k])))
        throw inputError(`variances[${l}][${k}]`, "a number ≥ 0", variances[l]![k]);
    if (!variances[l]!.slice(0, l).some((value) => value > 0))
      throw inputError(`variances[${l}]`, "at least one incoming connection", variances[l]);
  }
}

/** Posterior of a linear network with skips to first order in the inverse widths. */
export interface SkipPosterior extends SkipCoefficients {
  /** ⟨Ĝˡ⟩ = m_l Gx + c_ld Gx A Gx for hidden layers 1 … d−1, P × P. */
  readonly hiddenKernels: readonly Matrix[];
  readonly logEvidence: { readonly leading: number; readonly correction: number };
  /** Γ⁻¹, a and A of the infinite-width posterior with Γ = m_d Gx + T. */
  readonly pieces: GaussianPieces;
  /**
   * Fluctuation of the output kernel on a joint Gram matrix (training rows first): what `projectFluctuation` and `correctPrediction` need.
   */
  fluctuation(jointGram: Matrix): Fluctuation;
}

/** First-order posterior of `skipCoefficients` on an input Gram matrix (P × P) and targets (P × D) at noise variance T. O(P³). */
export function skipPosterior(
  inputGram: Matrix,
  targets: Matrix,
  temperature: number,
  variances: readonly (readonly number[])[],
  widths: readonly number[],
): SkipPosterior {
  const coefficients = skipCoefficients(variances, widths);
  const d = coefficients.mean.length - 1;
  const output: Matrix = { data: inputGram.data.map((value) => coefficients.mean[d]! * value), shape: inputGram.shape };
  const pieces = gaussianPieces(output, targets, temperature);
  const fluctuation = (joint: Matrix): Fluctuation =>
    pairingFluctuation([{ weight: coefficients.covariance[d]![d]!, covariance: joint }], joint.shape[0], pieces);
  const own = pairingFluctuation([{ weight: 1, covariance: inputGram }], inputGram.shape[0], pieces);
  const hiddenKernels = coefficients.mean
    .slice(1, d)
    .map((m, i): Matrix => ({
      data: inputGram.data.map((value, at) => m * value + coefficients.covariance[i + 1]![d]! * own.x.data[at]!),
      shape: inputGram.shape,
    }));
  const correction = coefficients.covariance[d]![d]! * evidenceCorrection(zeros(...inputGram.shape), own.x, own.z, pieces);
  return { ...coefficients, hiddenKernels, logEvidence: { leading: pieces.logEvidence, correction }, pieces, fluctuation };
}

/** h¹ = √s W x/√N0, h^{l+1} = a hˡ + b W hˡ/√N with equal widths: the identity-skip residual linear network. */
export interface IdentityResidual {
  readonly layers: number;
  readonly width: number;
  /** a². */
  readonly identityVariance: number;
  /** b². */
  readonly weightVariance: number;
  /** s, default 1. */
  readonly firstLayerVariance?: number;
}

/**
 * m′ = (a² + b²) m and c′ = (a² + b²)² c + (b⁴ + 2a²b²) m²/N for layers 1 … L: E Ĝˡ = m_l Gx, Cov(Ĝˡ_ab, Ĝˡ_cd) = c_l (Gx_ac Gx_bd + Gx_ad
 * Gx_bc). Linear units only: with a nonlinear φ the units of such a network are not exchangeable given the kernel and the chain does not
 * exist. Source: docs/theories/perturbative.md §7. O(L). @throws FinitewidthError (code "input").
 */
export function identityResidualCoefficients({
  layers,
  width,
  identityVariance: a2,
  weightVariance: b2,
  firstLayerVariance = 1,
}: IdentityResidual): { readonly mean: readonly number[]; readonly covariance: readonly number[] } {
  if (!(Number.isSafeInteger(layers) && layers >= 1)) throw inputError("layers", "a positive integer", layers);
  if (!(Number.isSafeInteger(width) && width >= 1)) throw inputError("width", "a positive integer", width);
  for (const [path, value] of Object.entries({ identityVariance: a2, weightVariance: b2, firstLayerVariance }))
    if (!(value >= 0 && Number.isFinite(value))) throw inputError(path, "a number ≥ 0", value);
  const mean = [firstLayerVariance];
  const covariance = [firstLayerVariance ** 2 / width];
  for (let l = 1; l < layers; l++) {
    const [m, c] = [mean[l - 1]!, covariance[l - 1]!];
    covariance.push((a2 + b2) ** 2 * c + ((b2 * b2 + 2 * a2 * b2) * m * m) / width);
    mean.push((a2 + b2) * m);
  }
  return { mean, covariance };
}
