import { describe, expect, it } from "vitest";
import { criticalScore, judge, smallestCaught, studentScore, tailProbability, type Comparison } from "../src/judge.js";

const of = (factor: number, claimed: number[], value: number[], standardError: number[], more: object = {}): Comparison => ({
  factor,
  claimed: Float64Array.from(claimed),
  sampled: { value: Float64Array.from(value), standardError: Float64Array.from(standardError), effectiveSamples: 100, ...more },
});
const threshold = criticalScore(10_000);

describe("claims without an order", () => {
  it("are judged by their worst entry, the claim's own error and that of the samples added in squares", () => {
    const first = of(1, [1, -2, 3], [1.1, -2.3, 2.8], [0.1, 0.2, 0.05]);
    // distances 0.1, 0.3, 0.2 of errors 0.1, √(0.2² + 0.15²) = 0.25, √(0.05² + 0.12²) = 0.13
    const verdict = judge("exact", [{ ...first, claimedError: Float64Array.of(0, 0.15, 0.12) }, of(2, [9], [0], [1])], threshold);
    expect(verdict.score).toBeCloseTo(0.2 / 0.13, 12);
    expect(verdict).toMatchObject({ agrees: true, worst: 2 });
    expect(verdict).not.toHaveProperty("slope");
    expect(judge("exact", [of(1, [5, 7], [5, 7], [1, 1])], threshold)).toEqual({ agrees: true, score: 0, worst: 0 });
  });

  it("with errors from chunks have scores in units of the normal law: the threshold is passed where Student's t is", () => {
    const own = [of(1, [0, 0], [0.7, -3], [1, 0.75], { degreesOfFreedom: 39 })];
    const { score, worst } = judge("exact", own, threshold);
    expect(worst).toBe(1);
    expect(score).toBeCloseTo((4 * threshold) / studentScore(threshold, 39), 12);
  });

  it("may be off by a part of the largest number, whatever its sign, before noise is asked", () => {
    const relative = (claimed: number[]) => judge({ relative: 0.05 }, [of(1, claimed, [-10, 1], [0.1, 0.1])], threshold);
    expect(relative([-10.5, 1.5])).toMatchObject({ agrees: true });
    expect(relative([-10.4, 0.3]).score).toBeCloseTo(2, 10);
    expect(relative([-10.4, 0.3]).worst).toBe(1);
    expect(relative([-9, 1]).score).toBeCloseTo(5, 10);
  });

  it("of numbers that are sampled without noise may be off by their rounding, negative ones too", () => {
    for (const sign of [1, -1]) {
      const z = (off: number) => judge("exact", [of(1, [sign * 8 * (1 + off)], [sign * 8], [0])], threshold);
      expect(z(1e-12).score).toBeCloseTo(1, 3);
      expect(z(6e-12).agrees).toBe(false);
    }
    expect(judge("exact", [of(1, [0], [0], [0])], threshold).agrees).toBe(true);
    expect(judge("exact", [of(1, [1e-9], [0], [0])], threshold).agrees).toBe(false);
  });
});

