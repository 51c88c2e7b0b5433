import { KC, rightScratch } from "./gemm";
import { multiplyAdd } from "./simd";

// Columns of a panel of B: 8 accumulators; what is left over goes in panels of 4.
const WIDE: i32 = 16;
const NARROW: i32 = 4;

// Columns of B in a panel of `width`, one row of it after the other, columns beyond n as zeros. Element (p, j) at b + p·rs + j·cs.
function packPanel(k: i32, n: i32, width: i32, b: usize, rs: usize, cs: usize, to: usize): void {
  const line = (<usize>width) << 3;
  let p: i32 = 0;
  if (n == width && cs == 8) {
    for (; p < k; p++) {
      for (let c: usize = 0; c < line; c += 16) v128.store(to + c, v128.load(b + c));
      b += rs;
      to += line;
    }
    return;
  }
  if (n == width && rs == 8) {
    for (; p + 2 <= k; p += 2) {
      let from = b;
      for (let c: usize = 0; c < line; c += 16) {
        const x = v128.load(from);
        const y = v128.load(from + cs);
        v128.store(to + c, v128.shuffle<f64>(x, y, 0, 2));
        v128.store(to + line + c, v128.shuffle<f64>(x, y, 1, 3));
        from += cs << 1;
      }
      b += 16;
      to += line << 1;
    }
  }
  for (; p < k; p++) {
    for (let c: i32 = 0; c < width; c++) store<f64>(to + ((<usize>c) << 3), c < n ? load<f64>(b + <usize>c * cs) : 0);
    b += rs;
    to += line;
  }
}

// Number c of a line at `to` with `step` bytes between numbers := value, or += value.
function deposit(to: usize, value: f64, add: bool): void {
  store<f64>(to, add ? value + load<f64>(to) : value);
}

// Σ a_p B_p over the entries of one row of A, 16 columns at a time, to `to`. `never` is an address that no entry has: the test of it keeps
// the engines from moving all loads to the front, which would take more registers than there are.
function wideLine(entry: usize, end: usize, never: usize, panel: usize, to: usize, step: usize, add: bool): void {
  let c0 = f64x2.splat(0);
  let c1 = f64x2.splat(0);
  let c2 = f64x2.splat(0);
  let c3 = f64x2.splat(0);
  let c4 = f64x2.splat(0);
  let c5 = f64x2.splat(0);
  let c6 = f64x2.splat(0);
  let c7 = f64x2.splat(0);
  for (; entry < end; entry += 16) {
    const x = v128.load64_splat(entry);
    const b = panel + ((<usize>load<u32>(entry, 8)) << 2);
    c0 = multiplyAdd(x, v128.load(b), c0);
    c1 = multiplyAdd(x, v128.load(b, 16), c1);
    c2 = multiplyAdd(x, v128.load(b, 32), c2);
    c3 = multiplyAdd(x, v128.load(b, 48), c3);
    if (entry == never) break;
    c4 = multiplyAdd(x, v128.load(b, 64), c4);
    c5 = multiplyAdd(x, v128.load(b, 80), c5);
    c6 = multiplyAdd(x, v128.load(b, 96), c6);
    c7 = multiplyAdd(x, v128.load(b, 112), c7);
  }
  pair(to, step, c0, add);
  pair(to + 2 * step, step, c1, add);
  pair(to + 4 * step, step, c2, add);
  pair(to + 6 * step, step, c3, add);
  pair(to + 8 * step, step, c4, add);
  pair(to + 10 * step, step, c5, add);
  pair(to + 12 * step, step, c6, add);
  pair(to + 14 * step, step, c7, add);
}

function pair(to: usize, step: usize, value: v128, add: bool): void {
  if (step == 8) {
    v128.store(to, add ? f64x2.add(value, v128.load(to)) : value);
    return;
  }
  deposit(to, f64x2.extract_lane(value, 0), add);
  deposit(to + step, f64x2.extract_lane(value, 1), add);
}

// The same for up to 4 columns.
function narrowLine(entry: usize, end: usize, panel: usize, to: usize, step: usize, columns: i32, add: bool): void {
  let c0 = f64x2.splat(0);
  let c1 = f64x2.splat(0);
  for (; entry < end; entry += 16) {
    const x = v128.load64_splat(entry);
    const b = panel + <usize>load<u32>(entry, 8);
    c0 = multiplyAdd(x, v128.load(b), c0);
    c1 = multiplyAdd(x, v128.load(b, 16), c1);
  }
  deposit(to, f64x2.extract_lane(c0, 0), add);
  if (columns > 1) deposit(to + step, f64x2.extract_lane(c0, 1), add);
  if (columns > 2) deposit(to + 2 * step, f64x2.extract_lane(c1, 0), add);
  if (columns > 3) deposit(to + 3 * step, f64x2.extract_lane(c1, 1), add);
}

/**
 * C := A B for A m × k in lists of its nonzero entries, B and C with strides in bytes. The entries take 16 bytes: value, and 32 times the
 * column within its block of KC columns. They are in order of block, row, column; the list of row i in block q begins with entry number
 * starts[q m + i]. Sums run over columns as those of `gemm` do: the bits are the same. On one thread.
 */
export function sparseProduct(
  m: i32,
  n: i32,
  k: i32,
  starts: usize,
  entries: usize,
  b: usize,
  rsb: usize,
  csb: usize,
  c: usize,
  rsc: usize,
  csc: usize,
): void {
  const panel = rightScratch();
  for (let pc: i32 = 0; pc < k; pc += KC) {
    const add = pc > 0;
    for (let j: i32 = 0; j < n;) {
      const width = n - j >= WIDE ? WIDE : NARROW;
      const columns = min(width, n - j);
      packPanel(min(KC, k - pc), columns, width, b + <usize>pc * rsb + <usize>j * csb, rsb, csb, panel);
      let to = c + <usize>j * csc;
      let first = entries + ((<usize>load<u32>(starts)) << 4);
      for (let i: i32 = 1; i <= m; i++) {
        const last = entries + ((<usize>load<u32>(starts + ((<usize>i) << 2))) << 4);
        if (width == WIDE) wideLine(first, last, 0, panel, to, csc, add);
        else narrowLine(first, last, panel, to, csc, columns, add);
        first = last;
        to += rsc;
      }
      j += columns;
    }
    starts += (<usize>m) << 2;
  }
}
