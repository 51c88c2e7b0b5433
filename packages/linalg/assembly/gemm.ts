import { count, parameters, pointer, setCount, setPointer, setStack, share, sharing, stackBytes } from "./parallel";
import { get, multiplyAdd, put, scale, zeroDoubles } from "./simd";

// Register tile: 4 rows × 4 columns, 8 accumulators. Taller tiles and unrolled loops made the engines spill registers (measured on V8 11.3
// and 13.6).
export const TILE_ROWS: i32 = 4;
export const TILE_COLUMNS: i32 = 4;
// Cache blocks: a packed block of A (MC × KC) stays in the second-level cache, a panel of B (KC × 4) in the first.
const MC: i32 = 96;
const KC: i32 = 256;
const NC: i32 = 1024;

// Packed blocks and the tile used at the edges; set once by `setWorkspace`.
let packedA: usize = 0;
let packedB: usize = 0;
let edgeTile: usize = 0;
let panel: usize = 0;
// Columns of the transposed panel that triangular solves from the right work on.
export const PANEL_COLUMNS: i32 = 256;
export const PANEL_ROWS: i32 = 24;

// Bytes that `setWorkspace` needs.
export function workspaceBytes(): usize {
  return ((<usize>(2 * MC * KC + KC * NC + TILE_ROWS * TILE_COLUMNS + PANEL_ROWS * PANEL_COLUMNS)) << 3) + stackBytes() + 256;
}

// Scratch of this thread: packed blocks, panels, and the parameters of nested jobs.
export function setWorkspace(at: usize): void {
  packedA = at;
  packedB = packedA + ((<usize>(2 * MC * KC)) << 3);
  edgeTile = packedB + ((<usize>(KC * NC)) << 3);
  panel = edgeTile + ((<usize>(TILE_ROWS * TILE_COLUMNS)) << 3);
  setStack(panel + ((<usize>(PANEL_ROWS * PANEL_COLUMNS)) << 3));
}

// Scratch of this thread for up to 2·MC·KC = 49152 numbers, free until the next product.
export function lineScratch(): usize {
  return packedA;
}

// Scratch of PANEL_ROWS × PANEL_COLUMNS numbers.
export function panelScratch(): usize {
  return panel;
}

// Which tiles of C are computed: all, or those that touch the lower or the upper triangle.
export const WHOLE: i32 = 0;
export const LOWER: i32 = 1;
export const UPPER: i32 = 2;

// Rows of A in panels of 4: the four entries of one column side by side, twice each (a load that repeats a number takes two instructions),
// rows beyond m as zeros. Element (i, p) at a + i·rs + p·cs.
function packLeft(m: i32, k: i32, a: usize, rs: usize, cs: usize): void {
  let to = packedA;
  for (let i: i32 = 0; i < m; i += TILE_ROWS) {
    let from = a + <usize>i * rs;
    const rows = m - i;
    if (rows >= TILE_ROWS) {
      for (let p: i32 = 0; p < k; p++) {
        v128.store(to, v128.load64_splat(from));
        v128.store(to, v128.load64_splat(from + rs), 16);
        v128.store(to, v128.load64_splat(from + 2 * rs), 32);
        v128.store(to, v128.load64_splat(from + 3 * rs), 48);
        from += cs;
        to += 64;
      }
    } else {
      for (let p: i32 = 0; p < k; p++) {
        for (let r: i32 = 0; r < TILE_ROWS; r++)
          v128.store(to + ((<usize>r) << 4), r < rows ? v128.load64_splat(from + <usize>r * rs) : f64x2.splat(0));
        from += cs;
        to += 64;
      }
    }
  }
}

