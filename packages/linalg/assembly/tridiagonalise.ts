import { gemm, mirrorLower, UPPER, WHOLE } from "./gemm";
import { count, parameters, pointer, setCount, setPointer, share } from "./parallel";
import { axpy, copyDoubles, dot, get, horizontalSum, multiplyAdd, put, scale, zeroDoubles } from "./simd";

// Columns reduced before the rest of the matrix is updated by one gemm: more of them once the matrix no longer fits the caches.
const PANEL: i32 = 32;
const SHORT_PANEL: i32 = 16;
const PANEL_FROM: i32 = 1200;
// Reflectors applied together, as 1 − Vᵀ T V.
const BLOCK: i32 = 64;
// Bands of rows in which a symmetric matrix is applied, and the sizes from which there are so many.
const FEW_BANDS: i32 = 4;
const BANDS: i32 = 8;
const FEW_BANDS_FROM: i32 = 160;
const BANDS_FROM: i32 = 640;

/** Numbers of workspace that `tridiagonalise` needs. */
export function tridiagonaliseWork(n: i32): i32 {
  return (3 * PANEL + BANDS) * n;
}

// First row of a band: bands have equal areas of the upper triangle.
function bandStart(n: i32, band: i32, bands: i32): i32 {
  if (band == bands) return n;
  return (<i32>(<f64>n * (1 - sqrt(1 - <f64>band / <f64>bands)))) & ~3;
}

// y = A x for a symmetric A of which the upper triangle is read. Each band adds up what it contributes in a row of `sums` (y itself for the
// first); the bands depend on n alone.
function multiplySymmetric(n: i32, a: usize, ld: usize, x: usize, y: usize, sums: usize): void {
  const bands = n < FEW_BANDS_FROM ? 1 : n < BANDS_FROM ? FEW_BANDS : BANDS;
  if (bands == 1) {
    symmetricBand(n, a, ld, x, y, 0, n);
    return;
  }
  const p = parameters();
  setCount(p, 0, n);
  setPointer(p, 1, a);
  setPointer(p, 2, ld);
  setPointer(p, 3, x);
  setPointer(p, 4, y);
  setPointer(p, 5, sums);
  setCount(p, 6, bands);
  share(bands, symmetricPiece);
  for (let band: i32 = 1; band < bands; band++) {
    const first = bandStart(n, band, bands);
    const offset = (<usize>first) << 3;
    axpy(n - first, 1, sums + ((<usize>(band * n)) << 3) + offset, y + offset);
  }
}

function symmetricPiece(p: usize, piece: i32): void {
  const n = count(p, 0);
  const bands = count(p, 6);
  const y = piece == 0 ? pointer(p, 4) : pointer(p, 5) + ((<usize>(piece * n)) << 3);
  symmetricBand(n, pointer(p, 1), pointer(p, 2), pointer(p, 3), y, bandStart(n, piece, bands), bandStart(n, piece + 1, bands));
}

