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
