import { zeros } from "@finitewidth/core";
import { symmetricEigen } from "./eigen.js";
import { lanczos } from "./lanczos.js";
import { factorShifted, shiftedQuadratic } from "./shifted-tridiagonal.js";

/** Positive weights at positive values of q. */
export interface WeightedNodes {
  readonly q: Float64Array;
  readonly weights: Float64Array;
}

/** Relative error of the condensed sum: a few roundings of the full one. */
const tolerance = 1e-14;

/**
 * Gauss's rule of a discrete measure on q > 0: as few nodes as give Σ_k weight_k/(q_k κ + t) for all 0 ≤ κ ≤ `largest` to 1e-14 (the error
 * grows with κ, so that it is checked at the end), typically 10 to 20 for a hundred; the nodes themselves where that would not halve them.
 * The measure's Jacobi matrix comes from Lanczos on diag(q). t must be positive and above the rounding of q κ. O(n s²).
 * Source: G. Golub, G. Meurant, Matrices, Moments and Quadrature (2010), chapters 3 and 5.
 */
export function condensedNodes(nodes: WeightedNodes, largest: number, t: number): WeightedNodes {
  const { q, weights } = nodes;
  const { tridiagonal, norm } = lanczos(
    (x) => x.map((value, k) => value * q[k]!),
    weights.map(Math.sqrt),
    Math.min(64, Math.floor(q.length / 2)),
  );
  const exact = q.reduce((sum, value, k) => sum + weights[k]! / (value * largest + t), 0);
  const available = tridiagonal.diagonal.length;
  for (let count = 4; count <= available; count += 2) {
    const start = new Float64Array(count);
    start[0] = norm;
    const leading = { diagonal: tridiagonal.diagonal.subarray(0, count), offDiagonal: tridiagonal.offDiagonal.subarray(0, count - 1) };
    if (Math.abs(shiftedQuadratic(factorShifted(leading, largest, t), start) / exact - 1) < tolerance)
      return gaussNodes(leading.diagonal, leading.offDiagonal, norm * norm);
  }
  return nodes;
}

/** Eigenvalues of the Jacobi matrix, weighted by the squares of the first components of its eigenvectors. */
function gaussNodes(diagonal: Float64Array, offDiagonal: Float64Array, total: number): WeightedNodes {
  const n = diagonal.length;
  const jacobi = zeros(n, n);
  for (let i = 0; i < n; i++) {
    jacobi.data[i * n + i] = diagonal[i]!;
    if (i + 1 < n) jacobi.data[i * n + i + 1] = jacobi.data[(i + 1) * n + i] = offDiagonal[i]!;
  }
  const { values, vectors } = symmetricEigen(jacobi);
  return { q: values, weights: values.map((_, j) => total * vectors.data[j]! ** 2) };
}