// What the rows first ≤ i < last of the upper triangle contribute to y = A x, four rows at a time, each entry used twice; entries of y
// before `first` are left alone.
function symmetricBand(n: i32, a: usize, ld: usize, x: usize, y: usize, first: i32, last: i32): void {
  zeroDoubles(n - first, y + ((<usize>first) << 3));
  let i: i32 = first;
  for (; i + 4 <= last; i += 4) {
    const r0 = a + <usize>i * ld + ((<usize>i) << 3);
    const r1 = r0 + ld;
    const r2 = r1 + ld;
    const r3 = r2 + ld;
    const xi = x + ((<usize>i) << 3);
    const yi = y + ((<usize>i) << 3);
    const x0 = load<f64>(xi);
    const x1 = load<f64>(xi, 8);
    const x2 = load<f64>(xi, 16);
    const x3 = load<f64>(xi, 24);
    const v0 = f64x2.splat(x0);
    const v1 = f64x2.splat(x1);
    const v2 = f64x2.splat(x2);
    const v3 = f64x2.splat(x3);
    let s0 = f64x2.splat(0);
    let s1 = f64x2.splat(0);
    let s2 = f64x2.splat(0);
    let s3 = f64x2.splat(0);
    const end = (<usize>(n - i)) << 3;
    let at: usize = 32;
    for (; at + 16 <= end; at += 16) {
      const xj = v128.load(xi + at);
      let yj = v128.load(yi + at);
      const a0 = v128.load(r0 + at);
      const a1 = v128.load(r1 + at);
      s0 = multiplyAdd(a0, xj, s0);
      yj = multiplyAdd(a0, v0, yj);
      s1 = multiplyAdd(a1, xj, s1);
      yj = multiplyAdd(a1, v1, yj);
      const a2 = v128.load(r2 + at);
      const a3 = v128.load(r3 + at);
      s2 = multiplyAdd(a2, xj, s2);
      yj = multiplyAdd(a2, v2, yj);
      s3 = multiplyAdd(a3, xj, s3);
      yj = multiplyAdd(a3, v3, yj);
      v128.store(yi + at, yj);
    }
    let t0 = horizontalSum(s0);
    let t1 = horizontalSum(s1);
    let t2 = horizontalSum(s2);
    let t3 = horizontalSum(s3);
    if (at < end) {
      const xj = load<f64>(xi + at);
      const a0 = load<f64>(r0 + at);
      const a1 = load<f64>(r1 + at);
      const a2 = load<f64>(r2 + at);
      const a3 = load<f64>(r3 + at);
      t0 += a0 * xj;
      t1 += a1 * xj;
      t2 += a2 * xj;
      t3 += a3 * xj;
      store<f64>(yi + at, load<f64>(yi + at) + a0 * x0 + a1 * x1 + a2 * x2 + a3 * x3);
    }
    const c01 = load<f64>(r0, 8);
    const c02 = load<f64>(r0, 16);
    const c03 = load<f64>(r0, 24);
    const c12 = load<f64>(r1, 16);
    const c13 = load<f64>(r1, 24);
    const c23 = load<f64>(r2, 24);
    store<f64>(yi, load<f64>(yi) + t0 + load<f64>(r0) * x0 + c01 * x1 + c02 * x2 + c03 * x3);
    store<f64>(yi, load<f64>(yi, 8) + t1 + c01 * x0 + load<f64>(r1, 8) * x1 + c12 * x2 + c13 * x3, 8);
    store<f64>(yi, load<f64>(yi, 16) + t2 + c02 * x0 + c12 * x1 + load<f64>(r2, 16) * x2 + c23 * x3, 16);
    store<f64>(yi, load<f64>(yi, 24) + t3 + c03 * x0 + c13 * x1 + c23 * x2 + load<f64>(r3, 24) * x3, 24);
  }
  for (; i < last; i++) {
    const row = a + <usize>i * ld;
    const xi = get(x, i);
    let sum = get(row, i) * xi;
    for (let j: i32 = i + 1; j < n; j++) {
      const value = get(row, j);
      sum += value * get(x, j);
      put(y, j, get(y, j) + value * xi);
    }
    put(y, i, get(y, i) + sum);
  }
}

// z −= α x + β y.
function subtractPair(n: i32, alpha: f64, x: usize, beta: f64, y: usize, z: usize): void {
  const a = f64x2.splat(-alpha);
  const b = f64x2.splat(-beta);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(z, multiplyAdd(b, v128.load(y), multiplyAdd(a, v128.load(x), v128.load(z))));
    v128.store(z, multiplyAdd(b, v128.load(y, 16), multiplyAdd(a, v128.load(x, 16), v128.load(z, 16))), 16);
    x += 32;
    y += 32;
    z += 32;
  }
  for (; i < n; i++) {
    store<f64>(z, load<f64>(z) - alpha * load<f64>(x) - beta * load<f64>(y));
    x += 8;
    y += 8;
    z += 8;
  }
}

