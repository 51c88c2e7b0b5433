// The generator of assembly/normals.ts, operation by operation, with 64-bit words as BigInt: the same numbers, some hundred times slower.

const layers = 256;
const edge = 3.6541528853610088;
const area = 0.00492867323399;
const ln2High = 6.9314718036912381649e-1;
const ln2Low = 1.90821492927058770002e-10;

/** Half-way cases to even, like the WebAssembly instruction. */
function roundToEven(x: number): number {
  const rounded = Math.round(x);
  return rounded - x === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

function exponential(x: number): number {
  const n = roundToEven(x * Math.LOG2E);
  const r = n * ln2High - x + n * ln2Low;
  let sum = 1;
  for (let k = 14; k >= 1; k--) sum = 1 + (r / k) * sum;
  return sum * 2 ** -n;
}

const word = new DataView(new ArrayBuffer(8));

function logarithm(x: number): number {
  word.setFloat64(0, x);
  let exponent = (word.getUint16(0) >> 4) - 1023;
  let m = x * 2 ** -exponent;
  if (m > Math.SQRT2) {
    m *= 0.5;
    exponent++;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let sum = 0;
  for (let k = 23; k >= 3; k -= 2) sum = z * (1 / k + sum);
  return exponent * ln2High + (2 * s * (1 + sum) + exponent * ln2Low);
}

let tables: { readonly edges: Float64Array; readonly heights: Float64Array } | undefined;

function ziggurat(): { readonly edges: Float64Array; readonly heights: Float64Array } {
  if (tables !== undefined) return tables;
  const edges = new Float64Array(layers + 1);
  edges[0] = area / exponential(0.5 * edge * edge);
  edges[1] = edge;
  for (let i = 2; i < layers; i++) {
    const x = edges[i - 1]!;
    edges[i] = Math.sqrt(-2 * logarithm(area / x + exponential(0.5 * x * x)));
  }
  tables = { edges, heights: edges.map((x) => exponential(0.5 * x * x)) };
  return tables;
}

/** Philox4x32-10 of a counter and a key. */
export function philox(
  counter: readonly [number, number, number, number],
  key: readonly [number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const p0 = BigInt(c0 >>> 0) * 0xd2511f53n;
    const p1 = BigInt(c2 >>> 0) * 0xcd9e8d57n;
    c0 = Number(p1 >> 32n) ^ c1 ^ k0;
    c1 = Number(p1 & 0xffffffffn);
    c2 = Number(p0 >> 32n) ^ c3 ^ k1;
    c3 = Number(p0 & 0xffffffffn);
    k0 = (k0 + 0x9e3779b9) | 0;
    k1 = (k1 + 0xbb67ae85) | 0;
  }
  return [c0 >>> 0, c1 >>> 0, c2 >>> 0, c3 >>> 0];
}

const mask = 0xffffffffffffffffn;
const rotate = (x: bigint, count: bigint) => ((x << count) | (x >> (64n - count))) & mask;

/** `count` standard normals, the start of block `block` of the stream (a, b, c). */
export function normalBlock(count: number, stream: readonly [number, number, number], block: number): Float64Array {
  const [a, b, c] = stream;
  const words = [0, 1].flatMap((part) => philox([block, c, part, 0], [a, b])).map(BigInt);
  let [s0, s1, s2, s3] = [0, 2, 4, 6].map((i) => words[i]! | (words[i + 1]! << 32n)) as [bigint, bigint, bigint, bigint];
  if ((s0 | s1 | s2 | s3) === 0n) s0 = 1n;
  const next = (): bigint => {
    const result = (rotate((s0 + s3) & mask, 23n) + s0) & mask;
    const t = (s1 << 17n) & mask;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotate(s3, 45n);
    return result;
  };
  const uniform = () => Number(next() >> 11n) * 2 ** -53;
  const { edges, heights } = ziggurat();
  const out = new Float64Array(count);
  for (let at = 0; at < count;) {
    const bits = next();
    const i = Number(bits & 255n);
    let x = Number(bits >> 11n) * 2 ** -53 * edges[i]!;
    if (x >= edges[i + 1]!) {
      if (i === 0) {
        let y: number;
        do {
          x = -logarithm(1 - uniform()) / edge;
          y = -logarithm(1 - uniform());
        } while (y + y < x * x);
        x += edge;
      } else if (heights[i]! + uniform() * (heights[i + 1]! - heights[i]!) >= exponential(0.5 * x * x)) continue;
    }
    out[at++] = (bits & 256n) === 0n ? x : -x;
  }
  return out;
}
