import { get, multiplyAdd, put } from "./simd";

// Kernel maps, one per activation; the numbers are those of src/wasm/exports.ts.
const ERF: i32 = 0;
const RELU: i32 = 1;
const STEP: i32 = 2;

const PI: f64 = NativeMath.PI;

function constant(value: f64): v128 {
  return f64x2.splat(value);
}

// arcsin of two numbers in [−1, 1] (NaN outside): x + x R(x²) below ½, π/2 − 2(s + s R(s²)) with s² = (1 − |x|)/2 above.
// R is the rational approximation of FreeBSD's e_asin.c (Sun Microsystems); error below 1 ulp.
function arcsinPair(x: v128): v128 {
  const size = f64x2.abs(x);
  const small = f64x2.lt(size, constant(0.5));
  const z = v128.bitselect(f64x2.mul(x, x), f64x2.mul(constant(0.5), f64x2.sub(constant(1), size)), small);
  const s = v128.bitselect(size, f64x2.sqrt(z), small);
  let p = multiplyAdd(z, constant(3.47933107596021167570e-5), constant(7.91534994289814532176e-4));
  p = multiplyAdd(z, p, constant(-4.00555345006794114027e-2));
  p = multiplyAdd(z, p, constant(2.01212532134862925881e-1));
  p = multiplyAdd(z, p, constant(-3.25565818622400915405e-1));
  p = multiplyAdd(z, p, constant(1.66666666666666657415e-1));
  let q = multiplyAdd(z, constant(7.70381505559019352791e-2), constant(-6.88283971605453293030e-1));
  q = multiplyAdd(z, q, constant(2.02094576023350569471));
  q = multiplyAdd(z, q, constant(-2.40339491173441421878));
  q = multiplyAdd(z, q, constant(1));
  const r = multiplyAdd(s, f64x2.div(f64x2.mul(z, p), q), s);
  // π/2 in two parts, so that the subtraction loses nothing
  const large = f64x2.sub(constant(1.5707963267948966), f64x2.sub(f64x2.add(r, r), constant(6.123233995736766e-17)));
  const magnitude = v128.bitselect(r, large, small);
  return v128.or(magnitude, v128.and(x, constant(-0.0)));
}

// e^x of two numbers, gradual underflow included: x = n log 2 + r, Taylor polynomial of degree 12 in |r| ≤ 0.3466, error about 1 ulp.
function expPair(x: v128): v128 {
  const bounded = f64x2.max(f64x2.min(x, constant(710)), constant(-746));
  const n = f64x2.nearest(f64x2.mul(bounded, constant(NativeMath.LOG2E)));
  const r = f64x2.sub(f64x2.sub(bounded, f64x2.mul(n, constant(6.93147180369123816490e-1))), f64x2.mul(n, constant(1.90821492927058770002e-10)));
  const r2 = f64x2.mul(r, r);
  const r4 = f64x2.mul(r2, r2);
  const a = multiplyAdd(r, constant(1.0 / 6), constant(0.5));
  const b = multiplyAdd(r, constant(1.0 / 120), constant(1.0 / 24));
  const c = multiplyAdd(r, constant(1.0 / 5040), constant(1.0 / 720));
  const d = multiplyAdd(r, constant(1.0 / 362880), constant(1.0 / 40320));
  const e = multiplyAdd(r, constant(1.0 / 39916800), constant(1.0 / 3628800));
  const low = multiplyAdd(r2, b, a);
  const high = multiplyAdd(r2, d, c);
  const top = multiplyAdd(r2, constant(1.0 / 479001600), e);
  const polynomial = multiplyAdd(r4, multiplyAdd(r4, top, high), low);
  const value = f64x2.add(constant(1), multiplyAdd(r2, polynomial, r));
  // 2ⁿ in two factors, each of which has a normal exponent. n + 1.5·2⁵² carries n in its low bits.
  const bits = i64x2.sub(f64x2.add(n, constant(6755399441055744)), f64x2.splat(6755399441055744));
  const first = i64x2.shr_s(bits, 1);
  const bias = i64x2.splat(1023);
  const scale1 = i64x2.shl(i64x2.add(first, bias), 52);
  const scale2 = i64x2.shl(i64x2.add(i64x2.sub(bits, first), bias), 52);
  return f64x2.mul(f64x2.mul(value, scale1), scale2);
}

// erf from the nearest of 769 nodes c = i/128: erf c and 2/√π e^(−c²) are tabulated, the rest is a Taylor polynomial in x − c.
const ERF_LIMIT: f64 = 6;
const ERF_NODES: i32 = 769;
let erfTable: usize = 0;

/** Numbers that the table takes: pairs (erf c, 2/√π e^(−c²)). */
export function erfTableLength(): i32 {
  return 2 * ERF_NODES;
}

export function setErfTable(at: usize): void {
  erfTable = at;
}

