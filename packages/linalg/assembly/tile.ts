import { multiplyAdd } from "./simd";

// Register tile: 4 rows × 4 columns, 8 accumulators. Taller tiles made the engines spill registers (measured on V8 11.3 and 13.6).
export const TILE_ROWS: i32 = 4;
export const TILE_COLUMNS: i32 = 4;
// Numbers of a packed row of A for each of its entries.
export const LEFT_COPIES: i32 = 1;

// Rows of A in panels of 4: the four entries of one column side by side, rows beyond m as zeros. Element (i, p) at a + i·rs + p·cs.
export function packLeft(m: i32, k: i32, a: usize, rs: usize, cs: usize, to: usize): void {
  for (let i: i32 = 0; i < m; i += TILE_ROWS) {
    let from = a + <usize>i * rs;
    const rows = m - i;
    if (rows >= TILE_ROWS) {
      for (let p: i32 = 0; p < k; p++) {
        store<f64>(to, load<f64>(from));
        store<f64>(to, load<f64>(from + rs), 8);
        store<f64>(to, load<f64>(from + 2 * rs), 16);
        store<f64>(to, load<f64>(from + 3 * rs), 24);
        from += cs;
        to += 32;
      }
    } else {
      for (let p: i32 = 0; p < k; p++) {
        for (let r: i32 = 0; r < TILE_ROWS; r++) store<f64>(to + ((<usize>r) << 3), r < rows ? load<f64>(from + <usize>r * rs) : 0);
        from += cs;
        to += 32;
      }
    }
  }
}

// Columns of B in panels of 4. Element (p, j) at b + p·rs + j·cs.
export function packRight(k: i32, n: i32, b: usize, rs: usize, cs: usize, to: usize): void {
  for (let j: i32 = 0; j < n; j += TILE_COLUMNS) {
    let from = b + <usize>j * cs;
    const columns = n - j;
    if (columns >= TILE_COLUMNS) {
      if (cs == 8) {
        for (let p: i32 = 0; p < k; p++) {
          v128.store(to, v128.load(from));
          v128.store(to, v128.load(from, 16), 16);
          from += rs;
          to += 32;
        }
      } else {
        for (let p: i32 = 0; p < k; p++) {
          store<f64>(to, load<f64>(from));
          store<f64>(to, load<f64>(from + cs), 8);
          store<f64>(to, load<f64>(from + 2 * cs), 16);
          store<f64>(to, load<f64>(from + 3 * cs), 24);
          from += rs;
          to += 32;
        }
      }
    } else {
      for (let p: i32 = 0; p < k; p++) {
        for (let c: i32 = 0; c < TILE_COLUMNS; c++) store<f64>(to + ((<usize>c) << 3), c < columns ? load<f64>(from + <usize>c * cs) : 0);
        from += rs;
        to += 32;
      }
    }
  }
}

// C (4 × 4, row stride ldc bytes) := β C + α A B over k ≥ 1 packed columns, four of them a turn with a way out after each: that keeps the
// engines from moving the loads of all four to the front, which would take more registers than there are. All of C is loaded, then all
// of it stored, in adjacent pairs, which is what lets an engine pair the two halves of a row into one wider register.
export function tile(k: i32, a: usize, b: usize, c: usize, ldc: usize, alpha: f64, beta: f64): void {
  let c00 = f64x2.splat(0);
  let c01 = f64x2.splat(0);
  let c10 = f64x2.splat(0);
  let c11 = f64x2.splat(0);
  let c20 = f64x2.splat(0);
  let c21 = f64x2.splat(0);
  let c30 = f64x2.splat(0);
  let c31 = f64x2.splat(0);
  let b0: v128, b1: v128, x: v128;
  while (true) {
    b0 = v128.load(b);
    b1 = v128.load(b, 16);
    x = v128.load64_splat(a);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    x = v128.load64_splat(a, 8);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    x = v128.load64_splat(a, 16);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    x = v128.load64_splat(a, 24);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    if (k == 1) break;
    b0 = v128.load(b, 32);
    b1 = v128.load(b, 48);
    x = v128.load64_splat(a, 32);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    x = v128.load64_splat(a, 40);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    x = v128.load64_splat(a, 48);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    x = v128.load64_splat(a, 56);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    if (k == 2) break;
    b0 = v128.load(b, 64);
    b1 = v128.load(b, 80);
    x = v128.load64_splat(a, 64);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    x = v128.load64_splat(a, 72);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    x = v128.load64_splat(a, 80);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    x = v128.load64_splat(a, 88);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    if (k == 3) break;
    b0 = v128.load(b, 96);
    b1 = v128.load(b, 112);
    x = v128.load64_splat(a, 96);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    x = v128.load64_splat(a, 104);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    x = v128.load64_splat(a, 112);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    x = v128.load64_splat(a, 120);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    if (k == 4) break;
    k -= 4;
    a += 128;
    b += 128;
  }
  const scaleBy = f64x2.splat(alpha);
  c00 = f64x2.mul(scaleBy, c00);
  c01 = f64x2.mul(scaleBy, c01);
  c10 = f64x2.mul(scaleBy, c10);
  c11 = f64x2.mul(scaleBy, c11);
  c20 = f64x2.mul(scaleBy, c20);
  c21 = f64x2.mul(scaleBy, c21);
  c30 = f64x2.mul(scaleBy, c30);
  c31 = f64x2.mul(scaleBy, c31);
  const c1 = c + ldc;
  const c2 = c1 + ldc;
  const c3 = c2 + ldc;
  if (beta != 0) {
    const keep = f64x2.splat(beta);
    c00 = multiplyAdd(keep, v128.load(c), c00);
    c01 = multiplyAdd(keep, v128.load(c, 16), c01);
    c10 = multiplyAdd(keep, v128.load(c1), c10);
    c11 = multiplyAdd(keep, v128.load(c1, 16), c11);
    c20 = multiplyAdd(keep, v128.load(c2), c20);
    c21 = multiplyAdd(keep, v128.load(c2, 16), c21);
    c30 = multiplyAdd(keep, v128.load(c3), c30);
    c31 = multiplyAdd(keep, v128.load(c3, 16), c31);
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(c1, c10);
  v128.store(c1, c11, 16);
  v128.store(c2, c20);
  v128.store(c2, c21, 16);
  v128.store(c3, c30);
  v128.store(c3, c31, 16);
}
