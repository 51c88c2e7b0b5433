import { count, parameters, pointer, setCount, setPointer, setStack, share, sharing, stackBytes } from "./parallel";
import { get, put, scale, zeroDoubles } from "./simd";
import { LEFT_COPIES, packLeft, packRight, tile, TILE_COLUMNS, TILE_ROWS } from "./tile";

// Cache blocks: a packed block of A (MC × KC) stays in the second-level cache, a panel of B (KC × 4) in the first.
const MC: i32 = 96;
export const KC: i32 = 256;
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
  return ((<usize>(LEFT_COPIES * MC * KC + KC * NC + TILE_ROWS * TILE_COLUMNS + PANEL_ROWS * PANEL_COLUMNS)) << 3) + stackBytes() + 256;
}

// Scratch of this thread: packed blocks, panels, and the parameters of nested jobs.
export function setWorkspace(at: usize): void {
  packedA = at;
  packedB = packedA + ((<usize>(LEFT_COPIES * MC * KC)) << 3);
  edgeTile = packedB + ((<usize>(KC * NC)) << 3);
  panel = edgeTile + ((<usize>(TILE_ROWS * TILE_COLUMNS)) << 3);
  setStack(panel + ((<usize>(PANEL_ROWS * PANEL_COLUMNS)) << 3));
}

// Scratch of this thread for up to MC·KC = 24576 numbers, free until the next product.
export function lineScratch(): usize {
  return packedA;
}

// Scratch of this thread for KC·NC numbers, free until the next product.
export function rightScratch(): usize {
  return packedB;
}

// Scratch of PANEL_ROWS × PANEL_COLUMNS numbers.
export function panelScratch(): usize {
  return panel;
}

// Which tiles of C are computed: all, or those that touch the lower or the upper triangle.
export const WHOLE: i32 = 0;
export const LOWER: i32 = 1;
export const UPPER: i32 = 2;

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
      const a = packedA + ((<usize>i * <usize>k * LEFT_COPIES) << 3);
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
    packLeft(mc, k, a + <usize>ic * rsa, rsa, csa, packedA);
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
