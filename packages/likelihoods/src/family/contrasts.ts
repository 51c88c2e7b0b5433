import { zeros, type Matrix } from "@finitewidth/core";

/**
 * Helmert contrasts of D classes: (D − 1) × D, orthonormal rows that sum to 0. Row i weighs the first i + 1 classes against the next one.
 * Logits gH with D − 1 outputs g have the law of D outputs up to the class sum, of which softmax knows nothing.
 */
export function helmertContrasts(classes: number): Matrix {
  const out = zeros(classes - 1, classes);
  for (let i = 1; i < classes; i++) {
    const norm = 1 / Math.sqrt(i * (i + 1));
    for (let j = 0; j < i; j++) out.data[(i - 1) * classes + j] = norm;
    out.data[(i - 1) * classes + i] = -i * norm;
  }
  return out;
}

/** How latent outputs of one point become logits, and a gradient in the logits one in the latent outputs; row `i` of P × d arrays. */
export interface ContrastMaps {
  /** logits_i := scale · gH. */
  lift(latent: Float64Array, i: number, scale: number, logits: Float64Array): void;
  /** out_i := scale · vHᵀ. */
  project(v: Float64Array, out: Float64Array, i: number, scale: number): void;
}

/** The maps of `helmertContrasts`, by sums from either end: O(D) instead of O(D²). */
export function helmertMaps(classes: number): ContrastMaps {
  const d = classes - 1;
  const norms = Float64Array.from({ length: classes }, (_, i) => 1 / Math.sqrt(i * (i + 1)));
  return {
    lift: (latent, i, scale, logits) => {
      let after = 0;
      for (let c = d; c > 0; c--) {
        const value = scale * norms[c]! * latent[i * d + c - 1]!;
        logits[i * classes + c] = after - c * value;
        after += value;
      }
      logits[i * classes] = after;
    },
    project: (v, out, i, scale) => {
      let before = v[0]!;
      for (let c = 1; c <= d; c++) {
        out[i * d + c - 1] = scale * norms[c]! * (before - c * v[c]!);
        before += v[c]!;
      }
    },
  };
}

/** The maps of logits that are the latent outputs themselves. */
export const plainMaps = (classes: number): ContrastMaps => ({
  lift: (latent, i, scale, logits) => {
    for (let c = 0; c < classes; c++) logits[i * classes + c] = scale * latent[i * classes + c]!;
  },
  project: (v, out, i, scale) => {
    for (let c = 0; c < classes; c++) out[i * classes + c] = scale * v[c]!;
  },
});
