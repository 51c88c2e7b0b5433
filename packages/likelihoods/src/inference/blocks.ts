import { zeros, type Matrix } from "@finitewidth/core";

/**
 * Blocks V_μ (d × d, lower) with V_μV_μᵀ = W_μ for positive semi-definite blocks W_μ: P × d × d. Pivots that rounding makes negative are 0.
 */
export function blockRoots(blocks: Float64Array, points: number, d: number): Float64Array {
  const out = new Float64Array(blocks.length);
  for (let mu = 0; mu < points; mu++) {
    const at = mu * d * d;
    for (let j = 0; j < d; j++) {
      let pivot = blocks[at + j * d + j]!;
      for (let k = 0; k < j; k++) pivot -= out[at + j * d + k]! ** 2;
      const root = pivot > 1e-14 * blocks[at + j * d + j]! ? Math.sqrt(pivot) : 0;
      out[at + j * d + j] = root;
      if (root === 0) continue;
      for (let i = j + 1; i < d; i++) {
        let value = blocks[at + i * d + j]!;
        for (let k = 0; k < j; k++) value -= out[at + i * d + k]! * out[at + j * d + k]!;
        out[at + i * d + j] = value / root;
      }
    }
  }
  return out;
}

/** V B, or VᵀB when `transposed`, for block diagonal V (P × d × d) and B with P·d rows. O(P d² columns). */
export function multiplyBlocks(blocks: Float64Array, d: number, b: Matrix, transposed = false): Matrix {
  const [rows, columns] = b.shape;
  const out = zeros(rows, columns);
  for (let row = 0; row < rows; row++) {
    const [mu, i] = [Math.floor(row / d), row % d];
    for (let k = 0; k < d; k++) {
      const value = blocks[(mu * d + (transposed ? k : i)) * d + (transposed ? i : k)]!;
      if (value === 0) continue;
      const from = (mu * d + k) * columns;
      for (let c = 0; c < columns; c++) out.data[row * columns + c]! += value * b.data[from + c]!;
    }
  }
  return out;
}
