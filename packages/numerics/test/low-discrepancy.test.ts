import { describe, expect, it } from "vitest";
import { normalQuantile } from "../src/index.js";
import { directionNumbers, normalPoints, primitivePolynomials, sobolPoints } from "../src/low-discrepancy/index.js";

/** Entries of column d. */
const column = (m: { data: Float64Array; shape: readonly number[] }, d: number): number[] =>
  Array.from({ length: m.shape[0]! }, (_, i) => m.data[i * m.shape[1]! + d]!);

describe("primitive polynomials over GF(2)", () => {
  it("counts φ(2ˢ − 1)/s of them at every degree", () => {
    const counts = new Map<number, number>();
    for (const { degree } of primitivePolynomials(1110)) counts.set(degree, (counts.get(degree) ?? 0) + 1);
    expect([...counts.values()]).toEqual([1, 1, 2, 2, 6, 6, 18, 16, 48, 60, 176, 144, 630]);
  });

  it("lists Joe and Kuo's first ones", () => {
    expect(primitivePolynomials(13).map(({ degree, inner }) => [degree, inner])).toEqual([
      [1, 0],
      [2, 1],
      [3, 1],
      [3, 2],
      [4, 1],
      [4, 4],
      [5, 2],
      [5, 4],
      [5, 7],
      [5, 11],
      [5, 13],
      [5, 14],
      [6, 1],
    ]);
  });
});

describe("Sobol points", () => {
  it("starts with the known points", () => {
    const { data } = sobolPoints({ dimensions: 3, log2Count: 2 });
    expect(Array.from(data, (x) => Math.round(x * 8) / 8)).toEqual([0, 0, 0, 0.5, 0.5, 0.5, 0.75, 0.25, 0.25, 0.25, 0.75, 0.75]);
  });

  it.each([undefined, 7])("is a Latin hypercube in 600 dimensions (seed %s)", (seed) => {
    const points = sobolPoints({ dimensions: 600, log2Count: 6, ...(seed === undefined ? {} : { seed }) });
    for (let d = 0; d < 600; d++) expect(new Set(column(points, d).map((x) => Math.floor(x * 64))).size, `dimension ${d}`).toBe(64);
  });

  it("keeps the first two dimensions a (0, m, 2)-net under scrambling", () => {
    const points = sobolPoints({ dimensions: 2, log2Count: 8, seed: 3 });
    const [x, y] = [column(points, 0), column(points, 1)];
    for (let k = 0; k <= 8; k++)
      expect(new Set(x.map((value, i) => `${Math.floor(value * 2 ** k)},${Math.floor(y[i]! * 2 ** (8 - k))}`)).size).toBe(256);
  });

  it("has bounded defects in the projections beyond the table: no pair of neighbours fills less than 1/16 of its boxes", () => {
    const points = sobolPoints({ dimensions: 120, log2Count: 10 });
    for (let d = 22; d < 119; d++) {
      const [x, y] = [column(points, d), column(points, d + 1)];
      expect(
        new Set(x.map((value, i) => 32 * Math.floor(value * 32) + Math.floor(y[i]! * 32))).size,
        `dimensions ${d}, ${d + 1}`,
      ).toBeGreaterThanOrEqual(64);
    }
  });

  it("differs between seeds, repeats for one, and is unbiased over scrambles", () => {
    const at = (seed: number): Float64Array => sobolPoints({ dimensions: 3, log2Count: 2, seed }).data;
    expect(at(1)).toEqual(at(1));
    expect(at(1)).not.toEqual(at(2));
    let mean = 0;
    for (let seed = 0; seed < 400; seed++) mean += at(seed)[4]! / 400;
    expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / 400));
  });

  it("integrates a smooth function in 30 dimensions ten times better than plain sampling's standard error", () => {
    const { data } = sobolPoints({ dimensions: 30, log2Count: 13, seed: 1 });
    let sum = 0;
    for (let i = 0; i < 2 ** 13; i++) {
      let product = 1;
      for (let d = 0; d < 30; d++) product *= 1 + (data[i * 30 + d]! - 0.5) / (d + 1) ** 2;
      sum += product;
    }
    expect(Math.abs(sum / 2 ** 13 - 1)).toBeLessThan((0.1 * 0.3) / Math.sqrt(2 ** 13));
  });

  it("has direction numbers that follow their polynomials: m = 2a₁m₋₁ ⊕ … ⊕ 2ˢm₋ₛ ⊕ m₋ₛ, odd and below 2ᵏ", () => {
    const polynomials = primitivePolynomials(29);
    directionNumbers(30).forEach((v, d) => {
      const m = Array.from(v, (value, k) => Number(BigInt(value) >> BigInt(31 - k)));
      m.forEach((value, k) => expect([value % 2, value < 2 ** (k + 1), m[k]! * 2 ** (31 - k) === v[k]]).toEqual([1, true, true]));
      if (d === 0) return expect(m.every((value) => value === 1)).toBe(true);
      const { degree, inner } = polynomials[d - 1]!;
      for (let k = degree; k < 32; k++) {
        let next = BigInt(m[k - degree]!) ^ (BigInt(m[k - degree]!) << BigInt(degree));
        for (let i = 1; i < degree; i++) if ((inner >> (degree - 1 - i)) & 1) next ^= BigInt(m[k - i]!) << BigInt(i);
        expect(m[k]).toBe(Number(next));
      }
    });
    // Joe and Kuo, dimensions 2 to 8
    expect(
      directionNumbers(8)
        .slice(1)
        .map((v, d) => Array.from(v.subarray(0, [1, 2, 3, 3, 4, 4, 5][d]!), (value, k) => value / 2 ** (31 - k))),
    ).toEqual([[1], [1, 3], [1, 3, 1], [1, 1, 1], [1, 1, 3, 3], [1, 3, 5, 13], [1, 1, 5, 5, 17]]);
  });

  it("fills an array that it is given", () => {
    const into = new Float64Array(12);
    const made = sobolPoints({ dimensions: 3, log2Count: 2, seed: 5, into });
    expect(made.data).toBe(into);
    expect(into).toEqual(sobolPoints({ dimensions: 3, log2Count: 2, seed: 5 }).data);
    expect(() => sobolPoints({ dimensions: 3, log2Count: 2, into: new Float64Array(11) })).toThrow("into: expected 12 numbers, got 11");
  });

  it("rejects what it cannot do", () => {
    expect(() => sobolPoints({ dimensions: 1025, log2Count: 3 })).toThrow("dimensions: expected an integer from 1 to 1024");
    expect(() => sobolPoints({ dimensions: 0, log2Count: 3 })).toThrow("dimensions");
    expect(() => sobolPoints({ dimensions: 2, log2Count: 40 })).toThrow("log2Count");
    expect(directionNumbers(1024)).toHaveLength(1024);
  });
});

