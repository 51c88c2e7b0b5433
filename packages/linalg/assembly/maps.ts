import { get, multiplyAdd, put } from "./simd";

// Kernel maps, one per activation; the numbers are those of src/wasm/exports.ts.
const ERF: i32 = 0;
const RELU: i32 = 1;
const STEP: i32 = 2;

// Constants in memory: one load each, where a literal vector is built anew at every use.
const table: usize = memory.data<f64>([
  0.5,
  1.0,
  3.479331075960212e-05,
  0.0007915349942898145,
  -0.04005553450067941,
  0.20121253213486293,
  -0.3255658186224009,
  0.16666666666666666,
  0.07703815055590194,
  -0.6882839716054533,
  2.0209457602335057,
  -2.403394911734414,
  1.5707963267948966,
  6.123233995736766e-17,
  -0.0,
  710.0,
  -746.0,
  NativeMath.LOG2E,
  0.6931471803691238,
  1.9082149292705877e-10,
  0.16666666666666666,
  0.008333333333333333,
  0.041666666666666664,
  0.0001984126984126984,
  0.001388888888888889,
  2.7557319223985893e-06,
  2.48015873015873e-05,
  2.505210838544172e-08,
  2.755731922398589e-07,
  2.08767569878681e-09,
  6755399441055744.0,
  6.0,
  128.0,
  0.0078125,
  0.6666666666666666,
  -0.3333333333333333,
  0.13333333333333333,
  -0.4,
  0.1,
  -1.0,
  0.15915494309189535,
  0.25,
  0.6366197723675814,
]);
const HALF: usize = 0;
const ONE: usize = 8;
const P5: usize = 16;
const P4: usize = 24;
const P3: usize = 32;
const P2: usize = 40;
const P1: usize = 48;
const P0: usize = 56;
const Q4: usize = 64;
const Q3: usize = 72;
const Q2: usize = 80;
const Q1: usize = 88;
const HALF_PI: usize = 96;
const HALF_PI_LOW: usize = 104;
const SIGN_BIT: usize = 112;
const EXP_MAX: usize = 120;
const EXP_MIN: usize = 128;
const LOG2E: usize = 136;
const LN2_HIGH: usize = 144;
const LN2_LOW: usize = 152;
const F3: usize = 160;
const F5: usize = 168;
const F4: usize = 176;
const F7: usize = 184;
const F6: usize = 192;
const F9: usize = 200;
const F8: usize = 208;
const F11: usize = 216;
const F10: usize = 224;
const F12: usize = 232;
const ROUNDER: usize = 240;
const ERF_LIMIT: usize = 248;
const NODES_PER_UNIT: usize = 256;
const NODE_STEP: usize = 264;
const TWO_THIRDS: usize = 272;
const MINUS_THIRD: usize = 280;
const FOUR_THIRTIETHS: usize = 288;
const MINUS_TWO_FIFTHS: usize = 296;
const TENTH: usize = 304;
const MINUS_ONE: usize = 312;
const INVERSE_TWO_PI: usize = 320;
const QUARTER: usize = 328;
const TWO_OVER_PI: usize = 336;

function constant(offset: usize): v128 {
  return v128.load64_splat(table + offset);
}

// arcsin of two numbers in [−1, 1] (NaN outside): x + x R(x²) below ½, π/2 − 2(s + s R(s²)) with s² = (1 − |x|)/2 above.
// R is the rational approximation of FreeBSD's e_asin.c (Sun Microsystems); error below 1 ulp.
function arcsinPair(x: v128): v128 {
  const size = f64x2.abs(x);
  const small = f64x2.lt(size, constant(HALF));
  const z = v128.bitselect(f64x2.mul(x, x), f64x2.mul(constant(HALF), f64x2.sub(constant(ONE), size)), small);
  const s = v128.bitselect(size, f64x2.sqrt(z), small);
  let p = multiplyAdd(z, constant(P5), constant(P4));
  p = multiplyAdd(z, p, constant(P3));
  p = multiplyAdd(z, p, constant(P2));
  p = multiplyAdd(z, p, constant(P1));
  p = multiplyAdd(z, p, constant(P0));
  let q = multiplyAdd(z, constant(Q4), constant(Q3));
  q = multiplyAdd(z, q, constant(Q2));
  q = multiplyAdd(z, q, constant(Q1));
  q = multiplyAdd(z, q, constant(ONE));
  const r = multiplyAdd(s, f64x2.div(f64x2.mul(z, p), q), s);
  // π/2 in two parts, so that the subtraction loses nothing
  const large = f64x2.sub(constant(HALF_PI), f64x2.sub(f64x2.add(r, r), constant(HALF_PI_LOW)));
  const magnitude = v128.bitselect(r, large, small);
  return v128.or(magnitude, v128.and(x, constant(SIGN_BIT)));
}

