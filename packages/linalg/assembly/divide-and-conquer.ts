import { gemm, WHOLE } from "./gemm";
import { secularRoot } from "./secular";
import { copyDoubles, get, horizontalSum, multiplyAdd, put, zeroDoubles } from "./simd";

const EPSILON: f64 = 2.220446049250313e-16;
const LEAF: i32 = 32;
const SWEEPS: i32 = 60;

// Row types of a merge: eigenvectors with entries in the first half only, in both, in the second half only.
const TOP: i32 = 0;
const BOTH: i32 = 1;
const BOTTOM: i32 = 2;

// The problem at hand, set by `tridiagonalEigen`: rows of Z are eigenvectors, `order` lists rows by ascending d within a range.
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
let scratch: usize = 0;
let order: usize = 0;
let merged: usize = 0;
let kept: usize = 0;
let deflated: usize = 0;
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

// Product over the other roots of δ/(d_i − d_j): Gu and Eisenstat's ẑ, for which the computed roots are exact.
function correctWeights(k: i32): void {
  for (let i: i32 = 0; i < k; i++) put(corrected, i, 1);
  for (let j: i32 = 0; j < k; j++) {
    const row = vectors + ((<usize>j * <usize>k) << 3);
    const dj = get(poles, j);
    const shift = f64x2.splat(dj);
    for (let half: i32 = 0; half < 2; half++) {
      let i = half == 0 ? 0 : j + 1;
      const end = half == 0 ? j : k;
      for (; i + 2 <= end; i += 2) {
        const at = (<usize>i) << 3;
        const ratio = f64x2.div(v128.load(row + at), f64x2.sub(v128.load(poles + at), shift));
        v128.store(corrected + at, f64x2.mul(v128.load(corrected + at), ratio));
      }
      if (i < end) put(corrected, i, get(corrected, i) * (get(row, i) / (get(poles, i) - dj)));
    }
    put(corrected, j, get(corrected, j) * get(row, j));
  }
  for (let i: i32 = 0; i < k; i++) put(corrected, i, copysign(sqrt(abs(get(corrected, i))), get(weights, i)));
}

// Row j of `vectors`: δ becomes ẑ/δ, normalised, its entries moved to the places of their row types.
function secularVector(j: i32, k: i32): void {
  const row = vectors + ((<usize>j * <usize>k) << 3);
  let squares = f64x2.splat(0);
  let i: i32 = 0;
  for (; i + 2 <= k; i += 2) {
    const at = (<usize>i) << 3;
    const value = f64x2.div(v128.load(corrected + at), v128.load(row + at));
    squares = multiplyAdd(value, value, squares);
    v128.store(scratch + at, value);
  }
  let norm = horizontalSum(squares);
  if (i < k) {
    const value = get(corrected, i) / get(row, i);
    norm += value * value;
    put(scratch, i, value);
  }
  const factor = 1 / sqrt(norm);
  for (i = 0; i < k; i++) put(row, index(places, i), get(scratch, i) * factor);
}

