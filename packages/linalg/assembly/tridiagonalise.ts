import { gemm, mirrorLower, UPPER, WHOLE } from "./gemm";
import { axpy, copyDoubles, dot, get, horizontalSum, multiplyAdd, put, scale, zeroDoubles } from "./simd";

// Columns reduced before the rest of the matrix is updated by one gemm.
const PANEL: i32 = 32;
// Reflectors applied together, as 1 − Vᵀ T V.
const BLOCK: i32 = 64;

/** Numbers of workspace that `tridiagonalise` needs. */
export function tridiagonaliseWork(n: i32): i32 {
  return 3 * PANEL * n;
}

// y = A x for a symmetric A of which the upper triangle is read: four rows at a time, each entry used twice.
function multiplySymmetric(n: i32, a: usize, ld: usize, x: usize, y: usize): void {
  zeroDoubles(n, y);
  let i: i32 = 0;
  for (; i + 4 <= n; i += 4) {
    const r0 = a + (<usize>i) * ld + ((<usize>i) << 3);
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
  for (; i < n; i++) {
    const row = a + (<usize>i) * ld;
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

/**
 * Householder reduction of the symmetric n × n matrix at `a` (lower triangle read, all of it overwritten: row k ends as v_k with its
 * zeros), d and tau n numbers, e n − 1 numbers. Panels of 32 columns keep V and W aside; the rest of the upper triangle is updated by
 * one gemm of inner length 64 per panel.
 */
export function tridiagonalise(n: i32, a: usize, d: usize, e: usize, tau: usize, work: usize): void {
  const ld = (<usize>n) << 3;
  mirrorLower(n, a);
  zeroDoubles(n, tau);
  for (let p: i32 = 0; p + 2 < n; p += PANEL) {
    const count = min(PANEL, n - 2 - p);
    const vs = work;
    const ws = vs + (<usize>count) * ld;
    const copies = ws + (<usize>count) * ld;
    for (let j: i32 = 0; j < count; j++) {
      const k = p + j;
      const row = a + (<usize>k) * ld;
      const offset = (<usize>k) << 3;
      for (let i: i32 = 0; i < j; i++) {
        const v = vs + (<usize>i) * ld;
        const w = ws + (<usize>i) * ld;
        subtractPair(n - k, get(v, k), w + offset, get(w, k), v + offset, row + offset);
      }
      put(d, k, get(row, k));
      const length = n - k - 1;
      const x = row + offset + 8;
      const head = load<f64>(x);
      const tail = dot(length - 1, x + 8, x + 8);
      const v = vs + (<usize>j) * ld + offset + 8;
      const w = ws + (<usize>j) * ld + offset + 8;
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
      multiplySymmetric(length, row + ld + offset + 8, ld, v, w);
      for (let i: i32 = 0; i < j; i++) {
        const vi = vs + (<usize>i) * ld + offset + 8;
        const wi = ws + (<usize>i) * ld + offset + 8;
        subtractPair(length, dot(length, wi, v), vi, dot(length, vi, v), wi, w);
      }
      scale(length, factor, w);
      axpy(length, -0.5 * factor * dot(length, w, v), v, w);
    }
    const next = p + count;
    const rest = n - next;
    const at = (<usize>next) << 3;
    for (let i: i32 = 0; i < count; i++) copyDoubles(rest, vs + (<usize>i) * ld + at, copies + (<usize>i) * ld + at);
    gemm(rest, rest, 2 * count, -1, vs + at, 8, ld, ws + at, ld, 8, 1, a + (<usize>next) * ld + at, ld, UPPER);
  }
  for (let k: i32 = max(n - 2, 0); k < n; k++) {
    const row = a + (<usize>k) * ld;
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
    const v = u + (<usize>k0) * ld + ((<usize>(k0 + 1)) << 3);
    const bk = b + (<usize>(k0 + 1)) * ldb;
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
