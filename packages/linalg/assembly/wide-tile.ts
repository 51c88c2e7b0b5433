import { multiplyAdd } from "./simd";

// Register tile of the build for engines that pair vectors to 256 bits (turbo): 6 rows × 8 columns, 24 accumulators that become 12. Without
// the pairing engines run out of registers.
export const TILE_ROWS: i32 = 6;
export const TILE_COLUMNS: i32 = 8;
// Numbers of a packed row of A for each of its entries.
export const LEFT_COPIES: i32 = 1;

// Rows of A in panels of 6: the entries of one column side by side, rows beyond m as zeros. Element (i, p) at a + i·rs + p·cs.
export function packLeft(m: i32, k: i32, a: usize, rs: usize, cs: usize, to: usize): void {
  for (let i: i32 = 0; i < m; i += TILE_ROWS) {
    let from = a + <usize>i * rs;
    const rows = min(TILE_ROWS, m - i);
    for (let p: i32 = 0; p < k; p++) {
      for (let r: i32 = 0; r < TILE_ROWS; r++) store<f64>(to + ((<usize>r) << 3), r < rows ? load<f64>(from + <usize>r * rs) : 0);
      from += cs;
      to += TILE_ROWS << 3;
    }
  }
}

// Columns of B in panels of 8. Element (p, j) at b + p·rs + j·cs.
export function packRight(k: i32, n: i32, b: usize, rs: usize, cs: usize, to: usize): void {
  for (let j: i32 = 0; j < n; j += TILE_COLUMNS) {
    let from = b + <usize>j * cs;
    const columns = min(TILE_COLUMNS, n - j);
    for (let p: i32 = 0; p < k; p++) {
      if (columns == TILE_COLUMNS && cs == 8) memory.copy(to, from, TILE_COLUMNS << 3);
      else
        for (let c: i32 = 0; c < TILE_COLUMNS; c++) store<f64>(to + ((<usize>c) << 3), c < columns ? load<f64>(from + <usize>c * cs) : 0);
      from += rs;
      to += TILE_COLUMNS << 3;
    }
  }
}

