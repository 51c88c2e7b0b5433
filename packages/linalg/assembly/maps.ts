import { lineScratch } from "./gemm";
import { get, multiplyAdd } from "./simd";

// Kernel maps that are not (2/π) arcsin r, as are erf and sign; the numbers are those of src/wasm/exports.ts.
const RELU: i32 = 1;
const STEP: i32 = 2;

// Constants in memory, twice each: one load, where a literal vector is built anew at every use and a load that repeats a number takes two
// instructions.
const constants: usize = memory.data<f64>([
  0.5,
  0.5,
  1.0,
  1.0,
  3.479331075960212e-5,
  3.479331075960212e-5,
  0.0007915349942898145,
  0.0007915349942898145,
  -0.04005553450067941,
  -0.04005553450067941,
  0.20121253213486293,
  0.20121253213486293,
  -0.3255658186224009,
  -0.3255658186224009,
  0.16666666666666666,
  0.16666666666666666,
  0.07703815055590194,
  0.07703815055590194,
  -0.6882839716054533,
  -0.6882839716054533,
  2.0209457602335057,
  2.0209457602335057,
  -2.403394911734414,
  -2.403394911734414,
  1.5707963267948966,
  1.5707963267948966,
  6.123233995736766e-17,
  6.123233995736766e-17,
  -0.0,
  -0.0,
  710.0,
  710.0,
  -746.0,
  -746.0,
  NativeMath.LOG2E,
  NativeMath.LOG2E,
  0.6931471803691238,
  0.6931471803691238,
  1.9082149292705877e-10,
  1.9082149292705877e-10,
  0.16666666666666666,
  0.16666666666666666,
  0.008333333333333333,
  0.008333333333333333,
  0.041666666666666664,
  0.041666666666666664,
  0.0001984126984126984,
  0.0001984126984126984,
  0.001388888888888889,
  0.001388888888888889,
  2.7557319223985893e-6,
  2.7557319223985893e-6,
  2.48015873015873e-5,
  2.48015873015873e-5,
  2.505210838544172e-8,
  2.505210838544172e-8,
  2.755731922398589e-7,
  2.755731922398589e-7,
  2.08767569878681e-9,
  2.08767569878681e-9,
  6755399441055744.0,
  6755399441055744.0,
  6.0,
  6.0,
  128.0,
  128.0,
  0.0078125,
  0.0078125,
  0.6666666666666666,
  0.6666666666666666,
  -0.3333333333333333,
  -0.3333333333333333,
  0.13333333333333333,
  0.13333333333333333,
  -0.4,
  -0.4,
  0.1,
  0.1,
]);
const HALF: usize = 0;
const ONE: usize = 16;
const P5: usize = 32;
const P4: usize = 48;
const P3: usize = 64;
const P2: usize = 80;
const P1: usize = 96;
const P0: usize = 112;
const Q4: usize = 128;
const Q3: usize = 144;
const Q2: usize = 160;
const Q1: usize = 176;
const HALF_PI: usize = 192;
const HALF_PI_LOW: usize = 208;
const SIGN_BIT: usize = 224;
const EXP_MAX: usize = 240;
const EXP_MIN: usize = 256;
const LOG2E: usize = 272;
const LN2_HIGH: usize = 288;
const LN2_LOW: usize = 304;
const F3: usize = 320;
const F5: usize = 336;
const F4: usize = 352;
const F7: usize = 368;
const F6: usize = 384;
const F9: usize = 400;
const F8: usize = 416;
const F11: usize = 432;
const F10: usize = 448;
const F12: usize = 464;
const ROUNDER: usize = 480;
const ERF_LIMIT: usize = 496;
const NODES_PER_UNIT: usize = 512;
const NODE_STEP: usize = 528;
const TWO_THIRDS: usize = 544;
const MINUS_THIRD: usize = 560;
const FOUR_THIRTIETHS: usize = 576;
const MINUS_TWO_FIFTHS: usize = 592;
const TENTH: usize = 608;