// e^x of two numbers, gradual underflow included: x = n log 2 + r, Taylor polynomial of degree 12 in |r| ≤ 0.3466, error about 1 ulp.
function expPair(x: v128): v128 {
  const bounded = f64x2.max(f64x2.min(x, constant(EXP_MAX)), constant(EXP_MIN));
  const n = f64x2.nearest(f64x2.mul(bounded, constant(LOG2E)));
  const r = f64x2.sub(f64x2.sub(bounded, f64x2.mul(n, constant(LN2_HIGH))), f64x2.mul(n, constant(LN2_LOW)));
  const r2 = f64x2.mul(r, r);
  const r4 = f64x2.mul(r2, r2);
  const a = multiplyAdd(r, constant(F3), constant(HALF));
  const b = multiplyAdd(r, constant(F5), constant(F4));
  const c = multiplyAdd(r, constant(F7), constant(F6));
  const d = multiplyAdd(r, constant(F9), constant(F8));
  const e = multiplyAdd(r, constant(F11), constant(F10));
  const low = multiplyAdd(r2, b, a);
  const high = multiplyAdd(r2, d, c);
  const top = multiplyAdd(r2, constant(F12), e);
  const polynomial = multiplyAdd(r4, multiplyAdd(r4, top, high), low);
  const value = f64x2.add(constant(ONE), multiplyAdd(r2, polynomial, r));
  // 2ⁿ in two factors, each of which has a normal exponent. n + 1.5·2⁵² carries n in its low bits.
  const bits = i64x2.sub(f64x2.add(n, constant(ROUNDER)), f64x2.splat(6755399441055744));
  const first = i64x2.shr_s(bits, 1);
  const bias = i64x2.splat(1023);
  const scale1 = i64x2.shl(i64x2.add(first, bias), 52);
  const scale2 = i64x2.shl(i64x2.add(i64x2.sub(bits, first), bias), 52);
  return f64x2.mul(f64x2.mul(value, scale1), scale2);
}

// erf from the nearest of 769 nodes c = i/128: erf c and 2/√π e^(−c²) are tabulated, the rest is a Taylor polynomial in x − c.
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
  const scaled = f64x2.nearest(f64x2.mul(size, constant(NODES_PER_UNIT)));
  const t = f64x2.sub(size, f64x2.mul(scaled, constant(NODE_STEP)));
  const c = f64x2.mul(scaled, constant(NODE_STEP));
  const indices = i32x4.trunc_sat_f64x2_s_zero(scaled);
  // NaN becomes node 0 and comes back through t.
  const p0 = v128.load(erfTable + ((<usize>i32x4.extract_lane(indices, 0)) << 4));
  const p1 = v128.load(erfTable + ((<usize>i32x4.extract_lane(indices, 1)) << 4));
  const base = v128.shuffle<f64>(p0, p1, 0, 2);
  const slope = v128.shuffle<f64>(p0, p1, 1, 3);
  // erf(c + t) = erf c + slope·t·(1 − c t + (2c² − 1)t²/3 − (2c³ − 3c)t³/6 + (4c⁴ − 12c² + 3)t⁴/30)
  const c2 = f64x2.mul(c, c);
  const a2 = multiplyAdd(c2, constant(TWO_THIRDS), constant(MINUS_THIRD));
  const a3 = f64x2.mul(c, multiplyAdd(c2, constant(MINUS_THIRD), constant(HALF)));
  const a4 = multiplyAdd(c2, multiplyAdd(c2, constant(FOUR_THIRTIETHS), constant(MINUS_TWO_FIFTHS)), constant(TENTH));
  let series = multiplyAdd(t, a4, a3);
  series = multiplyAdd(t, series, a2);
  series = f64x2.mul(t, f64x2.sub(f64x2.mul(t, series), c));
  const st = f64x2.mul(slope, t);
  const value = f64x2.add(base, multiplyAdd(st, series, st));
  return v128.or(value, v128.and(x, constant(SIGN_BIT)));
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

