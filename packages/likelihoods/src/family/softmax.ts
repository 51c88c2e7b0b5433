import {
  zeros,
  type Likelihood,
  type LikelihoodDerivatives,
  type LikelihoodFamily,
  type Matrix,
  type Observation,
} from "@finitewidth/core";
import { identity, mapExp, multiply } from "@finitewidth/linalg";
import { helmertContrasts, helmertMaps, plainMaps, type ContrastMaps } from "./contrasts.js";
import { logisticLink } from "./logistic.js";
import { linkParameters, requireScale, type LinkParameters } from "./parameters.js";
import { scalarObservation } from "./scalar.js";
import { checkOneHot, oneHotLabels, oneHotTargets } from "./targets.js";

/**
 * p = exp(z)/Σ exp(z) of every row of D; z becomes relative to the largest entry of its row, and log Σ exp of that is put into `logSums`.
 */
function softmaxRows(z: Float64Array, D: number, p: Float64Array, logSums: Float64Array): void {
  for (let at = 0; at < z.length; at += D) {
    let top = z[at]!;
    for (let c = 1; c < D; c++) if (z[at + c]! > top) top = z[at + c]!;
    for (let c = 0; c < D; c++) z[at + c]! -= top;
  }
  mapExp(z, p);
  for (let [at, i] = [0, 0]; at < z.length; at += D, i++) {
    // one entry is 1; the sum without it keeps its digits where that class is certain
    let [others, first] = [0, true];
    for (let c = 0; c < D; c++) {
      if (first && z[at + c] === 0) first = false;
      else others += p[at + c]!;
    }
    logSums[i] = Math.log1p(others);
    for (let c = 0; c < D; c++) p[at + c]! /= 1 + others;
  }
}

/**
 * p(Y | g) with logits gH/τ. With p the class probabilities and T = HᵀSH: gradient H(y − p)/τ, W = H(diag p − ppᵀ)Hᵀ/τ², and the
 * contraction of dW is H c/τ³, c_i = p_i[T_ii − Σ_j T_jj p_j − 2(Tp)_i + 2pᵀTp].
 */
function softmaxObservation(basis: Matrix, { lift, project }: ContrastMaps, scale: number, targets: Matrix): Observation {
  const [d, D] = basis.shape;
  const h = basis.data;
  const labels = oneHotLabels(targets);
  const points = labels.length;
  const logits = new Float64Array(points * D);
  const probabilities = new Float64Array(points * D);
  const logSums = new Float64Array(points);
  const column = new Float64Array(D);
  const mean = new Float64Array(d);
  const block = new Float64Array(D * D);
  const prepare = (latent: Float64Array): void => {
    for (let i = 0; i < points; i++) lift(latent, i, 1 / scale, logits);
    softmaxRows(logits, D, probabilities, logSums);
  };
  const rowOf = (i: number): Float64Array => probabilities.subarray(i * D, (i + 1) * D);
  const signs = { data: Float64Array.from(labels, (label) => 1 - 2 * label), shape: [points, 1] as const };
  return {
    points,
    latents: d,
    // two classes: the difference of the logits is √2 g
    ...(d === 1 ? { scalar: scalarObservation(logisticLink, scale * Math.SQRT1_2, signs).scalar! } : {}),
    evaluate: (latent, out: LikelihoodDerivatives = {}) => {
      let total = 0;
      prepare(latent);
      for (let i = 0; i < points; i++) {
        const label = labels[i]!;
        const value = logits[i * D + label]! - logSums[i]!;
        total += value;
        if (out.perPoint) out.perPoint[i] = value;
        if (out.curvature) {
          // Σ_c p_c (h_c − m)(h_c − m)ᵀ: no cancellation where one class is certain
          const p = rowOf(i);
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
          for (let c = 0; c < D; c++) column[c] = (c === label ? 1 : 0) - probabilities[i * D + c]!;
          project(column, out.gradient, i, 1 / scale);
        }
      }
      return total;
    },
    curvatureSlope: (latent, contraction, out) => {
      prepare(latent);
      for (let i = 0; i < points; i++) {
        const p = rowOf(i);
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
        project(column, out, i, 1 / scale ** 3);
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
 * p(class c | f) = exp(f_c/τ)/Σ_c' exp(f_c'/τ) for one-hot targets of D ≥ 2 columns, with D − 1 latent outputs. O(P D) an evaluation of the
 * density, with the curvature O(P D³). @throws FinitewidthError (code "input") unless τ > 0.
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
      const maps = (contrasts ? helmertMaps : plainMaps)(targets.shape[1]);
      return softmaxObservation(basis(targets.shape[1]), maps, scale, targets);
    },
    probabilities: (latents) => {
      const [rows, d] = latents.shape;
      const D = contrasts ? d + 1 : d;
      const logits = contrasts ? multiply(latents, basis(D)) : latents;
      const out = zeros(rows, D);
      softmaxRows(logits.data.map((value) => value / scale), D, out.data, new Float64Array(rows)); // prettier-ignore
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