// y := arcsin x for n numbers in [−1, 1] (NaN outside), an odd n rounded up: x + x R(x²) below ½, π/2 − 2(s + s R(s²)) with s² = (1 −
// |x|)/2 above. R is the rational approximation of FreeBSD's e_asin.c (Sun Microsystems); error about 1 ulp. One loop, called for whole
// lines: a function of a pair costs a call for each.
function arcsinLine(n: i32, x: usize, y: usize): void {
  const t = table;
  const end = x + ((<usize>n) << 3);
  for (; x < end; x += 16) {
    const value = v128.load(x);
    const size = f64x2.abs(value);
    const half = f64x2.mul(v128.load(t, HALF), f64x2.sub(v128.load(t, ONE), size));
    // The smaller ones are those of the branch that applies; NaN stays
    const z = f64x2.pmin(f64x2.mul(value, value), half);
    const s = f64x2.pmin(f64x2.sqrt(half), size);
    // Short chains of operations (Estrin's scheme), so that more pairs are under way at once
    const z2 = f64x2.mul(z, z);
    const p45 = multiplyAdd(z, v128.load(t, P5), v128.load(t, P4));
    const p23 = multiplyAdd(z, v128.load(t, P3), v128.load(t, P2));
    const p01 = multiplyAdd(z, v128.load(t, P1), v128.load(t, P0));
    const p = multiplyAdd(z2, multiplyAdd(z2, p45, p23), p01);
    const q23 = multiplyAdd(z, v128.load(t, Q3), v128.load(t, Q2));
    const q01 = multiplyAdd(z, v128.load(t, Q1), v128.load(t, ONE));
    const q = multiplyAdd(z2, multiplyAdd(z2, v128.load(t, Q4), q23), q01);
    const r = multiplyAdd(s, f64x2.div(f64x2.mul(z, p), q), s);
    // π/2 in two parts, so that the subtraction loses nothing
    const large = f64x2.sub(v128.load(t, HALF_PI), f64x2.sub(f64x2.add(r, r), v128.load(t, HALF_PI_LOW)));
    const magnitude = v128.bitselect(r, large, f64x2.lt(size, v128.load(t, HALF)));
    v128.store(y, v128.or(magnitude, v128.and(value, v128.load(t, SIGN_BIT))));
    y += 16;
  }
}

// e^x of two numbers, gradual underflow included: x = n log 2 + r, Taylor polynomial of degree 12 in |r| ≤ 0.3466, error about 1 ulp.
function expPair(t: usize, x: v128): v128 {
  const bounded = f64x2.pmax(f64x2.pmin(x, v128.load(t, EXP_MAX)), v128.load(t, EXP_MIN));
  const n = f64x2.nearest(f64x2.mul(bounded, v128.load(t, LOG2E)));
  const r = f64x2.sub(f64x2.sub(bounded, f64x2.mul(n, v128.load(t, LN2_HIGH))), f64x2.mul(n, v128.load(t, LN2_LOW)));
  const r2 = f64x2.mul(r, r);
  const r4 = f64x2.mul(r2, r2);
  const a = multiplyAdd(r, v128.load(t, F3), v128.load(t, HALF));
  const b = multiplyAdd(r, v128.load(t, F5), v128.load(t, F4));
  const c = multiplyAdd(r, v128.load(t, F7), v128.load(t, F6));
  const d = multiplyAdd(r, v128.load(t, F9), v128.load(t, F8));
  const e = multiplyAdd(r, v128.load(t, F11), v128.load(t, F10));
  const low = multiplyAdd(r2, b, a);
  const high = multiplyAdd(r2, d, c);
  const top = multiplyAdd(r2, v128.load(t, F12), e);
  const polynomial = multiplyAdd(r4, multiplyAdd(r4, top, high), low);
  const value = f64x2.add(v128.load(t, ONE), multiplyAdd(r2, polynomial, r));
  // 2ⁿ in two factors, each of which has a normal exponent. n + 1.5·2⁵² carries n in its low bits.
  const bits = i64x2.sub(f64x2.add(n, v128.load(t, ROUNDER)), f64x2.splat(6755399441055744));
  const first = i64x2.shr_s(bits, 1);
  const bias = i64x2.splat(1023);
  const scale1 = i64x2.shl(i64x2.add(first, bias), 52);
  const scale2 = i64x2.shl(i64x2.add(i64x2.sub(bits, first), bias), 52);
  return f64x2.mul(f64x2.mul(value, scale1), scale2);
}

// erf from the nearest of 769 nodes c = i/128: erf c and 2/√π e^(−c²) are tabulated, the rest is a Taylor polynomial in x − c.
const ERF_NODES: i32 = 769;
let erfTable: usize = 0;
// Address of the constants; a variable as far as the compiler knows, so that engines keep it in a register and fold the offsets into the
// loads.
let table: usize = 0;