// arcsin of the correlation parameter r = c f_i f_j, clamped.
function angle(r: v128): v128 {
  return arcsinPair(f64x2.max(f64x2.min(r, constant(ONE)), constant(MINUS_ONE)));
}

// (2/π) arcsin r, or ¼ + arcsin(r)/2π: an affine function of the angle, for the n entries of one row with factor f.
function arcsineRow(n: i32, row: usize, f: f64, factors: usize, scale: v128, shift: v128): void {
  const ff = f64x2.splat(f);
  let bad = blemish;
  let j: i32 = 0;
  for (; j + 2 <= n; j += 2) {
    const c = v128.load(row);
    bad = f64x2.add(bad, f64x2.sub(c, c));
    v128.store(row, multiplyAdd(angle(f64x2.mul(f64x2.mul(c, ff), v128.load(factors))), scale, shift));
    row += 16;
    factors += 16;
  }
  if (j < n) {
    const c = v128.load64_splat(row);
    bad = f64x2.add(bad, f64x2.sub(c, c));
    const value = multiplyAdd(angle(f64x2.mul(f64x2.mul(c, ff), v128.load64_splat(factors))), scale, shift);
    v128.store64_lane(row, value, 0);
  }
  blemish = bad;
}

// √(ab)/2π (√(1−r²) + (π/2 + arcsin r) r) of a pair.
function reluPair(r: v128, size: v128): v128 {
  const bounded = f64x2.max(f64x2.min(r, constant(ONE)), constant(MINUS_ONE));
  const sine = f64x2.sqrt(f64x2.mul(f64x2.sub(constant(ONE), bounded), f64x2.add(constant(ONE), bounded)));
  return f64x2.mul(f64x2.mul(size, constant(INVERSE_TWO_PI)), multiplyAdd(f64x2.add(constant(HALF_PI), arcsinPair(bounded)), bounded, sine));
}

// The n entries of one row for relu; s = √a.
function reluRow(n: i32, row: usize, f: f64, s: f64, factors: usize, roots: usize): void {
  const ff = f64x2.splat(f);
  const ss = f64x2.splat(s);
  let bad = blemish;
  let j: i32 = 0;
  for (; j + 2 <= n; j += 2) {
    const c = v128.load(row);
    bad = f64x2.add(bad, f64x2.sub(c, c));
    v128.store(row, reluPair(f64x2.mul(f64x2.mul(c, ff), v128.load(factors)), f64x2.mul(ss, v128.load(roots))));
    row += 16;
    factors += 16;
    roots += 16;
  }
  if (j < n) {
    const c = v128.load64_splat(row);
    bad = f64x2.add(bad, f64x2.sub(c, c));
    v128.store64_lane(row, reluPair(f64x2.mul(f64x2.mul(c, ff), v128.load64_splat(factors)), f64x2.mul(ss, v128.load64_splat(roots))), 0);
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
  const scale = kind == STEP ? constant(INVERSE_TWO_PI) : constant(TWO_OVER_PI);
  const shift = kind == STEP ? constant(QUARTER) : f64x2.splat(0);
  blemish = f64x2.splat(0);
  prepare(kind, m, rowVariances, rowFactors, rowRoots);
  prepare(kind, n, columnVariances, factors, roots);
  for (let i: i32 = 0; i < m; i++) {
    const row = c + ((<usize>i * <usize>n) << 3);
    if (kind == RELU) reluRow(n, row, get(rowFactors, i), get(rowRoots, i), factors, roots);
    else arcsineRow(n, row, get(rowFactors, i), factors, scale, shift);
  }
  return f64x2.extract_lane(blemish, 0) + f64x2.extract_lane(blemish, 1) == 0;
}
