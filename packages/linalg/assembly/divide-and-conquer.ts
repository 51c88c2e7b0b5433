import { gemm, lineScratch, WHOLE } from "./gemm";
import { count, parameters, pointer, setCount, setPointer, share, sharing } from "./parallel";
import { secularRoot } from "./secular";
import { copyDoubles, get, horizontalSum, multiplyAdd, put, zeroDoubles } from "./simd";

const EPSILON: f64 = 2.220446049250313e-16;
const LEAF: i32 = 32;
const SWEEPS: i32 = 60;

// Row types of a merge: eigenvectors with entries in the first half only, in both, in the second half only.
const TOP: i32 = 0;
const BOTH: i32 = 1;
const BOTTOM: i32 = 2;

// Sub-problems below this depth of halving are shared among threads as wholes; so are the lines of a merge from this many on.
const SHARED_DEPTH: i32 = 3;
const SHARED_LINES: i32 = 96;
const LINES: i32 = 32;

// The problem at hand, set by `attach`: rows of Z are eigenvectors, `order` lists rows by ascending d within a range. A merge of [lo, hi)
// uses its own part of every line, so that the merges of different ranges can go on at the same time.
let problem: usize = 0;
let size: i32 = 0;
let d: usize = 0;
let e: usize = 0;
let rows: usize = 0;
let vectors: usize = 0;
let packed: usize = 0;
let z: usize = 0;
let poles: usize = 0;
let weights: usize = 0;
let corrected: usize = 0;
let dropped: usize = 0;
let order: usize = 0;
let merged: usize = 0;
let keptRows: usize = 0;
let deflatedRows: usize = 0;
let types: usize = 0;
let places: usize = 0;

function index(base: usize, i: i32): i32 {
  return load<i32>(base + ((<usize>i) << 2));
}

function setIndex(base: usize, i: i32, value: i32): void {
  store<i32>(base + ((<usize>i) << 2), value);
}

function entry(row: i32, column: i32): usize {
  return rows + ((<usize>row * <usize>size + <usize>column) << 3);
}

// The part of a line of numbers, or of indices, that belongs to the range from `lo`.
function line(base: usize, lo: i32): usize {
  return base + ((<usize>lo) << 3);
}

function indexLine(base: usize, lo: i32): usize {
  return base + ((<usize>lo) << 2);
}

// Row j of the k × k matrix of secular vectors of the range from `lo`.
function vector(lo: i32, j: i32, k: i32): usize {
  return vectors + ((<usize>lo * <usize>size + <usize>j * <usize>k) << 3);
}

// x, y := c x + s y, c y − s x.
function rotate(n: i32, x: usize, y: usize, c: f64, s: f64): void {
  const cc = f64x2.splat(c);
  const ss = f64x2.splat(s);
  let i: i32 = 0;
  for (; i + 2 <= n; i += 2) {
    const a = v128.load(x);
    const b = v128.load(y);
    v128.store(x, f64x2.add(f64x2.mul(cc, a), f64x2.mul(ss, b)));
    v128.store(y, f64x2.sub(f64x2.mul(cc, b), f64x2.mul(ss, a)));
    x += 16;
    y += 16;
  }
  if (i < n) {
    const a = load<f64>(x);
    const b = load<f64>(y);
    store<f64>(x, c * a + s * b);
    store<f64>(y, c * b - s * a);
  }
}