// z −= Σ over two neighbouring rows of α x + β y: four vectors in one pass. Rows are ld bytes apart.
function subtractPairs(n: i32, ld: usize, alpha0: f64, alpha1: f64, x: usize, beta0: f64, beta1: f64, y: usize, z: usize): void {
  const a0 = f64x2.splat(-alpha0);
  const a1 = f64x2.splat(-alpha1);
  const b0 = f64x2.splat(-beta0);
  const b1 = f64x2.splat(-beta1);
  let i: i32 = 0;
  for (; i + 2 <= n; i += 2) {
    const first = multiplyAdd(b0, v128.load(y), multiplyAdd(a0, v128.load(x), v128.load(z)));
    v128.store(z, multiplyAdd(b1, v128.load(y + ld), multiplyAdd(a1, v128.load(x + ld), first)));
    x += 16;
    y += 16;
    z += 16;
  }
  if (i < n)
    store<f64>(z, load<f64>(z) - alpha0 * load<f64>(x) - beta0 * load<f64>(y) - alpha1 * load<f64>(x + ld) - beta1 * load<f64>(y + ld));
}

// Products of v with two neighbouring rows of each of V and W, in one pass.
let vv0: f64 = 0;
let vv1: f64 = 0;
let wv0: f64 = 0;
let wv1: f64 = 0;

function dots(n: i32, ld: usize, vs: usize, ws: usize, v: usize): void {
  let a = f64x2.splat(0);
  let b = f64x2.splat(0);
  let c = f64x2.splat(0);
  let d = f64x2.splat(0);
  let i: i32 = 0;
  for (; i + 2 <= n; i += 2) {
    const x = v128.load(v);
    a = multiplyAdd(v128.load(vs), x, a);
    b = multiplyAdd(v128.load(vs + ld), x, b);
    c = multiplyAdd(v128.load(ws), x, c);
    d = multiplyAdd(v128.load(ws + ld), x, d);
    vs += 16;
    ws += 16;
    v += 16;
  }
  vv0 = horizontalSum(a);
  vv1 = horizontalSum(b);
  wv0 = horizontalSum(c);
  wv1 = horizontalSum(d);
  if (i < n) {
    const x = load<f64>(v);
    vv0 += load<f64>(vs) * x;
    vv1 += load<f64>(vs + ld) * x;
    wv0 += load<f64>(ws) * x;
    wv1 += load<f64>(ws + ld) * x;
  }
}

/**
 * Householder reduction of the symmetric n × n matrix at `a` (lower triangle read, all of it overwritten: row k ends as v_k with its
 * zeros), d and tau n numbers, e n − 1 numbers. Panels of 16 or 32 columns keep V and W aside; the rest of the upper triangle is updated
 * by one gemm of twice that inner length per panel.
 */
export function tridiagonalise(n: i32, a: usize, d: usize, e: usize, tau: usize, work: usize): void {
  const ld = (<usize>n) << 3;
  mirrorLower(n, a);
  zeroDoubles(n, tau);
  const panel = n < PANEL_FROM ? SHORT_PANEL : PANEL;
  for (let p: i32 = 0; p + 2 < n; p += panel) {
    const size = min(panel, n - 2 - p);
    const vs = work;
    const ws = vs + <usize>size * ld;
    const copies = ws + <usize>size * ld;
    const sums = work + <usize>(3 * PANEL) * ld;
    for (let j: i32 = 0; j < size; j++) {
      const k = p + j;
      const row = a + <usize>k * ld;
      const offset = (<usize>k) << 3;
      let i: i32 = 0;
      for (; i + 2 <= j; i += 2) {
        const v = vs + <usize>i * ld;
        const w = ws + <usize>i * ld;
        subtractPairs(n - k, ld, get(v, k), get(v + ld, k), w + offset, get(w, k), get(w + ld, k), v + offset, row + offset);
      }
      if (i < j) {
        const v = vs + <usize>i * ld;
        const w = ws + <usize>i * ld;
        subtractPair(n - k, get(v, k), w + offset, get(w, k), v + offset, row + offset);
      }
      put(d, k, get(row, k));
      const length = n - k - 1;
      const x = row + offset + 8;
      const head = load<f64>(x);
      const tail = dot(length - 1, x + 8, x + 8);
      const v = vs + <usize>j * ld + offset + 8;
      const w = ws + <usize>j * ld + offset + 8;
      if (tail == 0) {
        put(e, k, head);
        zeroDoubles(n, row);
        zeroDoubles(length, v);
        zeroDoubles(length, w);
        continue;
      }
      const beta = head >= 0 ? -sqrt(head * head + tail) : sqrt(head * head + tail);
      const factor = (beta - head) / beta;
      put(e, k, beta);
      put(tau, k, factor);
      scale(length - 1, 1 / (head - beta), x + 8);
      store<f64>(x, 1);
      zeroDoubles(k + 1, row);
      copyDoubles(length, x, v);
      multiplySymmetric(length, row + ld + offset + 8, ld, v, w, sums);
      for (i = 0; i + 2 <= j; i += 2) {
        const vi = vs + <usize>i * ld + offset + 8;
        const wi = ws + <usize>i * ld + offset + 8;
        dots(length, ld, vi, wi, v);
        subtractPairs(length, ld, wv0, wv1, vi, vv0, vv1, wi, w);
      }
      if (i < j) {
        const vi = vs + <usize>i * ld + offset + 8;
        const wi = ws + <usize>i * ld + offset + 8;
        subtractPair(length, dot(length, wi, v), vi, dot(length, vi, v), wi, w);
      }
      scale(length, factor, w);
      axpy(length, -0.5 * factor * dot(length, w, v), v, w);
    }
    const next = p + size;
    const rest = n - next;
    const at = (<usize>next) << 3;
    for (let i: i32 = 0; i < size; i++) copyDoubles(rest, vs + <usize>i * ld + at, copies + <usize>i * ld + at);
    gemm(rest, rest, 2 * size, -1, vs + at, 8, ld, ws + at, ld, 8, 1, a + <usize>next * ld + at, ld, UPPER);
  }
  for (let k: i32 = max(n - 2, 0); k < n; k++) {
    const row = a + <usize>k * ld;
    put(d, k, get(row, k));
    if (k + 1 < n) put(e, k, get(row, k + 1));
    zeroDoubles(n, row);
  }
}

