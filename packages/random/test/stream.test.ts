import { describe, expect, it } from "vitest";
import { stream } from "../src/index.js";

const draws = 1_000_000;

/** |sample mean of x^k − exact| in standard errors, for powers 1 … 6. */
function momentScores(sample: () => number, exact: (power: number) => number): number[] {
  const sums = new Float64Array(13);
  for (let i = 0; i < draws; i++) {
    const x = sample();
    for (let k = 1, power = x; k <= 6; k++, power *= x) sums[k]! += power;
  }
  return [1, 2, 3, 4, 5, 6].map((k) => Math.abs(sums[k]! / draws - exact(k)) / Math.sqrt((exact(2 * k) - exact(k) ** 2) / draws));
}
const gammaMoment = (shape: number) => (k: number) => Array.from({ length: k }, (_, i) => shape + i).reduce((product, factor) => product * factor, 1);
const normalMoment = (k: number): number => (k % 2 ? 0 : gammaMoment(0.5)(k / 2) * 2 ** (k / 2));

describe("stream", () => {
  it("is reproducible and addressed by seed and indices", () => {
    const take = (...address: [number, ...number[]]): number[] => {
      const random = stream(...address);
      return [random.uniform(), random.normal(), random.gamma(0.3)];
    };
    expect(take(1, 2, 3)).toEqual(take(1, 2, 3));
    const addresses: [number, ...number[]][] = [[1], [2], [1, 0], [1, 1], [0, 1], [1, 0, 0], [2 ** 40], [2 ** 41]];
    expect(new Set(addresses.map((address) => take(...address)[0])).size).toBe(addresses.length);
  });

  it("refuses addresses that are not integers", () => {
    expect(() => stream(1.5)).toThrow("seed: expected an integer ≥ 0, got 1.5");
    expect(() => stream(1, -1)).toThrow("index 1: expected an integer ≥ 0, got -1");
  });

  it("neighbouring streams are uncorrelated", () => {
    let product = 0;
    for (let i = 0; i < 20_000; i++) product += stream(7, i).normal() * stream(7, i + 1).normal();
    expect(Math.abs(product) / Math.sqrt(20_000)).toBeLessThan(4);
  });

  it("uniform, normal and gamma variates have the right first six moments", () => {
    const random = stream(3);
    expect(Math.max(...momentScores(random.uniform, (k) => 1 / (k + 1)))).toBeLessThan(4);
    expect(Math.max(...momentScores(random.normal, normalMoment))).toBeLessThan(4);
    for (const shape of [0.3, 1, 4.5]) expect(Math.max(...momentScores(() => random.gamma(shape), gammaMoment(shape)))).toBeLessThan(4);
  });

  it("a generator with a slightly wrong fourth moment would be caught", () => {
    const random = stream(4);
    // The sum of 12 uniforms, a popular substitute: kurtosis 2.9 instead of 3.
    const substitute = (): number => Array.from({ length: 12 }, random.uniform).reduce((sum, u) => sum + u - 0.5, 0);
    expect(Math.max(...momentScores(substitute, normalMoment))).toBeGreaterThan(6);
  });
});
