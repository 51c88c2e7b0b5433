import type { Matrix } from "@finitewidth/core";
import { affine, cholesky, multiplyTransposedLeft, solveLower, transpose } from "@finitewidth/linalg";
import { normalQuantile } from "../special/normal.js";
import { sobolPoints, type SobolOptions } from "./sobol.js";

/**
 * Quasi-random standard normal points, 2ᵐ × d: scrambled Sobol points through the normal quantile, recentred and whitened so that their
 * mean is 0 and their covariance the identity to rounding (left as they are when 2ᵐ ≤ d). Equal weights. O(2ᵐ d²).
 */
export function normalPoints(options: SobolOptions): Matrix {
  const { data, shape } = sobolPoints(options);
  const [count, d] = shape;
  const z = data.map((u) => normalQuantile(u));
  const mean = new Float64Array(d);
  for (let i = 0; i < z.length; i++) mean[i % d]! += z[i]! / count;
  for (let i = 0; i < z.length; i++) z[i]! -= mean[i % d]!;
  const centred: Matrix = { data: z, shape };
  if (count <= d) return centred;
  const { factor } = cholesky(affine(1 / count, multiplyTransposedLeft(centred, centred)));
  return transpose(solveLower(factor, transpose(centred)));
}
