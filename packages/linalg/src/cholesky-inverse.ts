import { zeros, type Matrix } from "@finitewidth/core";
import { backend } from "./backend.js";
import { solveLower } from "./cholesky.js";
import { block, transpose } from "./elementary.js";
import { squareSize } from "./validate.js";

/** Columns of L⁻¹ that are found together. */
const columnBlock = 128;
/** Below this an inverse costs less than its way into a backend's memory and back. */
const smallInverse = 24;

/** Calls `visit` with rows from … n of the columns from … from + 128 of L⁻¹: what is not zero of them. n³/3 flops in all. */
function eachInverseBlock(factor: Matrix, visit: (columns: Matrix, from: number) => void): void {
  const n = squareSize(factor, "factor");
  for (let from = 0; from < n; from += columnBlock) {
    const count = Math.min(columnBlock, n - from);
    const unit = zeros(n - from, count);
    for (let j = 0; j < count; j++) unit.data[j * count + j] = 1;
    visit(solveLower(from === 0 ? factor : block(factor, from, n, from, n), unit), from);
  }
}

/** Diagonal of (L Lᵀ)⁻¹: sums of squares down the columns of L⁻¹. n³/3 flops. @throws FinitewidthError (code "shape"). */
export function inverseDiagonal(factor: Matrix): Float64Array {
  const n = squareSize(factor, "factor");
  const own = n < smallInverse ? undefined : backend().inverseDiagonal?.(factor);
  if (own) return own;
  const out = new Float64Array(n);
  eachInverseBlock(factor, ({ data, shape: [, count] }, from) => {
    for (let i = 0; i < data.length; i++) out[from + (i % count)]! += data[i]! ** 2;
  });
  return out;
}

/**
 * (L Lᵀ)⁻¹ from a lower triangular L, exactly symmetric, for those few who need all of it; in the array `out` where it is given, that of L
 * allowed. 2n³/3 flops. @throws FinitewidthError (code "shape").
 */
export function choleskyInverse(factor: Matrix, out?: Float64Array): Matrix {
  const n = squareSize(factor, "factor");
  const own = n < smallInverse ? undefined : backend().choleskyInverse?.(factor, out);
  if (own) return own;
  const inverse = zeros(n, n);
  eachInverseBlock(factor, ({ data, shape: [rows, count] }, from) => {
    for (let i = 0; i < rows; i++) inverse.data.set(data.subarray(i * count, (i + 1) * count), (from + i) * n + from);
  });
  const product = backend().gram(transpose(inverse));
  if (out === undefined) return product;
  out.set(product.data);
  return { data: out, shape: factor.shape };
}
