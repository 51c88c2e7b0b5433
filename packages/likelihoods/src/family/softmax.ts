import {
  zeros,
  type Likelihood,
  type LikelihoodDerivatives,
  type LikelihoodFamily,
  type Matrix,
  type Observation,
} from "@finitewidth/core";
import { identity, multiply } from "@finitewidth/linalg";
import { helmertContrasts } from "./contrasts.js";
import { logisticLink } from "./logistic.js";
import { linkParameters, requireScale, type LinkParameters } from "./parameters.js";
import { scalarObservation } from "./scalar.js";
import { checkOneHot, oneHotLabels, oneHotTargets } from "./targets.js";

/** p = exp(z)/Σ exp(z) of one row; z becomes relative to its largest entry, and log Σ exp of that is returned. */
function softmaxRow(z: Float64Array, p: Float64Array): number {
  let first = 0;
  for (let c = 1; c < z.length; c++) if (z[c]! > z[first]!) first = c;
  const top = z[first]!;
  let others = 0;
  for (let c = 0; c < z.length; c++) {
    z[c]! -= top;
    p[c] = Math.exp(z[c]!);
    if (c !== first) others += p[c]!;
  }
  for (let c = 0; c < z.length; c++) p[c]! /= 1 + others;
  return Math.log1p(others);
}

/**
 * p(Y | g) with logits gH/τ. With p the class probabilities and T = HᵀSH: gradient H(y − p)/τ, W = H(diag p − ppᵀ)Hᵀ/τ², and the
 * contraction of dW is H c/τ³, c_i = p_i[T_ii − Σ_j T_jj p_j − 2(Tp)_i + 2pᵀTp].
 */
function softmaxObservation(basis: Matrix, scale: number, targets: Matrix): Observation {
  const [d, D] = basis.shape;
  const h = basis.data;
  const labels = oneHotLabels(targets);
  const points = labels.length;
  const logits = new Float64Array(D);
  const p = new Float64Array(D);
  const column = new Float64Array(D);
  const mean = new Float64Array(d);
  const block = new Float64Array(D * D);
  const atPoint = (latent: Float64Array, i: number): number => {
    logits.fill(0);
    for (let a = 0; a < d; a++) {
      const value = latent[i * d + a]! / scale;
      for (let c = 0; c < D; c++) logits[c]! += value * h[a * D + c]!;
    }
    return softmaxRow(logits, p);
  };
  /** out_a += scale⁻ᵏ Σ_c H_ac v_c. */
  const project = (v: Float64Array, out: Float64Array, at: number, factor: number): void => {
    for (let a = 0; a < d; a++) {
      let sum = 0;
      for (let c = 0; c < D; c++) sum += h[a * D + c]! * v[c]!;
      out[at + a] = factor * sum;
    }
  };
  const signs = { data: Float64Array.from(labels, (label) => 1 - 2 * label), shape: [points, 1] as const };
  return {
    points,
    latents: d,
    // two classes: the difference of the logits is √2 g
    ...(d === 1 ? { scalar: scalarObservation(logisticLink, scale * Math.SQRT1_2, signs).scalar! } : {}),
    evaluate: (latent, out: LikelihoodDerivatives = {}) => {
      let total = 0;
      for (let i = 0; i < points; i++) {
        const logSum = atPoint(latent, i);
        const label = labels[i]!;
        const value = logits[label]! - logSum;
        total += value;
        if (out.perPoint) out.perPoint[i] = value;
        if (out.curvature) {
          // Σ_c p_c (h_c − m)(h_c − m)ᵀ: no cancellation where one class is certain
          project(p, mean, 0, 1);
          for (let a = 0; a < d; a++) {
            for (let b = 0; b <= a; b++) {
              let sum = 0;
              for (let c = 0; c < D; c++) sum += p[c]! * (h[a * D + c]! - mean[a]!) * (h[b * D + c]! - mean[b]!);
              out.curvature[(i * d + a) * d + b] = out.curvature[(i * d + b) * d + a] = sum / scale ** 2;
            }
          }
        }
        if (out.gradient) {
          for (let c = 0; c < D; c++) column[c] = (c === label ? 1 : 0) - p[c]!;
          project(column, out.gradient, i * d, 1 / scale);
        }
      }
      return total;
    },
    curvatureSlope: (latent, contraction, out) => {
      for (let i = 0; i < points; i++) {
        atPoint(latent, i);
        block.fill(0);
        for (let a = 0; a < d; a++) {
          for (let b = 0; b < d; b++) {
            const s = contraction[(i * d + a) * d + b]!;
            for (let c = 0; c < D; c++) for (let e = 0; e < D; e++) block[c * D + e]! += s * h[a * D + c]! * h[b * D + e]!;
          }
        }
        let [diagonal, quadratic] = [0, 0];
        for (let c = 0; c < D; c++) {
          let sum = 0;
          for (let e = 0; e < D; e++) sum += block[c * D + e]! * p[e]!;
          column[c] = sum;
          diagonal += block[c * D + c]! * p[c]!;
          quadratic += sum * p[c]!;
        }
        for (let c = 0; c < D; c++) column[c] = p[c]! * (block[c * D + c]! - diagonal - 2 * column[c]! + 2 * quadratic);
        project(column, out, i * d, 1 / scale ** 3);
      }
    },
  };
}

/** What a softmax does with its latent outputs. */
export interface SoftmaxOptions {
  /** Latent outputs are the D − 1 contrasts, so that W is positive definite; otherwise the D logits. @defaultValue true */
  readonly contrasts?: boolean;
}

/**
 * p(class c | f) = exp(f_c/τ)/Σ_c' exp(f_c'/τ) for one-hot targets of D ≥ 2 columns, with D − 1 latent outputs. @throws FinitewidthError
 * (code "input") unless τ > 0.
 */
export function softmaxLikelihood(scale = 1, options: SoftmaxOptions = {}): Likelihood {
  const { contrasts = true } = options;
  requireScale(scale);
  const basis = (columns: number): Matrix => (contrasts ? helmertContrasts(columns) : identity(columns));
  const check: Likelihood["check"] = (targets, path = "targets") => checkOneHot(targets, path);
  return {
    name: "softmax",
    scale,
    latents: (columns) => (contrasts ? columns - 1 : columns),
    classes: (columns) => columns,
    contrasts: (columns) => (contrasts ? helmertContrasts(columns) : undefined),
    check,
    labels: oneHotLabels,
    encode: oneHotTargets,
    observe: (targets) => {
      check(targets);
      return softmaxObservation(basis(targets.shape[1]), scale, targets);
    },
    probabilities: (latents) => {
      const [rows, d] = latents.shape;
      const D = contrasts ? d + 1 : d;
      const logits = contrasts ? multiply(latents, basis(D)) : latents;
      const out = zeros(rows, D);
      for (let i = 0; i < rows; i++) {
        const row = logits.data.subarray(i * D, (i + 1) * D).map((value) => value / scale);
        softmaxRow(row, out.data.subarray(i * D, (i + 1) * D));
      }
      return out;
    },
  };
}

/** Family `softmax`. */
export const softmax: LikelihoodFamily<LinkParameters> = {
  name: "softmax",
  summary: "D ≥ 2 classes, one-hot: probabilities proportional to exp(f/τ).",
  schema: linkParameters,
  create: ({ scale }) => softmaxLikelihood(scale),
};
