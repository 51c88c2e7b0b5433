import { zeros, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedRight, scaleColumns } from "@finitewidth/linalg";
import { channelOf } from "./images.js";

/**
 * A quadratic form over input sites, Σ_kl W_kl Σ_c x_ck(μ) x'_cl(ν)/C_0: either a diagonal (S_0 numbers) or a full symmetric S_0 × S_0
 * matrix.
 */
export type SiteForm = { readonly kind: "diagonal"; readonly weights: Float64Array } | { readonly kind: "full"; readonly weights: Matrix };

const applyForm = (x: Matrix, form: SiteForm): Matrix =>
  form.kind === "diagonal" ? scaleColumns(x, form.weights) : multiply(x, form.weights);

/** The form between all pairs of rows: P × P'. Cost: C_0 (P S_0² + P P' S_0), the first term absent for diagonal forms. */
export function formKernel(form: SiteForm, inputs: Matrix, others: Matrix, channels: number): Matrix {
  const sites = inputs.shape[1] / channels;
  const out = zeros(inputs.shape[0], others.shape[0]);
  for (let c = 0; c < channels; c++) {
    const x = channelOf(inputs, sites, c);
    const part = multiplyTransposedRight(applyForm(x, form), inputs === others ? x : channelOf(others, sites, c));
    for (let i = 0; i < part.data.length; i++) out.data[i]! += part.data[i]! / channels;
  }
  return out;
}

/** The form of every row with itself. */
export function formDiagonal(form: SiteForm, inputs: Matrix, channels: number): Float64Array {
  const sites = inputs.shape[1] / channels;
  const out = new Float64Array(inputs.shape[0]);
  for (let c = 0; c < channels; c++) {
    const x = channelOf(inputs, sites, c);
    const y = applyForm(x, form);
    for (let mu = 0; mu < out.length; mu++) {
      let sum = 0;
      for (let k = mu * sites; k < (mu + 1) * sites; k++) sum += x.data[k]! * y.data[k]!;
      out[mu]! += sum / channels;
    }
  }
  return out;
}
