import { describe, expect, test } from "vitest";
import { chiSquared, stream, wishartFactor } from "../src/index.js";

/** z-scores of E W_ij = ν δ_ij, E W_ij² = ν(1 + δ_ij + ν δ_ij) and E tr W² = d ν(ν + d + 1), standard errors from the sample. */
function scores(dimension: number, claimed: number, sampled: number, samples: number, seed: number): number[] {
  const random = stream(seed);
  const entries = dimension * dimension;
  const sums = new Float64Array(2 * entries + 1);
  const squares = new Float64Array(2 * entries + 1);
  const record = (k: number, value: number): void => {
    sums[k]! += value;
    squares[k]! += value * value;
  };
  for (let s = 0; s < samples; s++) {
    const { data, shape } = wishartFactor(random, dimension, sampled);
    let total = 0;
    for (let i = 0; i < dimension; i++) {
      for (let j = 0; j < dimension; j++) {
        let w = 0;
        for (let k = 0; k < shape[1]; k++) w += data[i * shape[1] + k]! * data[j * shape[1] + k]!;
        record(i * dimension + j, w);
        record(entries + i * dimension + j, w * w);
        total += w * w;
      }
    }
    record(2 * entries, total);
  }
  const expected = Array.from({ length: 2 * entries + 1 }, (_, k) => {
    if (k === 2 * entries) return dimension * claimed * (claimed + dimension + 1);
    const delta = Math.floor((k % entries) / dimension) === k % dimension ? 1 : 0;
    return k < entries ? claimed * delta : claimed * (1 + delta + claimed * delta);
  });
  return expected.map((value, k) => {
    const mean = sums[k]! / samples;
    return (mean - value) / Math.sqrt((squares[k]! / samples - mean * mean) / samples);
  });
}
const worst = (values: readonly number[]): number => Math.max(...values.map(Math.abs));

describe("Wishart", () => {
  test.each([
    [1, 1],
    [3, 7],
    [3, 3],
    [3, 2.5],
    [4, 2],
    [5, 1],
  ])("dimension %d, %d degrees of freedom", (dimension, degrees) => {
    expect(worst(scores(dimension, degrees, degrees, 40_000, 100 * dimension + degrees * 2))).toBeLessThan(5);
  });

  test("the check catches one degree of freedom too few", () => {
    expect(worst(scores(3, 7, 6, 40_000, 1))).toBeGreaterThan(5);
    expect(worst(scores(4, 3, 2, 40_000, 2))).toBeGreaterThan(5);
  });

  test("fewer degrees of freedom than the dimension give a factor of that rank", () => {
    const factor = wishartFactor(stream(1), 4, 2);
    expect(factor.shape).toEqual([4, 2]);
    expect(factor.data[1]).toBe(0);
  });

  test("refuses what is not a Wishart law", () => {
    expect(() => wishartFactor(stream(1), 3, 1.5)).toThrow(/degreesOfFreedom/);
    expect(() => wishartFactor(stream(1), 3, 0)).toThrow(/degreesOfFreedom/);
  });

  test("chi-squared: mean ν, variance 2ν", () => {
    const random = stream(4);
    const n = 400_000;
    const x = Float64Array.from({ length: n }, () => chiSquared(random, 3));
    const mean = x.reduce((a, b) => a + b) / n;
    const variance = x.reduce((a, b) => a + (b - 3) ** 2, 0) / n;
    expect(Math.abs(mean - 3) / Math.sqrt(6 / n)).toBeLessThan(5);
    // fourth central moment 12ν(ν + 4)
    expect(Math.abs(variance - 6) / Math.sqrt((12 * 3 * 7 - 36) / n)).toBeLessThan(5);
  });
});