// Columns of B in panels of 4. Element (p, j) at b + p·rs + j·cs.
function packRight(k: i32, n: i32, b: usize, rs: usize, cs: usize, to: usize): void {
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

// C (4 × 4, row stride ldc bytes) := β C + α A B over k packed columns. All of C is loaded, then all of it stored, in adjacent
// pairs, which is what lets an engine pair the two halves of a row into one wider register.
function tile(k: i32, a: usize, b: usize, c: usize, ldc: usize, alpha: f64, beta: f64): void {
  let c00 = f64x2.splat(0);
  let c01 = f64x2.splat(0);
  let c10 = f64x2.splat(0);
  let c11 = f64x2.splat(0);
  let c20 = f64x2.splat(0);
  let c21 = f64x2.splat(0);
  let c30 = f64x2.splat(0);
  let c31 = f64x2.splat(0);
  for (let p: i32 = k; p > 0; p--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load(a);
    c00 = multiplyAdd(x, b0, c00);
    c01 = multiplyAdd(x, b1, c01);
    x = v128.load(a, 16);
    c10 = multiplyAdd(x, b0, c10);
    c11 = multiplyAdd(x, b1, c11);
    x = v128.load(a, 32);
    c20 = multiplyAdd(x, b0, c20);
    c21 = multiplyAdd(x, b1, c21);
    x = v128.load(a, 48);
    c30 = multiplyAdd(x, b0, c30);
    c31 = multiplyAdd(x, b1, c31);
    a += 64;
    b += 32;
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

// A tile at the edge: computed in full on the side, copied where it exists.
function edge(k: i32, a: usize, b: usize, c: usize, ldc: usize, alpha: f64, beta: f64, rows: i32, columns: i32): void {
  tile(k, a, b, edgeTile, <usize>(TILE_COLUMNS << 3), alpha, 0);
  for (let i: i32 = 0; i < rows; i++) {
    for (let j: i32 = 0; j < columns; j++) {
      const at = c + <usize>i * ldc + ((<usize>j) << 3);
      const value = load<f64>(edgeTile + ((<usize>(i * TILE_COLUMNS + j)) << 3));
      store<f64>(at, beta == 0 ? value : beta * load<f64>(at) + value);
    }
  }
}

// One packed block: C[i0 + …, j0 + …] for m rows and n columns. i0 and j0 place the block for the triangle test.
function block(m: i32, n: i32, k: i32, right: usize, c: usize, ldc: usize, alpha: f64, beta: f64, part: i32, i0: i32, j0: i32): void {
  for (let j: i32 = 0; j < n; j += TILE_COLUMNS) {
    const columns = min(TILE_COLUMNS, n - j);
    const b = right + ((<usize>j * <usize>k) << 3);
    for (let i: i32 = 0; i < m; i += TILE_ROWS) {
      const rows = min(TILE_ROWS, m - i);
      if (part == LOWER && j0 + j > i0 + i + rows - 1) continue;
      if (part == UPPER && j0 + j + columns - 1 < i0 + i) continue;
      const a = packedA + ((<usize>i * <usize>k) << 4);
      const at = c + <usize>i * ldc + ((<usize>j) << 3);
      if (rows == TILE_ROWS && columns == TILE_COLUMNS) tile(k, a, b, at, ldc, alpha, beta);
      else edge(k, a, b, at, ldc, alpha, beta, rows, columns);
    }
  }
}

// Multiply–adds from which sharing pays.
const SHARED_FROM: f64 = 2e5;
// Rows and columns of a shared piece, and how many pieces there should be.
const PIECE_ROWS: i32 = 32;
const PIECE_COLUMNS: i32 = 64;
const PIECES: i32 = 24;

/**
 * C := β C + α A B for C m × n with rows ldc bytes apart. Element (i, p) of A is at a + i·rsa + p·csa, (p, j) of B at b + p·rsb + j·csb
 * (strides in bytes), so transposes cost nothing. `part` leaves tiles that lie wholly outside a triangle of C alone; tiles that the
 * diagonal crosses are written whole. Threads pack B together and share the pieces of C; the numbers do not depend on how many there are.
 */
export function gemm(
  m: i32,
  n: i32,
  k: i32,
  alpha: f64,
  a: usize,
  rsa: usize,
  csa: usize,
  b: usize,
  rsb: usize,
  csb: usize,
  beta: f64,
  c: usize,
  ldc: usize,
  part: i32,
): void {
  if (k == 0) {
    for (let i: i32 = 0; i < m; i++) {
      if (beta == 0) zeroDoubles(n, c + <usize>i * ldc);
      else scale(n, beta, c + <usize>i * ldc);
    }
    return;
  }
  const shared = sharing() && <f64>m * <f64>n * <f64>k >= SHARED_FROM;
  for (let jc: i32 = 0; jc < n; jc += NC) {
    const nc = min(NC, n - jc);
    if (part == LOWER && jc >= m) continue;
    for (let pc: i32 = 0; pc < k; pc += KC) {
      const kc = min(KC, k - pc);
      const keep = pc == 0 ? beta : 1;
      const left = a + <usize>pc * csa;
      const right = b + <usize>pc * rsb + <usize>jc * csb;
      const to = c + ((<usize>jc) << 3);
      if (shared) sharedBlocks(m, nc, kc, alpha, left, rsa, csa, right, rsb, csb, keep, to, ldc, part, jc);
      else {
        packRight(kc, nc, right, rsb, csb, packedB);
        rowBlocks(0, m, nc, kc, alpha, left, rsa, csa, packedB, keep, to, ldc, part, jc);
      }
    }
  }
}

// Rows first ≤ i < last of C, n columns from column j0 on, with the packed columns at `right`.
function rowBlocks(
  first: i32,
  last: i32,
  n: i32,
  k: i32,
  alpha: f64,
  a: usize,
  rsa: usize,
  csa: usize,
  right: usize,
  beta: f64,
  c: usize,
  ldc: usize,
  part: i32,
  j0: i32,
): void {
  for (let ic: i32 = first; ic < last; ic += MC) {
    const mc = min(MC, last - ic);
    if (part == LOWER && j0 > ic + mc - 1) continue;
    if (part == UPPER && j0 + n - 1 < ic) continue;
    packLeft(mc, k, a + <usize>ic * rsa, rsa, csa);
    block(mc, n, k, right, c + <usize>ic * ldc, ldc, alpha, beta, part, ic, j0);
  }
}

function roundUp(value: i32, step: i32): i32 {
  return ((value + step - 1) / step) * step;
}

// One packed block of B against all rows of A, in pieces for the threads.
function sharedBlocks(
  m: i32,
  n: i32,
  k: i32,
  alpha: f64,
  a: usize,
  rsa: usize,
  csa: usize,
  b: usize,
  rsb: usize,
  csb: usize,
  beta: f64,
  c: usize,
  ldc: usize,
  part: i32,
  j0: i32,
): void {
  const columns = max(PIECE_COLUMNS, roundUp(n / 8, TILE_COLUMNS));
  let p = parameters();
  setCount(p, 0, n);
  setCount(p, 1, k);
  setPointer(p, 2, b);
  setPointer(p, 3, rsb);
  setPointer(p, 4, csb);
  setPointer(p, 5, packedB);
  setCount(p, 6, columns);
  share((n + columns - 1) / columns, packPiece);

  const rows = min(MC, max(PIECE_ROWS, roundUp(m / PIECES, TILE_ROWS)));
  const across = (m + rows - 1) / rows;
  // Few rows: columns are cut too.
  const width = across >= 8 ? n : max(PIECE_COLUMNS, roundUp(n / (PIECES / max(across, 1)), TILE_COLUMNS));
  const along = (n + width - 1) / width;
  p = parameters();
  setCount(p, 0, m);
  setCount(p, 1, n);
  setCount(p, 2, k);
  put(p, 3, alpha);
  setPointer(p, 4, a);
  setPointer(p, 5, rsa);
  setPointer(p, 6, csa);
  setPointer(p, 7, packedB);
  put(p, 8, beta);
  setPointer(p, 9, c);
  setPointer(p, 10, ldc);
  setCount(p, 11, part);
  setCount(p, 12, j0);
  setCount(p, 13, rows);
  setCount(p, 14, width);
  setCount(p, 15, along);
  share(across * along, blockPiece);
}

function packPiece(p: usize, piece: i32): void {
  const n = count(p, 0);
  const k = count(p, 1);
  const columns = count(p, 6);
  const j = piece * columns;
  packRight(
    k,
    min(columns, n - j),
    pointer(p, 2) + <usize>j * pointer(p, 4),
    pointer(p, 3),
    pointer(p, 4),
    pointer(p, 5) + ((<usize>j * <usize>k) << 3),
  );
}

function blockPiece(p: usize, piece: i32): void {
  const m = count(p, 0);
  const k = count(p, 2);
  const part = count(p, 11);
  const rows = count(p, 13);
  const width = count(p, 14);
  const along = count(p, 15);
  // The longest rows of a triangle first, so that the threads end together.
  const row = part == LOWER ? (m - 1) / rows - piece / along : piece / along;
  const i = row * rows;
  const j = (piece % along) * width;
  const right = pointer(p, 7) + ((<usize>j * <usize>k) << 3);
  rowBlocks(
    i,
    min(m, i + rows),
    min(width, count(p, 1) - j),
    k,
    get(p, 3),
    pointer(p, 4),
    pointer(p, 5),
    pointer(p, 6),
    right,
    get(p, 8),
    pointer(p, 9) + ((<usize>j) << 3),
    pointer(p, 10),
    part,
    count(p, 12) + j,
  );
}

const MIRROR: i32 = 32;
// Numbers from which mirroring is shared.
const SHARED_MIRROR: i32 = 200;

/** Upper triangle of C := its lower triangle mirrored, in blocks that fit the first-level cache. */
export function mirrorLower(n: i32, c: usize): void {
  const bands = (n + MIRROR - 1) / MIRROR;
  if (!sharing() || n < SHARED_MIRROR) {
    for (let band: i32 = 0; band < bands; band++) mirrorBand(n, c, band);
    return;
  }
  const p = parameters();
  setCount(p, 0, n);
  setPointer(p, 1, c);
  share(bands, mirrorPiece);
}

function mirrorPiece(p: usize, piece: i32): void {
  const n = count(p, 0);
  mirrorBand(n, pointer(p, 1), (n - 1) / MIRROR - piece);
}

function mirrorBand(n: i32, c: usize, band: i32): void {
  const ld = (<usize>n) << 3;
  const ib = band * MIRROR;
  const iEnd = min(n, ib + MIRROR);
  for (let jb: i32 = 0; jb <= ib; jb += MIRROR) {
    for (let i: i32 = ib; i < iEnd; i++) {
      const jEnd = min(i, jb + MIRROR);
      let from = c + <usize>i * ld + ((<usize>jb) << 3);
      let to = c + <usize>jb * ld + ((<usize>i) << 3);
      for (let j: i32 = jb; j < jEnd; j++) {
        store<f64>(to, load<f64>(from));
        from += 8;
        to += ld;
      }
    }
  }
}
