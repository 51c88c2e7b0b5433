import { FinitewidthError } from "@finitewidth/core";
import { describe, expect, test } from "vitest";
import { stream, wishartFactor } from "../src/index.js";
import { hashWords, stateOf } from "../src/key.js";
import { xoshiro128 } from "../src/xoshiro.js";
import { ziggurat } from "../src/ziggurat.js";
import { gammaMoments, momentScores, normalMoments, uniformMoments } from "./moments.js";

// 6 moments of about ten laws: |z| > 5 has probability 3e-5 in all
const bound = 5;
const draw = (n: number, next: () => number): Float64Array => Float64Array.from({ length: n }, next);
const worst = (scores: readonly number[]): number => Math.max(...scores.map(Math.abs));

describe("generator", () => {
  test("xoshiro128++ gives the published sequence from the state 1, 2, 3, 4", () => {
    // vector of the Rust crate rand_xoshiro, made with the authors' C code
    const next = xoshiro128([1, 2, 3, 4]);
    expect(Array.from({ length: 10 }, () => next() >>> 0)).toEqual([
      641, 1573767, 3222811527, 3517856514, 836907274, 4247214768, 3867114732, 1355841295, 495546011, 621204420,
    ]);
  });

  test("keys are MurmurHash3_x86_128", () => {
    // mmh3 5.x (Python): hash_bytes(…, seed 0, x64arch=False) of the words in little-endian order
    expect(Array.from(hashWords(Int32Array.of(1, 2, 3, 4)))).toEqual([936832535, 1028276893, 1035705367, 1533327389]);
    expect(Array.from(hashWords(Int32Array.of(-1, 7, 123456789, -5, 9, 10, 11, 12)))).toEqual([
      661896921, -664435832, -252929765, -1940398392,
    ]);
  });

  test("every list of integers has its own state", () => {
    const lists = [[0], [0, 0], [0, 0, 0], [1], [1, 0], [0, 1], [-1], [2 ** 32], [2 ** 32 + 1], [1, 1], [2 ** 53 - 1]];
    for (let i = 0; i < 3000; i++) lists.push([5, i], [i, 5, 5]);
    const states = new Set(lists.map(([seed, ...indices]) => stateOf(seed!, indices).join()));
    expect(states.size).toBe(lists.length);
  });

  test("the same address gives the same numbers", () => {
    const [a, b] = [stream(7, 3, 1), stream(7, 3, 1)];
    expect(draw(100, a.normal)).toEqual(draw(100, b.normal));
    expect(a.gamma(0.3)).toBe(b.gamma(0.3));
    const c = stream(7, 3, 1);
    expect(c.normals(new Float64Array(100))).toEqual(draw(100, stream(7, 3, 1).normal));
  });

  test("the numbers of a stream never change", () => {
    const random = stream(1, 2);
    expect([random.uniform(), random.normal(), random.gamma(2.5), random.gamma(0.5)]).toEqual([
      0.7749523830253056, 0.21099939970681805, 0.6379058499361762, 0.8740633196046058,
    ]);
  });

  test("nor do long stretches of them: tails, rejections, small and large shapes", () => {
    const random = stream(11, 4, 2);
    const weighted = (count: number, next: (i: number) => number): number => {
      let sum = 0;
      for (let i = 1; i <= count; i++) sum += i * next(i);
      return sum;
    };
    const sums = [
      weighted(5000, random.normal),
      weighted(500, random.uniform),
      weighted(500, (i) => random.gamma(i % 7 === 0 ? 0.2 : 0.1 * i)),
    ];
    // made by this very code: a change of bits, order or rejections breaks results that people have written down
    [91557.49789954706, 61568.16610451487, 3549724.420526816].forEach((sum, k) => expect(sums[k]! / sum).toBeCloseTo(1, 12));
    const factor = [
      1.019730337173924, 0, 0, 2.3046261615339554, 1.3781253074498463, 0, -0.8235500501750764, 1.4747997081716897, 1.384327048534359,
    ];
    wishartFactor(random, 3, 4).data.forEach((value, k) => expect(value).toBeCloseTo(factor[k]!, 12));
  });

  test.each([[1.5], [Number.NaN], [2 ** 53]])("seed %s is refused", (seed) => {
    expect(() => stream(seed)).toThrow(FinitewidthError);
    expect(() => stream(1, seed)).toThrow(/indices\[0\]: expected an integer/);
  });
});

