import { zeros } from "@finitewidth/core";
import type { SymmetricEigen } from "../eigen.js";
import type { SymmetricTridiagonal } from "../tridiagonal.js";
import { implicitQl, scaledCopy } from "./implicit-ql.js";

/** Eigenvalues of T, ascending. */
export function tridiagonalEigenvalues(t: SymmetricTridiagonal): Float64Array {
  const { d, e, scale } = scaledCopy(t);
  implicitQl(d, e, new Float64Array(0), 0);
  return d.map((value) => value / scale).sort();
}

/** Eigenvalues, ascending, and eigenvectors of T. */
export function tridiagonalEigen(t: SymmetricTridiagonal): SymmetricEigen {
  const n = t.diagonal.length;
  const { d, e, scale, reversed } = scaledCopy(t);
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rows[i * n + (reversed ? n - 1 - i : i)] = 1;
  implicitQl(d, e, rows, n);
  const order = Array.from(d.keys()).sort((i, j) => d[i]! - d[j]!);
  const vectors = zeros(n, n);
  for (let j = 0; j < n; j++) {
    const row = order[j]! * n;
    for (let i = 0; i < n; i++) vectors.data[i * n + j] = rows[row + i]!;
  }
  return { values: Float64Array.from(order, (i) => d[i]! / scale), vectors };
}