/** Numbers that the table takes: pairs (erf c, 2/√π e^(−c²)). */
export function erfTableLength(): i32 {
  return 2 * ERF_NODES;
}

export function setErfTable(at: usize): void {
  erfTable = at;
  table = constants;
}

function erfPair(t: usize, x: v128): v128 {
  const size = f64x2.pmin(f64x2.abs(x), v128.load(t, ERF_LIMIT));
  const scaled = f64x2.nearest(f64x2.mul(size, v128.load(t, NODES_PER_UNIT)));
  const u = f64x2.sub(size, f64x2.mul(scaled, v128.load(t, NODE_STEP)));
  const c = f64x2.mul(scaled, v128.load(t, NODE_STEP));
  const indices = i32x4.trunc_sat_f64x2_s_zero(scaled);
  // NaN becomes node 0 and comes back through u.
  const p0 = v128.load(erfTable + ((<usize>i32x4.extract_lane(indices, 0)) << 4));
  const p1 = v128.load(erfTable + ((<usize>i32x4.extract_lane(indices, 1)) << 4));
  const base = v128.shuffle<f64>(p0, p1, 0, 2);
  const slope = v128.shuffle<f64>(p0, p1, 1, 3);
  // erf(c + t) = erf c + slope·t·(1 − c t + (2c² − 1)t²/3 − (2c³ − 3c)t³/6 + (4c⁴ − 12c² + 3)t⁴/30)
  const c2 = f64x2.mul(c, c);
  const a2 = multiplyAdd(c2, v128.load(t, TWO_THIRDS), v128.load(t, MINUS_THIRD));
  const a3 = f64x2.mul(c, multiplyAdd(c2, v128.load(t, MINUS_THIRD), v128.load(t, HALF)));
  const a4 = multiplyAdd(c2, multiplyAdd(c2, v128.load(t, FOUR_THIRTIETHS), v128.load(t, MINUS_TWO_FIFTHS)), v128.load(t, TENTH));
  let series = multiplyAdd(u, a4, a3);
  series = multiplyAdd(u, series, a2);
  series = f64x2.mul(u, f64x2.sub(f64x2.mul(u, series), c));
  const st = f64x2.mul(slope, u);
  const value = f64x2.add(base, multiplyAdd(st, series, st));
  return v128.or(value, v128.and(x, v128.load(t, SIGN_BIT)));
}

const MAP_EXP: i32 = 0;
const MAP_ERF: i32 = 1;

/** x := f(x) for n numbers; an odd n also touches the number after the last. */
export function map(kind: i32, n: i32, x: usize): void {
  const t = table;
  const end = x + ((<usize>n) << 3);
  if (kind == MAP_EXP) for (; x < end; x += 16) v128.store(x, expPair(t, v128.load(x)));
  else if (kind == MAP_ERF) for (; x < end; x += 16) v128.store(x, erfPair(t, v128.load(x)));
  else arcsinLine(n, x, x);
}

// Σ (c − c) over the entries read: 0, or NaN when one of them is not finite.
let blemish: v128 = f64x2.splat(0);

// The kernel maps go over a row in short passes on lines that stay in the first-level cache: with all of it in one loop the engines run out
// of registers.

// r := c f_i f_j, clamped to [−1, 1], for one row c with factor f; an odd n is rounded up.
function correlationLine(n: i32, c: usize, f: f64, factors: usize, r: usize): void {
  const ff = f64x2.splat(f);
  const one = f64x2.splat(1);
  const minusOne = f64x2.splat(-1);
  let bad = blemish;
  let j: i32 = 0;
  for (; j + 2 <= n; j += 2) {
    const value = v128.load(c);
    bad = f64x2.add(bad, f64x2.sub(value, value));
    v128.store(r, f64x2.pmax(f64x2.pmin(f64x2.mul(f64x2.mul(value, ff), v128.load(factors)), one), minusOne));
    c += 16;
    factors += 16;
    r += 16;
  }
  if (j < n) {
    const value = v128.load64_splat(c);
    bad = f64x2.add(bad, f64x2.sub(value, value));
    v128.store(r, f64x2.pmax(f64x2.pmin(f64x2.mul(f64x2.mul(value, ff), v128.load64_splat(factors)), one), minusOne));
  }
  blemish = bad;
}