describe("moments", () => {
  const n = 1_000_000;
  test("uniform", () => {
    const x = draw(n, stream(11).uniform);
    expect(worst(momentScores(x, uniformMoments))).toBeLessThan(bound);
    expect(Math.min(...x.subarray(0, 1000))).toBeGreaterThanOrEqual(0);
  });

  test("normal: six moments, tails and cells of equal probability", () => {
    const x = draw(2 * n, stream(12).normal);
    expect(worst(momentScores(x, normalMoments))).toBeLessThan(bound);
    // beyond the start of the ziggurat's tail, and well inside the tail
    for (const [edge, probability] of [
      [3.6541528853610088, 2.580324876539013e-4],
      [4.2, 2.669149803181269e-5],
    ] as const) {
      const count = x.reduce((sum, value) => sum + (Math.abs(value) > edge ? 1 : 0), 0);
      expect(Math.abs(count - 2 * n * probability) / Math.sqrt(2 * n * probability)).toBeLessThan(bound);
    }
    // draws that begin in the tail: the mean is φ/Q at its start, which a rejection of another law would move
    const { uniform } = stream(14);
    const start = 3.6541528853610088;
    const tail = draw(200_000, ziggurat(() => 0xffffff00 | 0, uniform)); // prettier-ignore
    const mean = Math.exp(-0.5 * start ** 2) / Math.sqrt(2 * Math.PI) / (0.5 * 2.580324876539013e-4);
    const sizes = tail.map(Math.abs);
    const deviation = Math.sqrt((1 + start * mean - mean ** 2) / sizes.length);
    expect(Math.min(...sizes.subarray(0, 1000))).toBeGreaterThan(start);
    expect(Math.abs(sizes.reduce((sum, value) => sum + value, 0) / sizes.length - mean) / deviation).toBeLessThan(bound);
    const sixteenths = [
      -1.5341205443525463, -1.1503493803760079, -0.887146559018876, -0.6744897501960817, -0.4887764111146696, -0.3186393639643753,
      -0.15731068461017073,
    ];
    const edges = [...sixteenths, 0, ...sixteenths.map((e) => -e).toReversed()];
    const cells = new Float64Array(16);
    for (const value of x) cells[edges.filter((edge) => value > edge).length]!++;
    const expected = (2 * n) / 16;
    // χ²₁₅: mean 15, 1e-6 quantile 55
    expect(cells.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(55);
  });

  test("the check catches a normal made of 24 uniforms and a variance off by half a percent", () => {
    const { uniform, normal } = stream(13);
    const sum24 = draw(n, () => {
      let sum = -12;
      for (let i = 0; i < 24; i++) sum += uniform();
      return sum / Math.SQRT2;
    });
    expect(Math.abs(momentScores(sum24, normalMoments)[3]!)).toBeGreaterThan(bound);
    expect(
      worst(
        momentScores(
          draw(2 * n, () => 1.005 * normal()),
          normalMoments,
        ),
      ),
    ).toBeGreaterThan(bound);
  });

  test.each([0.05, 0.5, 1, 2.5, 60])("gamma of shape %s", (shape) => {
    const random = stream(14, Math.round(100 * shape));
    const x = draw(n / 2, () => random.gamma(shape));
    expect(worst(momentScores(x, gammaMoments(shape)))).toBeLessThan(bound);
    expect(x.every((value) => value >= 0)).toBe(true);
  });

  test("the check catches a gamma whose shape is off by one percent", () => {
    const random = stream(15);
    expect(
      worst(
        momentScores(
          draw(n / 2, () => random.gamma(2.525)),
          gammaMoments(2.5),
        ),
      ),
    ).toBeGreaterThan(bound);
  });

  test("gamma refuses shapes that are not positive", () => {
    for (const shape of [0, -1, Number.NaN, Infinity]) expect(() => stream(1).gamma(shape)).toThrow(/shape: expected a positive number/);
  });
});

describe("streams of neighbouring addresses are independent", () => {
  test("moments across streams", () => {
    const n = 100_000;
    expect(
      worst(
        momentScores(
          Float64Array.from({ length: n }, (_, i) => stream(3, i).normal()),
          normalMoments,
        ),
      ),
    ).toBeLessThan(bound);
    expect(
      worst(
        momentScores(
          Float64Array.from({ length: n }, (_, i) => stream(i).uniform()),
          uniformMoments,
        ),
      ),
    ).toBeLessThan(bound);
  });

  test("correlations between streams, and along one", () => {
    const n = 200_000;
    const columns = [0, 1, 2, 3].map((i) => stream(9, i).normals(new Float64Array(n)));
    for (let a = 0; a < 4; a++) {
      for (let b = 0; b <= a; b++) {
        const lag = a === b ? 1 : 0;
        let [first, second] = [0, 0];
        for (let i = 0; i + lag < n; i++) {
          const [x, y] = [columns[a]![i]!, columns[b]![i + lag]!];
          first += x * y;
          second += (x * x - 1) * (y * y - 1);
        }
        expect(Math.abs(first) / Math.sqrt(n)).toBeLessThan(bound);
        expect(Math.abs(second) / Math.sqrt(4 * n)).toBeLessThan(bound);
      }
    }
  });
});