function erfPair(x: v128): v128 {
  const size = f64x2.min(f64x2.abs(x), constant(ERF_LIMIT));
  const scaled = f64x2.nearest(f64x2.mul(size, constant(128)));
  const t = f64x2.sub(size, f64x2.mul(scaled, constant(0.0078125)));
  const c = f64x2.mul(scaled, constant(0.0078125));
  const indices = i32x4.trunc_sat_f64x2_s_zero(scaled);
  // NaN becomes node 0 and comes back through t.
  const p0 = v128.load(erfTable + ((<usize>i32x4.extract_lane(indices, 0)) << 4));
  const p1 = v128.load(erfTable + ((<usize>i32x4.extract_lane(indices, 1)) << 4));
  const base = v128.shuffle<f64>(p0, p1, 0, 2);
  const slope = v128.shuffle<f64>(p0, p1, 1, 3);
  // erf(c + t) = erf c + slope·t·(1 − c t + (2c² − 1)t²/3 − (2c³ − 3c)t³/6 + (4c⁴ − 12c² + 3)t⁴/30)
  const c2 = f64x2.mul(c, c);
  const a2 = multiplyAdd(c2, constant(2.0 / 3), constant(-1.0 / 3));
  const a3 = f64x2.mul(c, multiplyAdd(c2, constant(-1.0 / 3), constant(0.5)));
  const a4 = multiplyAdd(c2, multiplyAdd(c2, constant(4.0 / 30), constant(-0.4)), constant(0.1));
  let series = multiplyAdd(t, a4, a3);
  series = multiplyAdd(t, series, a2);
  series = f64x2.mul(t, f64x2.sub(f64x2.mul(t, series), c));
  const st = f64x2.mul(slope, t);
  const value = f64x2.add(base, multiplyAdd(st, series, st));
  return v128.or(value, v128.and(x, constant(-0.0)));
}

const MAP_EXP: i32 = 0;
const MAP_ERF: i32 = 1;

/** x := f(x) for n numbers; an odd n also touches the number after the last. */
export function map(kind: i32, n: i32, x: usize): void {
  const end = x + ((<usize>n) << 3);
  if (kind == MAP_EXP) for (; x < end; x += 16) v128.store(x, expPair(v128.load(x)));
  else if (kind == MAP_ERF) for (; x < end; x += 16) v128.store(x, erfPair(v128.load(x)));
  else for (; x < end; x += 16) v128.store(x, arcsinPair(v128.load(x)));
}

// E φφ of two pairs with correlation parameter r: (2/π) arcsin r (erf, sign), ½ − arccos(r)/2π (step), √(ab)(√(1−r²) + (π − arccos r) r)/2π (relu).
function kernelPair(kind: i32, r: v128, size: v128): v128 {
  const bounded = f64x2.max(f64x2.min(r, constant(1)), constant(-1));
  const angle = arcsinPair(bounded);
  if (kind == RELU) {
    const sine = f64x2.sqrt(f64x2.mul(f64x2.sub(constant(1), bounded), f64x2.add(constant(1), bounded)));
    const sum = multiplyAdd(f64x2.add(constant(PI / 2), angle), bounded, sine);
    return f64x2.mul(f64x2.mul(size, constant(0.5 / PI)), sum);
  }
  if (kind == STEP) return multiplyAdd(angle, constant(0.5 / PI), constant(0.25));
  return f64x2.mul(angle, constant(2 / PI));
}

// Σ (c − c) over the entries read: 0, or NaN when one of them is not finite.
let blemish: v128 = f64x2.splat(0);

// Factor s with r = s_i s_j c and, for relu, √a: two lines of n numbers at `factors` and `roots`.
function prepare(kind: i32, n: i32, variances: usize, factors: usize, roots: usize): void {
  for (let i: i32 = 0; i < n; i++) {
    const a = get(variances, i);
    const root = sqrt(max(a, 0));
    put(roots, i, root);
    if (kind == ERF) put(factors, i, sqrt(2 / (1 + 2 * a)));
    else put(factors, i, root > 0 ? 1 / root : 0);
  }
}

// The n entries of one row, whose own factor and root are f and s.
function kernelRow(kind: i32, n: i32, row: usize, f: f64, s: f64, factors: usize, roots: usize): void {
  const ff = f64x2.splat(f);
  const ss = f64x2.splat(s);
  let bad = blemish;
  let j: i32 = 0;
  for (; j + 2 <= n; j += 2) {
    const at = (<usize>j) << 3;
    const c = v128.load(row + at);
    bad = f64x2.add(bad, f64x2.sub(c, c));
    const r = f64x2.mul(f64x2.mul(c, ff), v128.load(factors + at));
    v128.store(row + at, kernelPair(kind, r, f64x2.mul(ss, v128.load(roots + at))));
  }
  if (j < n) {
    const c = get(row, j);
    bad = f64x2.add(bad, f64x2.splat(c - c));
    const r = f64x2.splat(c * f * get(factors, j));
    put(row, j, f64x2.extract_lane(kernelPair(kind, r, f64x2.splat(s * get(roots, j))), 0));
  }
  blemish = bad;
}

/** Covariance C between m and n variables := E φ(h_i)φ(h_j) in place, from their variances; work: 2 (m + n) numbers.
 * False when an entry of C is not finite. */
export function crossKernel(kind: i32, m: i32, n: i32, c: usize, rowVariances: usize, columnVariances: usize, work: usize): bool {
  const rowFactors = work;
  const rowRoots = rowFactors + ((<usize>m) << 3);
  const factors = rowRoots + ((<usize>m) << 3);
  const roots = factors + ((<usize>n) << 3);
  blemish = f64x2.splat(0);
  prepare(kind, m, rowVariances, rowFactors, rowRoots);
  prepare(kind, n, columnVariances, factors, roots);
  for (let i: i32 = 0; i < m; i++) {
    const row = c + ((<usize>i * <usize>n) << 3);
    if (kind == RELU) kernelRow(RELU, n, row, get(rowFactors, i), get(rowRoots, i), factors, roots);
    else if (kind == STEP) kernelRow(STEP, n, row, get(rowFactors, i), 1, factors, roots);
    else kernelRow(ERF, n, row, get(rowFactors, i), 1, factors, roots);
  }
  return f64x2.extract_lane(blemish, 0) + f64x2.extract_lane(blemish, 1) == 0;
}