// k := scale·angle + shift: (2/π) arcsin r, or ¼ + arcsin(r)/2π.
function arcsineRow(n: i32, k: usize, angles: usize, scale: f64, shift: f64): void {
  const factor = f64x2.splat(scale);
  const constant = f64x2.splat(shift);
  let j: i32 = 0;
  for (; j + 2 <= n; j += 2) {
    v128.store(k, multiplyAdd(v128.load(angles), factor, constant));
    k += 16;
    angles += 16;
  }
  if (j < n) v128.store64_lane(k, multiplyAdd(v128.load64_splat(angles), factor, constant), 0);
}

// k := √(ab)/2π (√(1 − r²) + (π/2 + arcsin r) r), s = √a.
function reluRow(n: i32, k: usize, s: f64, roots: usize, r: usize, angles: usize): void {
  const size = f64x2.splat(s * INVERSE_TWO_PI);
  const one = f64x2.splat(1);
  const quarterTurn = f64x2.splat(0.5 * Math.PI);
  for (let j: i32 = 0; j < n; j += 2) {
    const value = v128.load(r);
    const sine = f64x2.sqrt(f64x2.mul(f64x2.sub(one, value), f64x2.add(one, value)));
    const result = f64x2.mul(f64x2.mul(size, v128.load(roots)), multiplyAdd(f64x2.add(quarterTurn, v128.load(angles)), value, sine));
    if (j + 2 <= n) v128.store(k, result);
    else v128.store64_lane(k, result, 0);
    k += 16;
    r += 16;
    angles += 16;
    roots += 16;
  }
}

const INVERSE_TWO_PI: f64 = 0.15915494309189535;

// Numbers of a row that go through the passes together (an even number, so that lines of an odd length end a row).
const LINE: i32 = 512;

/**
 * Covariance C between m and n variables, rows `stride` bytes apart, := E φ(h_i)φ(h_j) in place, with r = c f_i f_j from the factors of
 * rows and columns and, for relu, the roots of their variances. False when an entry of C is not finite. On one thread: measured, two gain
 * nothing.
 */
export function kernelMap(
  kind: i32,
  m: i32,
  n: i32,
  c: usize,
  stride: usize,
  rowFactors: usize,
  rowRoots: usize,
  factors: usize,
  roots: usize,
): bool {
  const correlations = lineScratch();
  const angles = correlations + (LINE << 3);
  blemish = f64x2.splat(0);
  for (let i: i32 = 0; i < m; i++) {
    for (let j: i32 = 0; j < n; j += LINE) {
      const length = min(LINE, n - j);
      const offset = (<usize>j) << 3;
      const row = c + <usize>i * stride + offset;
      correlationLine(length, row, get(rowFactors, i), factors + offset, correlations);
      arcsinLine(length, correlations, angles);
      if (kind == RELU) reluRow(length, row, get(rowRoots, i), roots + offset, correlations, angles);
      else if (kind == STEP) arcsineRow(length, row, angles, INVERSE_TWO_PI, 0.25);
      else arcsineRow(length, row, angles, 4 * INVERSE_TWO_PI, 0);
    }
  }
  return f64x2.extract_lane(blemish, 0) + f64x2.extract_lane(blemish, 1) == 0;
}

/** The transpose of m × n numbers at `from`, n × m at `to`, in blocks that fit the first-level cache. */
export function transpose(m: i32, n: i32, from: usize, to: usize): void {
  const ld = (<usize>n) << 3;
  const ldt = (<usize>m) << 3;
  for (let ib: i32 = 0; ib < m; ib += 32) {
    const iEnd = min(m, ib + 32);
    for (let j: i32 = 0; j + 2 <= n; j += 2) {
      let source = from + <usize>ib * ld + ((<usize>j) << 3);
      let target = to + <usize>j * ldt + ((<usize>ib) << 3);
      let i = ib;
      for (; i + 2 <= iEnd; i += 2) {
        const a = v128.load(source);
        const b = v128.load(source + ld);
        v128.store(target, v128.shuffle<f64>(a, b, 0, 2));
        v128.store(target + ldt, v128.shuffle<f64>(a, b, 1, 3));
        source += ld << 1;
        target += 16;
      }
      if (i < iEnd) {
        store<f64>(target, load<f64>(source));
        store<f64>(target + ldt, load<f64>(source, 8));
      }
    }
    if (n & 1) {
      for (let i = ib; i < iEnd; i++)
        store<f64>(to + <usize>(n - 1) * ldt + ((<usize>i) << 3), load<f64>(from + <usize>i * ld + ((<usize>(n - 1)) << 3)));
    }
  }
}
