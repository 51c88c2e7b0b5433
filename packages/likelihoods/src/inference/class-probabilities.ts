import { zeros, type Likelihood, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedRight, symmetricEigen } from "@finitewidth/linalg";
import { normalPoints } from "@finitewidth/numerics";
import { panelMoments } from "./tilted.js";

/**
 * E p(class | f) for one latent output f ~ N(m, v) per point, M × 2: the mass of a tilted density, closed for probit, a quadrature for the
 * rest. O(M).
 */
export function binaryProbabilities(likelihood: Likelihood, mean: Float64Array, variance: Float64Array): Matrix {
  const m = mean.length;
  const { scalar } = likelihood.observe(likelihood.encode!(new Int32Array(m).fill(1), 2));
  const out = zeros(m, 2);
  for (let i = 0; i < m; i++) {
    const v = Math.max(variance[i]!, 1e-12 * likelihood.scale ** 2);
    const [logMass] = scalar!.tilted?.(i, mean[i]!, v) ?? panelMoments(scalar!, i, mean[i]!, v, likelihood.scale);
    out.data[2 * i + 1] = Math.min(Math.exp(logMass), 1);
    out.data[2 * i] = 1 - out.data[2 * i + 1]!;
  }
  return out;
}

/**
 * E p(class | f) for f ~ N(m, C) per point, M × d and M × d × d, by the average of the probabilities over 2ᵏ whitened quasi-random normal
 * points, the same at every point; k = 8 leaves an error of about 10⁻³. O(2ᵏ M d²).
 */
export function averageProbabilities(likelihood: Likelihood, mean: Matrix, covariance: Float64Array, k = 8, seed = 1): Matrix {
  const [m, d] = mean.shape;
  const z = normalPoints({ dimensions: d, log2Count: k, seed });
  const count = z.shape[0];
  const latents = zeros(count, d);
  let out: Matrix | undefined;
  for (let i = 0; i < m; i++) {
    const { values, vectors } = symmetricEigen({ data: covariance.slice(i * d * d, (i + 1) * d * d), shape: [d, d] });
    const root = vectors.data.map((value, at) => value * Math.sqrt(Math.max(values[at % d]!, 0)));
    for (let n = 0; n < count; n++) {
      for (let a = 0; a < d; a++) {
        let value = mean.data[i * d + a]!;
        for (let b = 0; b < d; b++) value += root[a * d + b]! * z.data[n * d + b]!;
        latents.data[n * d + a] = value;
      }
    }
    const p = likelihood.probabilities!(latents);
    const classes = p.shape[1];
    out ??= zeros(m, classes);
    for (let at = 0; at < p.data.length; at++) out.data[i * classes + (at % classes)]! += p.data[at]! / count;
  }
  return out ?? zeros(0, d);
}

/** Moments of D logits (M × D, M × D × D) as those of their D − 1 contrasts Hf. O(M D³). */
export function contrastMoments(
  basis: Matrix,
  mean: Matrix,
  covariance: Float64Array,
): { readonly mean: Matrix; readonly covariance: Float64Array } {
  const [d, D] = basis.shape;
  const m = mean.shape[0];
  const out = new Float64Array(m * d * d);
  for (let i = 0; i < m; i++) {
    const half = multiply(basis, { data: covariance.slice(i * D * D, (i + 1) * D * D), shape: [D, D] });
    out.set(multiplyTransposedRight(half, basis).data, i * d * d);
  }
  return { mean: multiplyTransposedRight(mean, basis), covariance: out };
}
