import type { Matrix } from "@finitewidth/core";
import { affine, cholesky, createWorkspace } from "@finitewidth/linalg";
import { normalQuantile } from "../special/normal.js";
import { sobolPoints, type SobolOptions } from "./sobol.js";

/** Points that are whitened together. */
const blockRows = 256;

/**
 * Quasi-random standard normal points, 2ᵐ × d: scrambled Sobol points through the normal quantile, recentred and whitened so that their
 * mean is 0 and their covariance the identity to rounding (left as they are when 2ᵐ ≤ d). Equal weights. O(2ᵐ d²); d² and 512 d numbers
 * besides the points.
 */
export function normalPoints(options: SobolOptions): Matrix {
  const points = sobolPoints(options);
  const { data: z, shape } = points;
  const [count, d] = shape;
  const mean = new Float64Array(d);
  for (let i = 0; i < z.length; i++) {
    z[i] = normalQuantile(z[i]!);
    mean[i % d]! += z[i]! / count;
  }
  for (let i = 0; i < z.length; i++) z[i]! -= mean[i % d]!;
  if (count > d) whiten(points);
  return points;
}

/** Z := Z L⁻ᵀ with L Lᵀ = ZᵀZ/2ᵐ, in place. */
function whiten({ data: z, shape: [count, d] }: Matrix): void {
  const rows = Math.min(count, blockRows);
  const workspace = createWorkspace([
    [rows, d],
    [d, rows],
    [d, d],
  ]);
  const [block, turned, square] = workspace.matrices as [Matrix, Matrix, Matrix];
  for (let from = 0; from < z.length; from += rows * d) {
    block.data.set(z.subarray(from, from + rows * d));
    workspace.multiply(block, block, square, { transposed: "left", beta: from === 0 ? 0 : 1 });
  }
  square.data.set(cholesky(affine(1 / count, square)).factor.data);
  for (let from = 0; from < z.length; from += rows * d) {
    for (let i = 0; i < rows; i++) for (let j = 0; j < d; j++) turned.data[j * rows + i] = z[from + i * d + j]!;
    workspace.solveTriangular(square, turned);
    for (let i = 0; i < rows; i++) for (let j = 0; j < d; j++) z[from + i * d + j] = turned.data[j * rows + i]!;
  }
}
