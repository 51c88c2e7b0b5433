import type { Matrix, Observation } from "@finitewidth/core";
import { createWorkspace } from "@finitewidth/linalg";
import type { LogDensity } from "@finitewidth/numerics";

/** A log likelihood over coordinates that are N(0, 1) under the prior, with the latent outputs that it sees. */
export interface WhitenedLikelihood extends LogDensity {
  /** f at a point, P × d; the array is reused by the next call. */
  latent(x: Float64Array): Float64Array;
}

/**
 * f = B gᵀ with K = BBᵀ: x = g (d × rank, row by row) is N(0, 1) under a Gaussian process with d independent outputs. `evaluate` gives
 * log p(Y | f) and its gradient GᵀB. O(P rank d).
 */
export function processTarget(root: Matrix, observation: Observation): WhitenedLikelihood {
  const [points, rank] = root.shape;
  const d = observation.latents;
  const workspace = createWorkspace([[points, rank], [d, rank], [points, d], [points, d]]); // prettier-ignore
  const [b, g, f, slopes] = workspace.matrices as [Matrix, Matrix, Matrix, Matrix];
  b.data.set(root.data);
  const latent = (x: Float64Array): Float64Array => {
    g.data.set(x);
    workspace.multiply(b, g, f, { transposed: "right" });
    return f.data;
  };
  return {
    dimension: d * rank,
    latent,
    evaluate: (x, gradient) => {
      const value = observation.evaluate(latent(x), { gradient: slopes.data });
      workspace.multiply(slopes, b, g, { transposed: "left" });
      gradient.set(g.data);
      return value;
    },
  };
}
