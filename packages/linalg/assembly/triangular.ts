import { gemm, WHOLE } from "./gemm";
import { count, parameters, pointer, setCount, setPointer, share, sharing } from "./parallel";
import { get, multiplySubtract } from "./simd";

// Rows that substitution handles directly; larger systems are halved so that most of the work is gemm.
export const BASE: i32 = 24;

// Half of n, rounded to whole base blocks.
export function half(n: i32): i32 {
  return max(BASE, ((n / BASE) >> 1) * BASE);
}

function at(base: usize, i: i32, ld: usize): usize {
  return base + <usize>i * ld;
}

// Row i of X −= Σ_k c_k (row k of X), times `inverse`, for eight columns; c_k at `c` with `step` bytes between.
function eliminate8(x: usize, ldx: usize, target: usize, first: i32, count: i32, c: usize, step: usize, inverse: f64): void {
  let s0 = v128.load(target);
  let s1 = v128.load(target, 16);
  let s2 = v128.load(target, 32);
  let s3 = v128.load(target, 48);
  let row = at(x, first, ldx);
  for (let k: i32 = 0; k < count; k++) {
    const factor = v128.load64_splat(c);
    s0 = multiplySubtract(factor, v128.load(row), s0);
    s1 = multiplySubtract(factor, v128.load(row, 16), s1);
    s2 = multiplySubtract(factor, v128.load(row, 32), s2);
    s3 = multiplySubtract(factor, v128.load(row, 48), s3);
    row += ldx;
    c += step;
  }
  const d = f64x2.splat(inverse);
  v128.store(target, f64x2.mul(d, s0));
  v128.store(target, f64x2.mul(d, s1), 16);
  v128.store(target, f64x2.mul(d, s2), 32);
  v128.store(target, f64x2.mul(d, s3), 48);
}

// The same for one column.
function eliminate1(x: usize, ldx: usize, target: usize, first: i32, count: i32, c: usize, step: usize, inverse: f64): void {
  let sum = load<f64>(target);
  let row = at(x, first, ldx);
  for (let k: i32 = 0; k < count; k++) {
    sum -= load<f64>(c) * load<f64>(row);
    row += ldx;
    c += step;
  }
  store<f64>(target, sum * inverse);
}

// L X = B in place by substitution, L n × n.
export function substitute(n: i32, m: i32, l: usize, ldl: usize, b: usize, ldb: usize): void {
  let j: i32 = 0;
  for (; j + 8 <= m; j += 8) {
    const x = b + ((<usize>j) << 3);
    for (let i: i32 = 0; i < n; i++) eliminate8(x, ldb, at(x, i, ldb), 0, i, at(l, i, ldl), 8, 1 / get(at(l, i, ldl), i));
  }
  for (; j < m; j++) {
    const x = b + ((<usize>j) << 3);
    for (let i: i32 = 0; i < n; i++) eliminate1(x, ldb, at(x, i, ldb), 0, i, at(l, i, ldl), 8, 1 / get(at(l, i, ldl), i));
  }
}

// Lᵀ X = B in place by substitution.
function substituteTransposed(n: i32, m: i32, l: usize, ldl: usize, b: usize, ldb: usize): void {
  let j: i32 = 0;
  for (; j + 8 <= m; j += 8) {
    const x = b + ((<usize>j) << 3);
    for (let i: i32 = n - 1; i >= 0; i--)
      eliminate8(x, ldb, at(x, i, ldb), i + 1, n - 1 - i, at(l, i + 1, ldl) + ((<usize>i) << 3), ldl, 1 / get(at(l, i, ldl), i));
  }
  for (; j < m; j++) {
    const x = b + ((<usize>j) << 3);
    for (let i: i32 = n - 1; i >= 0; i--)
      eliminate1(x, ldb, at(x, i, ldb), i + 1, n - 1 - i, at(l, i + 1, ldl) + ((<usize>i) << 3), ldl, 1 / get(at(l, i, ldl), i));
  }
}

// Columns of X that a thread solves for at a time (a multiple of the eight that substitution takes together), and the numbers of L from
// which that pays.
const SOLVED_COLUMNS: i32 = 64;
const SHARED_FROM: i32 = 10000;

/** L X = B in place: L lower triangular n × n, B n × m, rows ldl and ldb bytes apart. */
export function solveLower(n: i32, m: i32, l: usize, ldl: usize, b: usize, ldb: usize): void {
  if (!shareColumns(n, m, l, ldl, b, ldb, solvePiece)) solveHalves(n, m, l, ldl, b, ldb);
}

/** Lᵀ X = B in place. */
export function solveLowerTransposed(n: i32, m: i32, l: usize, ldl: usize, b: usize, ldb: usize): void {
  if (!shareColumns(n, m, l, ldl, b, ldb, solveTransposedPiece)) solveTransposedHalves(n, m, l, ldl, b, ldb);
}

function shareColumns(n: i32, m: i32, l: usize, ldl: usize, b: usize, ldb: usize, piece: (p: usize, piece: i32) => void): bool {
  if (!sharing() || n * n < SHARED_FROM || m < 2 * SOLVED_COLUMNS) return false;
  const p = parameters();
  setCount(p, 0, n);
  setCount(p, 1, m);
  setPointer(p, 2, l);
  setPointer(p, 3, ldl);
  setPointer(p, 4, b);
  setPointer(p, 5, ldb);
  share((m + SOLVED_COLUMNS - 1) / SOLVED_COLUMNS, piece);
  return true;
}

function solvePiece(p: usize, piece: i32): void {
  const j = piece * SOLVED_COLUMNS;
  solveHalves(
    count(p, 0),
    min(SOLVED_COLUMNS, count(p, 1) - j),
    pointer(p, 2),
    pointer(p, 3),
    pointer(p, 4) + ((<usize>j) << 3),
    pointer(p, 5),
  );
}

function solveTransposedPiece(p: usize, piece: i32): void {
  const j = piece * SOLVED_COLUMNS;
  solveTransposedHalves(
    count(p, 0),
    min(SOLVED_COLUMNS, count(p, 1) - j),
    pointer(p, 2),
    pointer(p, 3),
    pointer(p, 4) + ((<usize>j) << 3),
    pointer(p, 5),
  );
}

function solveHalves(n: i32, m: i32, l: usize, ldl: usize, b: usize, ldb: usize): void {
  if (n <= BASE) {
    substitute(n, m, l, ldl, b, ldb);
    return;
  }
  const n1 = half(n);
  const n2 = n - n1;
  const lower = at(l, n1, ldl);
  const b2 = at(b, n1, ldb);
  solveHalves(n1, m, l, ldl, b, ldb);
  gemm(n2, m, n1, -1, lower, ldl, 8, b, ldb, 8, 1, b2, ldb, WHOLE);
  solveHalves(n2, m, lower + ((<usize>n1) << 3), ldl, b2, ldb);
}

function solveTransposedHalves(n: i32, m: i32, l: usize, ldl: usize, b: usize, ldb: usize): void {
  if (n <= BASE) {
    substituteTransposed(n, m, l, ldl, b, ldb);
    return;
  }
  const n1 = half(n);
  const n2 = n - n1;
  const lower = at(l, n1, ldl);
  const b2 = at(b, n1, ldb);
  solveTransposedHalves(n2, m, lower + ((<usize>n1) << 3), ldl, b2, ldb);
  gemm(n1, m, n2, -1, lower, 8, ldl, b2, ldb, 8, 1, b, ldb, WHOLE);
  solveTransposedHalves(n1, m, l, ldl, b, ldb);
}
