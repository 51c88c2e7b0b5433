import { get, put } from "./simd";

// Scalar arithmetic throughout: no fused operation, so that every build on every processor draws the same numbers.

const LAYERS: i32 = 256;
// Right end of the bottom layer and the common area of the layers (Marsaglia and Tsang 2000).
const EDGE: f64 = 3.6541528853610088;
const AREA: f64 = 0.00492867323399;

let edges: usize = 0;
let heights: usize = 0;

/** Numbers that the ziggurat's tables take. */
export function zigguratLength(): i32 {
  return 2 * (LAYERS + 1);
}

// e^(−x) for 0 ≤ x < 30: 2⁻ⁿ times a Taylor polynomial in |r| ≤ log(2)/2.
function exponential(x: f64): f64 {
  const n = nearest(x * NativeMath.LOG2E);
  const r = n * 6.9314718036912381649e-1 - x + n * 1.90821492927058770002e-10;
  let sum: f64 = 1;
  for (let k: f64 = 14; k >= 1; k--) sum = 1 + (r / k) * sum;
  return sum * reinterpret<f64>((<i64>(1023 - <i32>n)) << 52);
}

// log x for 0 < x ≤ 1: exponent and 2 artanh((m − 1)/(m + 1)) with √½ ≤ m < √2.
function logarithm(x: f64): f64 {
  let bits = reinterpret<i64>(x);
  let exponent = <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > NativeMath.SQRT2) {
    m *= 0.5;
    exponent++;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let sum: f64 = 0;
  for (let k: f64 = 23; k >= 3; k -= 2) sum = z * (1 / k + sum);
  return <f64>exponent * 6.9314718036912381649e-1 + (2 * s * (1 + sum) + <f64>exponent * 1.90821492927058770002e-10);
}

/** Fills the tables at `at`: right ends of the layers and the density there. */
export function setZiggurat(at: usize): void {
  edges = at;
  heights = at + ((<usize>(LAYERS + 1)) << 3);
  put(edges, 0, AREA / exponential(0.5 * EDGE * EDGE));
  put(edges, 1, EDGE);
  for (let i: i32 = 2; i < LAYERS; i++) {
    const x = get(edges, i - 1);
    put(edges, i, sqrt(-2 * logarithm(AREA / x + exponential(0.5 * x * x))));
  }
  put(edges, LAYERS, 0);
  for (let i: i32 = 0; i <= LAYERS; i++) {
    const x = get(edges, i);
    put(heights, i, exponential(0.5 * x * x));
  }
}

// State of xoshiro256++ (Blackman and Vigna 2021).
let s0: u64 = 0;
let s1: u64 = 0;
let s2: u64 = 0;
let s3: u64 = 0;

function next(): u64 {
  const result = rotl<u64>(s0 + s3, 23) + s0;
  const t = s1 << 17;
  s2 ^= s0;
  s3 ^= s1;
  s1 ^= s2;
  s0 ^= s3;
  s2 ^= t;
  s3 = rotl<u64>(s3, 45);
  return result;
}

function uniform(): f64 {
  return <f64>(<i64>(next() >> 11)) * (1.0 / 9007199254740992);
}

// In (0, 1], for logarithms.
function positiveUniform(): f64 {
  return 1 - uniform();
}

// Philox4x32-10 (Salmon et al. 2011) of a counter and a key: two words of state.
let high: u64 = 0;
let low: u64 = 0;

function philox(c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32): void {
  for (let round: i32 = 0; round < 10; round++) {
    const p0 = <u64>c0 * 0xd2511f53;
    const p1 = <u64>c2 * 0xcd9e8d57;
    c0 = (<u32>(p1 >> 32)) ^ c1 ^ k0;
    c1 = <u32>p1;
    c2 = (<u32>(p0 >> 32)) ^ c3 ^ k1;
    c3 = <u32>p0;
    k0 += 0x9e3779b9;
    k1 += 0xbb67ae85;
  }
  low = (<u64>c0) | ((<u64>c1) << 32);
  high = (<u64>c2) | ((<u64>c3) << 32);
}

// A number beyond the bottom layer (Marsaglia 1964).
function tail(): f64 {
  let x: f64;
  let y: f64;
  do {
    x = -logarithm(positiveUniform()) / EDGE;
    y = -logarithm(positiveUniform());
  } while (y + y < x * x);
  return EDGE + x;
}

// x if it lies under the density in layer i, −1 if not.
function wedge(i: i32, x: f64): f64 {
  const height = get(heights, i) + uniform() * (get(heights, i + 1) - get(heights, i));
  return height < exponential(0.5 * x * x) ? x : -1;
}

/** Philox4x32-10 for the test against the published answers: four words at `at`. */
export function philoxWords(c0: u32, c1: u32, c2: u32, c3: u32, k0: u32, k1: u32, at: usize): void {
  philox(c0, c1, c2, c3, k0, k1);
  store<u64>(at, low);
  store<u64>(at, high, 8);
}

/**
 * `count` standard normals at `at`: the start of block `block` of the stream (a, b, c). Philox keyed by (a, b) and counting (block, c)
 * gives the 256 bits that xoshiro256++ starts from; the ziggurat of 256 layers does the rest.
 */
export function normals(count: i32, a: u32, b: u32, c: u32, block: u32, at: usize): void {
  philox(block, c, 0, 0, a, b);
  s0 = low;
  s1 = high;
  philox(block, c, 1, 0, a, b);
  s2 = low;
  s3 = high;
  if ((s0 | s1 | s2 | s3) == 0) s0 = 1;
  // The state lives in locals while the draw is inside its layer (99 of 100), in the globals for the rest.
  let l0 = s0;
  let l1 = s1;
  let l2 = s2;
  let l3 = s3;
  const end = at + ((<usize>count) << 3);
  while (at < end) {
    const bits = rotl<u64>(l0 + l3, 23) + l0;
    const t = l1 << 17;
    l2 ^= l0;
    l3 ^= l1;
    l1 ^= l2;
    l0 ^= l3;
    l2 ^= t;
    l3 = rotl<u64>(l3, 45);
    const i = (<usize>(bits & 255)) << 3;
    const sign = (bits & 256) << 55;
    let x = <f64>(<i64>(bits >> 11)) * (1.0 / 9007199254740992) * load<f64>(edges + i);
    if (x >= load<f64>(edges + i, 8)) {
      s0 = l0;
      s1 = l1;
      s2 = l2;
      s3 = l3;
      const accepted = i == 0 ? tail() : wedge(<i32>(i >> 3), x);
      l0 = s0;
      l1 = s1;
      l2 = s2;
      l3 = s3;
      if (accepted < 0) continue;
      x = accepted;
    }
    store<u64>(at, reinterpret<u64>(x) | sign);
    at += 8;
  }
}
