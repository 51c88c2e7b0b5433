import { gemm, LOWER, panelScratch, PANEL_COLUMNS, WHOLE } from "./gemm";
import { count, parameters, pointer, setCount, setPointer, share, sharing } from "./parallel";
import { dot, get, put } from "./simd";
import { BASE, half, substitute } from "./triangular";

let failedValue: f64 = 0;

/** Value of the pivot that `cholesky` reported. */
export function pivotValue(): f64 {
  return failedValue;
}

// Rows × columns numbers at `from` written transposed at `to`.
function transposeInto(rows: i32, columns: i32, from: usize, ldFrom: usize, to: usize, ldTo: usize): void {
  for (let i: i32 = 0; i < rows; i++) {
    let source = from + <usize>i * ldFrom;
    let target = to + ((<usize>i) << 3);
    for (let j: i32 = 0; j < columns; j++) {
      store<f64>(target, load<f64>(source));
      source += 8;
      target += ldTo;
    }
  }
}

// X Lᵀ = A in place, A m × n: halved like the solves from the left; the base case works on a transposed panel, whose rows are long.
function solveRight(m: i32, n: i32, l: usize, a: usize, ld: usize): void {
  if (n <= BASE) {
    const panel = panelScratch();
    for (let i: i32 = 0; i < m; i += PANEL_COLUMNS) {
      const rows = min(PANEL_COLUMNS, m - i);
      const from = a + <usize>i * ld;
      transposeInto(rows, n, from, ld, panel, PANEL_COLUMNS << 3);
      substitute(n, rows, l, ld, panel, PANEL_COLUMNS << 3);
      transposeInto(n, rows, panel, PANEL_COLUMNS << 3, from, ld);
    }
    return;
  }
  const n1 = half(n);
  const lower = l + <usize>n1 * ld;
  const a2 = a + ((<usize>n1) << 3);
  solveRight(m, n1, l, a, ld);
  gemm(m, n - n1, n1, -1, a, ld, 8, lower, 8, ld, 1, a2, ld, WHOLE);
  solveRight(m, n - n1, lower + ((<usize>n1) << 3), a2, ld);
}

// Rows of X that a thread solves for at a time, and the numbers of A from which that pays.
const SOLVED_ROWS: i32 = 32;
const SHARED_FROM: i32 = 4000;

function solveRightShared(m: i32, n: i32, l: usize, a: usize, ld: usize): void {
  if (!sharing() || m * n < SHARED_FROM || m < 2 * SOLVED_ROWS) {
    solveRight(m, n, l, a, ld);
    return;
  }
  const p = parameters();
  setCount(p, 0, m);
  setCount(p, 1, n);
  setPointer(p, 2, l);
  setPointer(p, 3, a);
  setPointer(p, 4, ld);
  share((m + SOLVED_ROWS - 1) / SOLVED_ROWS, solveRightPiece);
}

function solveRightPiece(p: usize, piece: i32): void {
  const ld = pointer(p, 4);
  const i = piece * SOLVED_ROWS;
  solveRight(min(SOLVED_ROWS, count(p, 0) - i), count(p, 1), pointer(p, 2), pointer(p, 3) + <usize>i * ld, ld);
}

function factorBase(n: i32, a: usize, ld: usize): i32 {
  for (let i: i32 = 0; i < n; i++) {
    const row = a + <usize>i * ld;
    for (let j: i32 = 0; j < i; j++) {
      const other = a + <usize>j * ld;
      put(row, j, (get(row, j) - dot(j, row, other)) / get(other, j));
    }
    const pivot = get(row, i) - dot(i, row, row);
    if (!(pivot > 0 && pivot < Infinity)) {
      failedValue = pivot;
      return i;
    }
    put(row, i, sqrt(pivot));
  }
  return -1;
}

/** A = L Lᵀ in place (lower triangle). Returns −1, or the index of the first pivot that is not a positive number. */
export function cholesky(n: i32, a: usize, ld: usize): i32 {
  if (n <= BASE) return factorBase(n, a, ld);
  const n1 = half(n);
  const n2 = n - n1;
  const a21 = a + <usize>n1 * ld;
  const a22 = a21 + ((<usize>n1) << 3);
  const first = cholesky(n1, a, ld);
  if (first >= 0) return first;
  solveRightShared(n2, n1, a, a21, ld);
  gemm(n2, n2, n1, -1, a21, ld, 8, a21, 8, ld, 1, a22, ld, LOWER);
  const second = cholesky(n2, a22, ld);
  return second < 0 ? -1 : n1 + second;
}