/** Numbers of workspace that `applyReflectors` needs for n × m. */
export function applyReflectorsWork(m: i32): i32 {
  return 2 * BLOCK * BLOCK + 2 * BLOCK * m;
}

/** B := Q B, or Qᵀ B, with the reflectors in the rows of `u`: blocks of 64 as 1 − Vᵀ T V, three gemms each. */
export function applyReflectors(n: i32, m: i32, u: usize, tau: usize, b: usize, transposed: bool, work: usize): void {
  const count = n - 2;
  if (count <= 0) return;
  const ld = (<usize>n) << 3;
  const ldb = (<usize>m) << 3;
  const ldt: usize = BLOCK << 3;
  const products = work;
  const factor = products + ((<usize>(BLOCK * BLOCK)) << 3);
  const w1 = factor + ((<usize>(BLOCK * BLOCK)) << 3);
  const w2 = w1 + ((<usize>(BLOCK * m)) << 3);
  const blocks = (count + BLOCK - 1) / BLOCK;
  for (let step: i32 = 0; step < blocks; step++) {
    const k0 = (transposed ? step : blocks - 1 - step) * BLOCK;
    const size = min(BLOCK, count - k0);
    const length = n - k0 - 1;
    const v = u + <usize>k0 * ld + ((<usize>(k0 + 1)) << 3);
    const bk = b + <usize>(k0 + 1) * ldb;
    gemm(size, size, length, 1, v, ld, 8, v, 8, ld, 0, products, ldt, UPPER);
    memory.fill(factor, 0, (<usize>(BLOCK * BLOCK)) << 3);
    for (let j: i32 = 0; j < size; j++) {
      const t = get(tau, k0 + j);
      for (let i: i32 = 0; i < j; i++) {
        let sum: f64 = 0;
        for (let l: i32 = i; l < j; l++) sum += get(factor, i * BLOCK + l) * get(products, l * BLOCK + j);
        put(factor, i * BLOCK + j, -t * sum);
      }
      put(factor, j * BLOCK + j, t);
    }
    gemm(size, m, length, 1, v, ld, 8, bk, ldb, 8, 0, w1, ldb, WHOLE);
    if (transposed) gemm(size, m, size, 1, factor, 8, ldt, w1, ldb, 8, 0, w2, ldb, WHOLE);
    else gemm(size, m, size, 1, factor, ldt, 8, w1, ldb, 8, 0, w2, ldb, WHOLE);
    gemm(length, m, size, -1, v, 8, ld, w2, ldb, 8, 1, bk, ldb, WHOLE);
  }
}