describe("normal points", () => {
  it("has mean 0, covariance 1 and the Gaussian's fourth moment", () => {
    const z = normalPoints({ dimensions: 5, log2Count: 12, seed: 1 });
    for (let a = 0; a < 5; a++) {
      const za = column(z, a);
      expect(Math.abs(za.reduce((sum, value) => sum + value, 0) / 4096)).toBeLessThan(1e-13);
      for (let b = 0; b <= a; b++) {
        const zb = column(z, b);
        expect(za.reduce((sum, value, i) => sum + value * zb[i]!, 0) / 4096).toBeCloseTo(a === b ? 1 : 0, 12);
      }
      expect(Math.abs(za.reduce((sum, value) => sum + value ** 4, 0) / 4096 - 3)).toBeLessThan(0.05);
    }
  });

  it("are recentred quantiles where they are too few to whiten, and not shared between seeds", () => {
    const [d, count] = [9, 8];
    const z = normalPoints({ dimensions: d, log2Count: 3, seed: 2 });
    const plain = sobolPoints({ dimensions: d, log2Count: 3, seed: 2 });
    for (let a = 0; a < d; a++) {
      const quantiles = column(plain, a).map(normalQuantile);
      const mean = quantiles.reduce((sum, value) => sum + value / count, 0);
      column(z, a).forEach((value, i) => expect(value).toBeCloseTo(quantiles[i]! - mean, 13));
    }
    expect(normalPoints({ dimensions: d, log2Count: 3, seed: 3 }).data).not.toEqual(z.data);
    // whitened, every coordinate goes up with its own quantiles: no rotation
    const white = normalPoints({ dimensions: 3, log2Count: 9, seed: 2 });
    for (let a = 0; a < 3; a++) {
      const own = column(sobolPoints({ dimensions: 3, log2Count: 9, seed: 2 }), a).map(normalQuantile);
      expect(column(white, a).reduce((sum, value, i) => sum + (value * own[i]!) / 512, 0)).toBeGreaterThan(0.98);
    }
  });
});