describe("claims with an order", () => {
  /** Residuals of three entries that fall as N^−power, one of them negative, another without noise of its own. */
  const falling = (power: number, factors: readonly number[], noise: number): Comparison[] =>
    factors.map((factor) => {
      const size = factor ** -power;
      return {
        ...of(factor, [1 + 0.3 * size, 2 - 0.5 * size, -4 + 0.1 * size], [1, 2, -4], [noise, 2 * noise, 0.5 * noise]),
        claimedError: Float64Array.of(0, 0, noise),
      };
    });

  /** Weighted least squares of ½ log(|r|² − Σs²) against log N, as its formula has it. */
  function regression(comparisons: readonly Comparison[]) {
    const points = comparisons.map(({ factor, claimed, claimedError, sampled }) => {
      const s = sampled.standardError.map((own, i) => Math.hypot(own, claimedError![i]!));
      const r = claimed.map((value, i) => value - sampled.value[i]!);
      const square = r.reduce((sum, value, i) => sum + value ** 2 - s[i]! ** 2, 0);
      // Var r² = 4 μ² s² + 2 s⁴ with μ² estimated by r² − s²
      const variance = r.reduce((sum, value, i) => sum + 4 * Math.max(value ** 2 - s[i]! ** 2, 0) * s[i]! ** 2 + 2 * s[i]! ** 4, 0);
      return {
        x: Math.log(factor),
        y: Math.log(square) / 2,
        error: Math.hypot(Math.sqrt(variance) / (2 * square), 0.05),
        square,
        variance,
      };
    });
    const kept = points.filter(({ square, variance }) => square > 4 * Math.sqrt(variance));
    const weights = kept.map(({ error }) => error ** -2);
    const total = weights.reduce((a, b) => a + b, 0);
    const mean = (values: readonly number[]): number => values.reduce((sum, value, k) => sum + weights[k]! * value, 0) / total;
    const [x, y] = [kept.map((point) => point.x), kept.map((point) => point.y)];
    const spread = mean(x.map((value) => (value - mean(x)) ** 2));
    const slope = -mean(x.map((value, k) => (value - mean(x)) * (y[k]! - mean(y)))) / spread;
    return { kept: kept.length, slope, standardError: 1 / Math.sqrt(total * spread) };
  }

  it.each([
    [1, 0.004],
    [1.4, 0.003],
    [2, 0.006],
    [0.5, 0.02],
  ])("have the slope of a weighted regression with its error, unresolved widths left out: N^−%d at noise %d", (power, noise) => {
    const comparisons = falling(power, [1, 2, 4, 8, 16], noise).map((one, k) => ({
      ...one,
      claimed: one.claimed.map((value, i) => value + noise * Math.sin(1 + k + 3 * i)),
    }));
    const own = regression(comparisons);
    expect(own.kept).toBeGreaterThanOrEqual(2);
    const verdict = judge({ order: 2 }, comparisons, threshold);
    expect(verdict.slope!.value).toBeCloseTo(own.slope, 10);
    expect(verdict.slope!.standardError).toBeCloseTo(own.standardError, 10);
    expect(verdict.score).toBeCloseTo(Math.max(0, 2 - 0.35 - own.slope) / own.standardError, 8);
    if (power === 2) expect(own.kept).toBeLessThan(5);
  });

  it("shows the entry that is farthest off in standard errors at the smallest width", () => {
    const own = [1, 2, 4].map((factor) => of(factor, [1 + 0.3 / factor, 2 - 0.2 / factor], [1, 2], [1e-2, 1e-3]));
    expect(judge({ order: 1 }, own, threshold).worst).toBe(1);
  });

  it("at one width alone, are judged like exact ones", () => {
    expect(judge({ order: 1 }, [of(1, [1.4, 5], [1, 5], [0.1, 1])], threshold).score).toBeCloseTo(4, 10);
  });

  it("where no slope is resolved: no entry at the largest width beyond what the order leaves of the largest at the smallest", () => {
    const smallest = of(2, [0.4, -0.6, 0.1], [0, 0, 0], [0.2, 0.3, 0.4]);
    const largest = of(6, [0.5, 0.2, -0.9], [0, 0, 0], [0.1, 0.3, 0.12], { degreesOfFreedom: 39 });
    const fall = (2 / 6) ** (1 - 0.35);
    const noise = fall * 0.3;
    const z = [0.5, 0.2, 0.9].map((r, i) => Math.max(0, r - fall * 0.6) / Math.hypot([0.1, 0.3, 0.12][i]!, noise));
    const verdict = judge({ order: 1 }, [smallest, of(4, [9, 9, 9], [9, 9, 9], [1, 1, 1]), largest], threshold);
    expect(verdict.score).toBeCloseTo((Math.max(...z) * threshold) / studentScore(threshold, 39), 10);
    expect(verdict).toMatchObject({ worst: 2, agrees: true });
    expect(verdict).not.toHaveProperty("slope");
  });
});

describe("what agreement is worth", () => {
  it("is the smallest error of both signs that is caught, within a tenth", () => {
    // numbers 4 and −2 of errors 0.1 and 0.01: −2 is the sharper one, 0.01 · threshold / 2
    const caught = smallestCaught("exact", [of(1, [4, -2], [4, -2], [0.1, 0.01])], threshold)!;
    expect(caught).toBeGreaterThanOrEqual((0.01 * threshold) / 2);
    expect(caught).toBeLessThan((1.1 * 0.01 * threshold) / 2);
    expect(smallestCaught("exact", [of(1, [1], [1], [1e-9])], threshold)!).toBeLessThan(1.1e-6);
    expect(smallestCaught("exact", [of(1, [1], [1], [10])], threshold)).toBeUndefined();
  });

  it("tails are of both sides", () => {
    expect(tailProbability(1.959963984540054)).toBeCloseTo(0.05, 12);
    expect(tailProbability(-1.959963984540054)).toBeCloseTo(0.05, 12);
    expect(criticalScore(0)).toBe(criticalScore(1));
    // 1 − (1 − p)^1000 = 0.01 for both tails together
    expect((1 - tailProbability(criticalScore(1000))) ** 1000).toBeCloseTo(0.99, 10);
  });
});