// Eigenvectors of the two halves of [lo, hi) joined: T = diag(T₁, T₂) + ρ u uᵀ with u the last row of Q₁ and the first of Q₂.
function join(lo: i32, middle: i32, hi: i32, coupling: f64): void {
  const n = hi - lo;
  const n1 = middle - lo;
  const n2 = hi - middle;
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
  let dropped: i32 = 0;
  let candidate: i32 = -1;
  for (let t: i32 = lo; t < hi; t++) {
    const row = index(merged, t);
    if (rho * abs(get(z, row)) <= tolerance) {
      setIndex(deflated, dropped++, row);
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
      setIndex(deflated, dropped++, candidate);
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
  const upper = packed;
  const lower = upper + ((<usize>(top + both) * <usize>n1) << 3);
  const aside = lower + ((<usize>(k - top) * <usize>n2) << 3);
  for (let i: i32 = 0; i < k; i++) {
    const row = index(kept, i);
    const type = index(types, row);
    const place = type == TOP ? nextTop++ : type == BOTH ? nextBoth++ : nextBottom++;
    setIndex(places, i, place);
    if (type != BOTTOM) copyDoubles(n1, entry(row, lo), upper + ((<usize>place * <usize>n1) << 3));
    if (type != TOP) copyDoubles(n2, entry(row, middle), lower + ((<usize>(place - top) * <usize>n2) << 3));
    put(poles, i, get(d, row));
    put(weights, i, get(z, row));
  }
  for (let i: i32 = 0; i < dropped; i++) {
    const row = index(deflated, i);
    copyDoubles(n, entry(row, lo), aside + ((<usize>i * <usize>n) << 3));
    put(scratch, i, get(d, row));
  }
  for (let i: i32 = 0; i < dropped; i++) {
    put(d, lo + k + i, get(scratch, i));
    copyDoubles(n, aside + ((<usize>i * <usize>n) << 3), entry(lo + k + i, lo));
  }
  for (let j: i32 = 0; j < k; j++) put(d, lo + j, secularRoot(j, k, poles, weights, rho, vectors + ((<usize>j * <usize>k) << 3)));
  correctWeights(k);
  for (let j: i32 = 0; j < k; j++) secularVector(j, k);
  const ldk = (<usize>k) << 3;
  const ld = (<usize>size) << 3;
  gemm(k, n1, top + both, 1, vectors, ldk, 8, upper, (<usize>n1) << 3, 8, 0, entry(lo, lo), ld, WHOLE);
  gemm(k, n2, k - top, 1, vectors + ((<usize>top) << 3), ldk, 8, lower, (<usize>n2) << 3, 8, 0, entry(lo, middle), ld, WHOLE);

  // Secular roots are ascending already; the deflated ones nearly so.
  for (let i: i32 = 0; i < k; i++) setIndex(merged, lo + i, lo + i);
  for (let i: i32 = lo + k; i < hi; i++) {
    let j = i;
    for (; j > lo + k && get(d, index(merged, j - 1)) > get(d, i); j--) setIndex(merged, j, index(merged, j - 1));
    setIndex(merged, j, i);
  }
  mergeOrders(merged, lo, lo + k, hi, order, lo);
}

function divide(lo: i32, hi: i32): bool {
  if (hi - lo <= LEAF) return leaf(lo, hi);
  const middle = (lo + hi) >> 1;
  const coupling = get(e, middle - 1);
  put(d, middle - 1, get(d, middle - 1) - abs(coupling));
  put(d, middle, get(d, middle) - abs(coupling));
  if (!divide(lo, middle) || !divide(middle, hi)) return false;
  // The halves leave zeros outside their own columns.
  for (let i: i32 = lo; i < middle; i++) zeroDoubles(hi - middle, entry(i, middle));
  for (let i: i32 = middle; i < hi; i++) zeroDoubles(middle - lo, entry(i, lo));
  join(lo, middle, hi, coupling);
  return true;
}

/** Numbers of workspace that `tridiagonalEigen` needs. */
export function tridiagonalEigenWork(n: i32): f64 {
  return 2 * <f64>n * <f64>n + 12 * <f64>n + 16;
}

/**
 * Eigenvalues and eigenvectors of the symmetric tridiagonal (diagonal, offDiagonal), both overwritten, by divide and conquer (Cuppen;
 * Gu and Eisenstat 1995). Ascending eigenvalues end in `values`, eigenvectors in the columns of the n × n `result`, `spare` is n × n.
 * Returns false when a leaf does not converge.
 */
export function tridiagonalEigen(n: i32, diagonal: usize, offDiagonal: usize, values: usize, result: usize, spare: usize, work: usize): bool {
  const square = (<usize>n * <usize>n) << 3;
  const line = ((<usize>n) << 3) + 16;
  size = n;
  d = diagonal;
  e = offDiagonal;
  rows = spare;
  vectors = work;
  packed = vectors + square;
  z = packed + square;
  poles = z + line;
  weights = poles + line;
  corrected = weights + line;
  scratch = corrected + line;
  order = scratch + line;
  merged = order + line;
  kept = merged + line;
  deflated = kept + line;
  types = deflated + line;
  places = types + line;
  if (!divide(0, n)) return false;
  // Rows in ascending order become columns, in blocks of 16.
  const ld = (<usize>n) << 3;
  for (let jb: i32 = 0; jb < n; jb += 16) {
    const jEnd = min(n, jb + 16);
    for (let j = jb; j < jEnd; j++) put(values, j, get(d, index(order, j)));
    for (let ib: i32 = 0; ib < n; ib += 16) {
      const iEnd = min(n, ib + 16);
      for (let j = jb; j < jEnd; j++) {
        const from = entry(index(order, j), 0);
        let to = result + (<usize>ib) * ld + ((<usize>j) << 3);
        for (let i = ib; i < iEnd; i++) {
          store<f64>(to, get(from, i));
          to += ld;
        }
      }
    }
  }
  return true;
}