// Implicit QL with Wilkinson's shift on [lo, hi), rows of Z rotated along. False when an eigenvalue does not converge.
function leaf(lo: i32, hi: i32): bool {
  const n = hi - lo;
  for (let i: i32 = lo; i < hi; i++) {
    zeroDoubles(n, entry(i, lo));
    store<f64>(entry(i, i), 1);
  }
  let norm: f64 = 0;
  for (let i: i32 = lo; i < hi; i++) norm = max(norm, max(abs(get(d, i)), i + 1 < hi ? abs(get(e, i)) : 0));
  for (let l: i32 = lo; l < hi; l++) {
    for (let sweep: i32 = 0; ; sweep++) {
      // An off-diagonal entry is dropped when small beside its neighbours or, once that has failed to happen, beside the whole block.
      const floor: f64 = sweep < SWEEPS / 2 ? 1e-300 : EPSILON * norm;
      let m = l;
      while (m < hi - 1) {
        const off = abs(get(e, m));
        if (off <= max(floor, EPSILON * sqrt(abs(get(d, m))) * sqrt(abs(get(d, m + 1))))) break;
        m++;
      }
      if (m == l) break;
      if (sweep == SWEEPS) return false;
      let g = (get(d, l + 1) - get(d, l)) / (2 * get(e, l));
      let r = sqrt(g * g + 1);
      g = get(d, m) - get(d, l) + get(e, l) / (g + (g >= 0 ? r : -r));
      let s: f64 = 1;
      let c: f64 = 1;
      let p: f64 = 0;
      let i = m - 1;
      let stopped = false;
      for (; i >= l; i--) {
        const f = s * get(e, i);
        const b = c * get(e, i);
        r = sqrt(f * f + g * g);
        if (i + 1 < m) put(e, i + 1, r);
        if (r == 0) {
          put(d, i + 1, get(d, i + 1) - p);
          stopped = true;
          break;
        }
        s = f / r;
        c = g / r;
        g = get(d, i + 1) - p;
        r = (get(d, i) - g) * s + 2 * c * b;
        p = s * r;
        put(d, i + 1, g + p);
        g = c * r - b;
        rotate(n, entry(i + 1, lo), entry(i, lo), c, s);
      }
      if (stopped) {
        if (m < hi - 1) put(e, m, 0);
        continue;
      }
      put(d, l, get(d, l) - p);
      put(e, l, g);
      if (m < hi - 1) put(e, m, 0);
    }
  }
  for (let i: i32 = lo; i < hi; i++) {
    let j = i;
    for (; j > lo && get(d, index(order, j - 1)) > get(d, i); j--) setIndex(order, j, index(order, j - 1));
    setIndex(order, j, i);
  }
  return true;
}

// Row indices of two ascending runs of `from`, merged by d into `to`.
function mergeOrders(from: usize, first: i32, middle: i32, last: i32, to: usize, at: i32): void {
  let i = first;
  let j = middle;
  while (i < middle || j < last) {
    const takeFirst = j >= last || (i < middle && get(d, index(from, i)) <= get(d, index(from, j)));
    setIndex(to, at++, takeFirst ? index(from, i++) : index(from, j++));
  }
}

// Lines of a merge, in pieces for the threads: k lines of its range `lo`.
function shareLines(lo: i32, k: i32, rho: f64, piece: (p: usize, piece: i32) => void): void {
  const lines = sharing() && k >= SHARED_LINES ? LINES : k;
  const p = parameters();
  setCount(p, 0, lo);
  setCount(p, 1, k);
  put(p, 2, rho);
  setCount(p, 3, lines);
  setPointer(p, 4, problem);
  share((k + lines - 1) / lines, piece);
}

function rootsPiece(p: usize, piece: i32): void {
  attach(pointer(p, 4));
  const lo = count(p, 0);
  const k = count(p, 1);
  const first = piece * count(p, 3);
  const last = min(k, first + count(p, 3));
  for (let j = first; j < last; j++) put(d, lo + j, secularRoot(j, k, line(poles, lo), line(weights, lo), get(p, 2), vector(lo, j, k)));
}

// Product over the other roots of δ/(d_i − d_j): Gu and Eisenstat's ẑ, for which the computed roots are exact.
function weightsPiece(p: usize, piece: i32): void {
  attach(pointer(p, 4));
  const lo = count(p, 0);
  const k = count(p, 1);
  const first = piece * count(p, 3);
  const last = min(k, first + count(p, 3));
  const pole = line(poles, lo);
  const product = line(corrected, lo);
  for (let i = first; i < last; i++) put(product, i, 1);
  for (let j: i32 = 0; j < k; j++) {
    const row = vector(lo, j, k);
    const dj = get(pole, j);
    const shift = f64x2.splat(dj);
    for (let half: i32 = 0; half < 2; half++) {
      let i = half == 0 ? first : max(first, j + 1);
      const end = half == 0 ? min(last, j) : last;
      for (; i + 2 <= end; i += 2) {
        const at = (<usize>i) << 3;
        const ratio = f64x2.div(v128.load(row + at), f64x2.sub(v128.load(pole + at), shift));
        v128.store(product + at, f64x2.mul(v128.load(product + at), ratio));
      }
      if (i < end) put(product, i, get(product, i) * (get(row, i) / (get(pole, i) - dj)));
    }
    if (j >= first && j < last) put(product, j, get(product, j) * get(row, j));
  }
  for (let i = first; i < last; i++) put(product, i, copysign(sqrt(abs(get(product, i))), get(line(weights, lo), i)));
}

