import { zeros, type Matrix } from "@finitewidth/core";

/**
 * K = G Gᵀ up to rounding for a positive semi-definite K of rank at most `limit`, by Cholesky with diagonal pivoting; G is P × r, its
 * columns made by the rows `pivots`. Stops when the largest remaining diagonal entry is at most `tolerance` (default P·ε) of max K_ii;
 * undefined when that takes more than `limit` columns. O(P r²).
 * Source: N. Higham, Accuracy and Stability of Numerical Algorithms (2002), section 10.3.
 */
export function pivotedCholesky(
  kernel: Matrix,
  limit: number,
  tolerance = kernel.shape[0] * Number.EPSILON,
): { readonly factor: Matrix; readonly pivots: readonly number[] } | undefined {
  const n = kernel.shape[0];
  const remaining = Float64Array.from({ length: n }, (_, i) => kernel.data[i * n + i]!);
  const threshold = tolerance * remaining.reduce((most, value) => Math.max(most, value), 0);
  const rows = zeros(limit, n);
  const pivots: number[] = [];
  let rank = 0;
  for (; ; rank++) {
    let pivot = 0;
    for (let i = 1; i < n; i++) if (remaining[i]! > remaining[pivot]!) pivot = i;
    if (remaining[pivot]! <= threshold) break;
    if (rank === limit) return undefined;
    pivots.push(pivot);
    const column = rows.data.subarray(rank * n, (rank + 1) * n);
    column.set(kernel.data.subarray(pivot * n, (pivot + 1) * n));
    for (let k = 0; k < rank; k++) {
      const previous = rows.data.subarray(k * n, (k + 1) * n);
      const factor = previous[pivot]!;
      if (factor !== 0) for (let i = 0; i < n; i++) column[i]! -= factor * previous[i]!;
    }
    const scale = 1 / Math.sqrt(remaining[pivot]!);
    for (let i = 0; i < n; i++) {
      column[i]! *= scale;
      remaining[i]! -= column[i]! * column[i]!;
    }
    remaining[pivot] = 0;
  }
  const out = zeros(n, rank);
  for (let k = 0; k < rank; k++) for (let i = 0; i < n; i++) out.data[i * rank + k] = rows.data[k * n + i]!;
  return { factor: out, pivots };
}