// C (6 × 8, row stride ldc bytes) := β C + α A B over k packed columns. All of C is loaded, then all of it stored, in adjacent pairs, which
// is what lets an engine pair the two halves of a row into one wider register.
export function tile(k: i32, a: usize, b: usize, c: usize, ldc: usize, alpha: f64, beta: f64): void {
  let c00 = f64x2.splat(0);
  let c01 = f64x2.splat(0);
  let c02 = f64x2.splat(0);
  let c03 = f64x2.splat(0);
  let c10 = f64x2.splat(0);
  let c11 = f64x2.splat(0);
  let c12 = f64x2.splat(0);
  let c13 = f64x2.splat(0);
  let c20 = f64x2.splat(0);
  let c21 = f64x2.splat(0);
  let c22 = f64x2.splat(0);
  let c23 = f64x2.splat(0);
  let c30 = f64x2.splat(0);
  let c31 = f64x2.splat(0);
  let c32 = f64x2.splat(0);
  let c33 = f64x2.splat(0);
  let c40 = f64x2.splat(0);
  let c41 = f64x2.splat(0);
  let c42 = f64x2.splat(0);
  let c43 = f64x2.splat(0);
  let c50 = f64x2.splat(0);
  let c51 = f64x2.splat(0);
  let c52 = f64x2.splat(0);
  let c53 = f64x2.splat(0);
  for (let p: i32 = k; p > 0; p--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const b2 = v128.load(b, 32);
    const b3 = v128.load(b, 48);
    let x = v128.load64_splat(a);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    c02 = multiplyAdd(x, b2, c02);
    c03 = multiplyAdd(x, b3, c03);
    x = v128.load64_splat(a, 8);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    c12 = multiplyAdd(x, b2, c12);
    c13 = multiplyAdd(x, b3, c13);
    x = v128.load64_splat(a, 16);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    c22 = multiplyAdd(x, b2, c22);
    c23 = multiplyAdd(x, b3, c23);
    x = v128.load64_splat(a, 24);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    c32 = multiplyAdd(x, b2, c32);
    c33 = multiplyAdd(x, b3, c33);
    x = v128.load64_splat(a, 32);
    c40 = multiplyAdd(x, b0, c40);
    c41 = multiplyAdd(x, b1, c41);
    c42 = multiplyAdd(x, b2, c42);
    c43 = multiplyAdd(x, b3, c43);
    x = v128.load64_splat(a, 40);
    c50 = multiplyAdd(x, b0, c50);
    c51 = multiplyAdd(x, b1, c51);
    c52 = multiplyAdd(x, b2, c52);
    c53 = multiplyAdd(x, b3, c53);
    a += TILE_ROWS << 3;
    b += TILE_COLUMNS << 3;
  }
  const scaleBy = f64x2.splat(alpha);
  c00 = f64x2.mul(scaleBy, c00);
  c01 = f64x2.mul(scaleBy, c01);
  c02 = f64x2.mul(scaleBy, c02);
  c03 = f64x2.mul(scaleBy, c03);
  c10 = f64x2.mul(scaleBy, c10);
  c11 = f64x2.mul(scaleBy, c11);
  c12 = f64x2.mul(scaleBy, c12);
  c13 = f64x2.mul(scaleBy, c13);
  c20 = f64x2.mul(scaleBy, c20);
  c21 = f64x2.mul(scaleBy, c21);
  c22 = f64x2.mul(scaleBy, c22);
  c23 = f64x2.mul(scaleBy, c23);
  c30 = f64x2.mul(scaleBy, c30);
  c31 = f64x2.mul(scaleBy, c31);
  c32 = f64x2.mul(scaleBy, c32);
  c33 = f64x2.mul(scaleBy, c33);
  c40 = f64x2.mul(scaleBy, c40);
  c41 = f64x2.mul(scaleBy, c41);
  c42 = f64x2.mul(scaleBy, c42);
  c43 = f64x2.mul(scaleBy, c43);
  c50 = f64x2.mul(scaleBy, c50);
  c51 = f64x2.mul(scaleBy, c51);
  c52 = f64x2.mul(scaleBy, c52);
  c53 = f64x2.mul(scaleBy, c53);
  const c1 = c + ldc;
  const c2 = c1 + ldc;
  const c3 = c2 + ldc;
  const c4 = c3 + ldc;
  const c5 = c4 + ldc;
  if (beta != 0) {
    const keep = f64x2.splat(beta);
    c00 = multiplyAdd(keep, v128.load(c), c00);
    c01 = multiplyAdd(keep, v128.load(c, 16), c01);
    c02 = multiplyAdd(keep, v128.load(c, 32), c02);
    c03 = multiplyAdd(keep, v128.load(c, 48), c03);
    c10 = multiplyAdd(keep, v128.load(c1), c10);
    c11 = multiplyAdd(keep, v128.load(c1, 16), c11);
    c12 = multiplyAdd(keep, v128.load(c1, 32), c12);
    c13 = multiplyAdd(keep, v128.load(c1, 48), c13);
    c20 = multiplyAdd(keep, v128.load(c2), c20);
    c21 = multiplyAdd(keep, v128.load(c2, 16), c21);
    c22 = multiplyAdd(keep, v128.load(c2, 32), c22);
    c23 = multiplyAdd(keep, v128.load(c2, 48), c23);
    c30 = multiplyAdd(keep, v128.load(c3), c30);
    c31 = multiplyAdd(keep, v128.load(c3, 16), c31);
    c32 = multiplyAdd(keep, v128.load(c3, 32), c32);
    c33 = multiplyAdd(keep, v128.load(c3, 48), c33);
    c40 = multiplyAdd(keep, v128.load(c4), c40);
    c41 = multiplyAdd(keep, v128.load(c4, 16), c41);
    c42 = multiplyAdd(keep, v128.load(c4, 32), c42);
    c43 = multiplyAdd(keep, v128.load(c4, 48), c43);
    c50 = multiplyAdd(keep, v128.load(c5), c50);
    c51 = multiplyAdd(keep, v128.load(c5, 16), c51);
    c52 = multiplyAdd(keep, v128.load(c5, 32), c52);
    c53 = multiplyAdd(keep, v128.load(c5, 48), c53);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c, c02, 32);
  v128.store(c, c03, 48);
  v128.store(c1, c10);
  v128.store(c1, c11, 16);
  v128.store(c1, c12, 32);
  v128.store(c1, c13, 48);
  v128.store(c2, c20);
  v128.store(c2, c21, 16);
  v128.store(c2, c22, 32);
  v128.store(c2, c23, 48);
  v128.store(c3, c30);
  v128.store(c3, c31, 16);
  v128.store(c3, c32, 32);
  v128.store(c3, c33, 48);
  v128.store(c4, c40);
  v128.store(c4, c41, 16);
  v128.store(c4, c42, 32);
  v128.store(c4, c43, 48);
  v128.store(c5, c50);
  v128.store(c5, c51, 16);
  v128.store(c5, c52, 32);
  v128.store(c5, c53, 48);
}