// Row j of `vectors`: δ becomes ẑ/δ, normalised, its entries moved to the places of their row types.
function secularVector(lo: i32, j: i32, k: i32): void {
  const row = vector(lo, j, k);
  const scratch = lineScratch();
  const product = line(corrected, lo);
  const place = indexLine(places, lo);
  let squares = f64x2.splat(0);
  let i: i32 = 0;
  for (; i + 2 <= k; i += 2) {
    const at = (<usize>i) << 3;
    const value = f64x2.div(v128.load(product + at), v128.load(row + at));
    squares = multiplyAdd(value, value, squares);
    v128.store(scratch + at, value);
  }
  let norm = horizontalSum(squares);
  if (i < k) {
    const value = get(product, i) / get(row, i);
    norm += value * value;
    put(scratch, i, value);
  }
  const factor = 1 / sqrt(norm);
  for (i = 0; i < k; i++) put(row, index(place, i), get(scratch, i) * factor);
}

function vectorsPiece(p: usize, piece: i32): void {
  attach(pointer(p, 4));
  const lo = count(p, 0);
  const k = count(p, 1);
  const first = piece * count(p, 3);
  const last = min(k, first + count(p, 3));
  for (let j = first; j < last; j++) secularVector(lo, j, k);
}

// Eigenvectors of the two halves of [lo, hi) joined: T = diag(T₁, T₂) + ρ u uᵀ with u the last row of Q₁ and the first of Q₂.
function join(lo: i32, middle: i32, hi: i32, coupling: f64): void {
  const n = hi - lo;
  const n1 = middle - lo;
  const n2 = hi - middle;
  const kept = indexLine(keptRows, lo);
  const deflated = indexLine(deflatedRows, lo);
  const place = indexLine(places, lo);
  const values = line(dropped, lo);
  const sign: f64 = coupling < 0 ? -1 : 1;
  const rho = 2 * abs(coupling);
  const root = sqrt(0.5);
  let largest: f64 = 0;
  let largestZ: f64 = 0;
  for (let i: i32 = lo; i < hi; i++) {
    const value = i < middle ? root * load<f64>(entry(i, middle - 1)) : sign * root * load<f64>(entry(i, middle));
    put(z, i, value);
    setIndex(types, i, i < middle ? TOP : BOTTOM);
    largest = max(largest, abs(get(d, i)));
    largestZ = max(largestZ, abs(value));
  }
  const tolerance = 8 * EPSILON * max(largest, rho * largestZ);
  mergeOrders(order, lo, middle, hi, merged, lo);
  if (rho * largestZ <= tolerance) {
    for (let i: i32 = lo; i < hi; i++) setIndex(order, i, index(merged, i));
    return;
  }

  // Deflation: rows with a negligible weight, and one of two rows whose eigenvalues are too close to matter.
  let k: i32 = 0;
  let drops: i32 = 0;
  let candidate: i32 = -1;
  for (let t: i32 = lo; t < hi; t++) {
    const row = index(merged, t);
    if (rho * abs(get(z, row)) <= tolerance) {
      setIndex(deflated, drops++, row);
      continue;
    }
    if (candidate < 0) {
      candidate = row;
      continue;
    }
    const za = get(z, candidate);
    const zb = get(z, row);
    const norm = sqrt(za * za + zb * zb);
    const c = zb / norm;
    const s = -za / norm;
    const difference = get(d, row) - get(d, candidate);
    if (abs(difference * c * s) <= tolerance) {
      put(z, row, norm);
      put(z, candidate, 0);
      if (index(types, row) != index(types, candidate)) {
        setIndex(types, row, BOTH);
        setIndex(types, candidate, BOTH);
      }
      rotate(n, entry(candidate, lo), entry(row, lo), c, s);
      const da = get(d, candidate);
      const db = get(d, row);
      put(d, candidate, da * c * c + db * s * s);
      put(d, row, da * s * s + db * c * c);
      setIndex(deflated, drops++, candidate);
    } else {
      setIndex(kept, k++, candidate);
    }
    candidate = row;
  }
  if (candidate >= 0) setIndex(kept, k++, candidate);

  // Places of the kept rows: first the top ones, then those with both halves, then the bottom ones.
  let top: i32 = 0;
  let both: i32 = 0;
  for (let i: i32 = 0; i < k; i++) {
    const type = index(types, index(kept, i));
    if (type == TOP) top++;
    else if (type == BOTH) both++;
  }
  let nextTop: i32 = 0;
  let nextBoth = top;
  let nextBottom = top + both;
  const upper = packed + ((<usize>lo * <usize>size) << 3);
  const lower = upper + ((<usize>(top + both) * <usize>n1) << 3);
  const aside = lower + ((<usize>(k - top) * <usize>n2) << 3);
  for (let i: i32 = 0; i < k; i++) {
    const row = index(kept, i);
    const type = index(types, row);
    const at = type == TOP ? nextTop++ : type == BOTH ? nextBoth++ : nextBottom++;
    setIndex(place, i, at);
    if (type != BOTTOM) copyDoubles(n1, entry(row, lo), upper + ((<usize>at * <usize>n1) << 3));
    if (type != TOP) copyDoubles(n2, entry(row, middle), lower + ((<usize>(at - top) * <usize>n2) << 3));
    put(line(poles, lo), i, get(d, row));
    put(line(weights, lo), i, get(z, row));
  }
  for (let i: i32 = 0; i < drops; i++) {
    const row = index(deflated, i);
    copyDoubles(n, entry(row, lo), aside + ((<usize>i * <usize>n) << 3));
    put(values, i, get(d, row));
  }
  for (let i: i32 = 0; i < drops; i++) {
    put(d, lo + k + i, get(values, i));
    copyDoubles(n, aside + ((<usize>i * <usize>n) << 3), entry(lo + k + i, lo));
  }
  shareLines(lo, k, rho, rootsPiece);
  shareLines(lo, k, rho, weightsPiece);
  shareLines(lo, k, rho, vectorsPiece);
  const ldk = (<usize>k) << 3;
  const ld = (<usize>size) << 3;
  gemm(k, n1, top + both, 1, vector(lo, 0, k), ldk, 8, upper, (<usize>n1) << 3, 8, 0, entry(lo, lo), ld, WHOLE);
  gemm(k, n2, k - top, 1, vector(lo, 0, k) + ((<usize>top) << 3), ldk, 8, lower, (<usize>n2) << 3, 8, 0, entry(lo, middle), ld, WHOLE);

  // Secular roots are ascending already; the deflated ones nearly so.
  for (let i: i32 = 0; i < k; i++) setIndex(merged, lo + i, lo + i);
  for (let i: i32 = lo + k; i < hi; i++) {
    let j = i;
    for (; j > lo + k && get(d, index(merged, j - 1)) > get(d, i); j--) setIndex(merged, j, index(merged, j - 1));
    setIndex(merged, j, i);
  }
  mergeOrders(merged, lo, lo + k, hi, order, lo);
}

// Tears [lo, hi) at the middle; the coupling stays in e.
function tear(lo: i32, hi: i32): i32 {
  const middle = (lo + hi) >> 1;
  const coupling = abs(get(e, middle - 1));
  put(d, middle - 1, get(d, middle - 1) - coupling);
  put(d, middle, get(d, middle) - coupling);
  return middle;
}

function mend(lo: i32, middle: i32, hi: i32): void {
  // The halves leave zeros outside their own columns.
  for (let i: i32 = lo; i < middle; i++) zeroDoubles(hi - middle, entry(i, middle));
  for (let i: i32 = middle; i < hi; i++) zeroDoubles(middle - lo, entry(i, lo));
  join(lo, middle, hi, get(e, middle - 1));
}

function divide(lo: i32, hi: i32): bool {
  if (hi - lo <= LEAF) return leaf(lo, hi);
  const middle = tear(lo, hi);
  if (!divide(lo, middle) || !divide(middle, hi)) return false;
  mend(lo, middle, hi);
  return true;
}

// Sub-problems at SHARED_DEPTH, side by side: their bounds go to the slots from FIRST_BOUND on. Returns how many bounds there are so far.
const FIRST_BOUND: i32 = 2;

function tearAll(lo: i32, hi: i32, depth: i32, p: usize, bounds: i32): i32 {
  if (depth == 0 || hi - lo <= LEAF) {
    setCount(p, FIRST_BOUND + bounds, hi);
    return bounds + 1;
  }
  const middle = tear(lo, hi);
  return tearAll(middle, hi, depth - 1, p, tearAll(lo, middle, depth - 1, p, bounds));
}

function mendAll(lo: i32, hi: i32, depth: i32): void {
  if (depth == 0 || hi - lo <= LEAF) return;
  const middle = (lo + hi) >> 1;
  mendAll(lo, middle, depth - 1);
  mendAll(middle, hi, depth - 1);
  mend(lo, middle, hi);
}

function dividePiece(p: usize, piece: i32): void {
  attach(pointer(p, 0));
  if (!divide(count(p, FIRST_BOUND + piece), count(p, FIRST_BOUND + piece + 1))) setCount(pointer(p, 0), FAILED, 1);
}

// Slots of a problem.
const SIZE: i32 = 0;
const DIAGONAL: i32 = 1;
const OFF_DIAGONAL: i32 = 2;
const ROWS: i32 = 3;
const FAILED: i32 = 4;
const PROBLEM_SLOTS: i32 = 8;

// Sets the problem of this thread from its description in shared memory; the workspace follows the description.
function attach(at: usize): void {
  problem = at;
  const n = count(at, SIZE);
  const square = (<usize>n * <usize>n) << 3;
  const lineBytes = ((<usize>n) << 3) + 16;
  size = n;
  d = pointer(at, DIAGONAL);
  e = pointer(at, OFF_DIAGONAL);
  rows = pointer(at, ROWS);
  vectors = at + (PROBLEM_SLOTS << 3);
  packed = vectors + square;
  z = packed + square;
  poles = z + lineBytes;
  weights = poles + lineBytes;
  corrected = weights + lineBytes;
  dropped = corrected + lineBytes;
  order = dropped + lineBytes;
  merged = order + lineBytes;
  keptRows = merged + lineBytes;
  deflatedRows = keptRows + lineBytes;
  types = deflatedRows + lineBytes;
  places = types + lineBytes;
}

/** Numbers of workspace that `tridiagonalEigen` needs. */
export function tridiagonalEigenWork(n: i32): f64 {
  return 2 * <f64>n * <f64>n + 11 * (<f64>n + 2) + PROBLEM_SLOTS;
}

/**
 * Eigenvalues and eigenvectors of the symmetric tridiagonal (diagonal, offDiagonal), both overwritten, by divide and conquer (Cuppen;
 * Gu and Eisenstat 1995). Ascending eigenvalues end in `values`, eigenvectors in the columns of the n × n `result`, `spare` is n × n.
 * Returns false when a leaf does not converge.
 */
export function tridiagonalEigen(
  n: i32,
  diagonal: usize,
  offDiagonal: usize,
  values: usize,
  result: usize,
  spare: usize,
  work: usize,
): bool {
  setCount(work, SIZE, n);
  setPointer(work, DIAGONAL, diagonal);
  setPointer(work, OFF_DIAGONAL, offDiagonal);
  setPointer(work, ROWS, spare);
  setCount(work, FAILED, 0);
  attach(work);
  const p = parameters();
  setPointer(p, 0, work);
  setCount(p, FIRST_BOUND, 0);
  share(tearAll(0, n, SHARED_DEPTH, p, 1) - 1, dividePiece);
  if (count(work, FAILED) == 1) return false;
  mendAll(0, n, SHARED_DEPTH);
  const q = parameters();
  setPointer(q, 0, work);
  setPointer(q, 1, values);
  setPointer(q, 2, result);
  share((n + COLUMNS - 1) / COLUMNS, columnsPiece);
  return true;
}

// Rows in ascending order become columns, 16 at a time.
const COLUMNS: i32 = 16;

function columnsPiece(p: usize, piece: i32): void {
  attach(pointer(p, 0));
  const values = pointer(p, 1);
  const result = pointer(p, 2);
  const ld = (<usize>size) << 3;
  const jb = piece * COLUMNS;
  const jEnd = min(size, jb + COLUMNS);
  for (let j = jb; j < jEnd; j++) put(values, j, get(d, index(order, j)));
  for (let ib: i32 = 0; ib < size; ib += COLUMNS) {
    const iEnd = min(size, ib + COLUMNS);
    for (let j = jb; j < jEnd; j++) {
      const from = entry(index(order, j), 0);
      let to = result + <usize>ib * ld + ((<usize>j) << 3);
      for (let i = ib; i < iEnd; i++) {
        store<f64>(to, get(from, i));
        to += ld;
      }
    }
  }
}
