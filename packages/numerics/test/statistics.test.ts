import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { stream } from "@finitewidth/random";
import {
  addToMoments,
  bulkEss,
  diagnoseChains,
  emptyMoments,
  fitPareto,
  meanEss,
  meanStandardError,
  mergeMoments,
  momentStandardError,
  momentVariance,
  paretoSmoothedWeights,
  rHat,
  tailEss,
  varianceStandardError,
} from "../src/index.js";
import { expectClose } from "../../../tools/testing.ts";

const golden = <T>(name: string): Record<string, T> =>
  JSON.parse(readFileSync(new URL(`goldens/${name}.json`, import.meta.url), "utf8")) as Record<string, T>;

describe("chain diagnostics against the R package posterior", () => {
  const cases = golden<{ chains: number[][]; expected: Record<string, number> }>("chain-diagnostics");
  test.each(Object.keys(cases))("%s", (name) => {
    const { chains: rows, expected } = cases[name]!;
    const chains = rows.map((row) => Float64Array.from(row));
    const actual = {
      rHat: rHat(chains),
      bulkEss: bulkEss(chains),
      tailEss: tailEss(chains),
      meanEss: meanEss(chains),
      meanStandardError: meanStandardError(chains),
      varianceStandardError: varianceStandardError(chains),
    };
    for (const [key, value] of Object.entries(actual)) expectClose(value, expected[key]!, { relative: 1e-10 }, key);
    const draws = rows.flat();
    const mean = draws.reduce((sum, x) => sum + x / draws.length, 0);
    const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (draws.length - 1);
    const all = diagnoseChains(chains);
    expectClose([all.mean, all.variance], [mean, variance], { relative: 1e-11, absolute: 1e-12 });
    expect(all).toEqual({
      mean: all.mean,
      variance: all.variance,
      rHat: actual.rHat,
      bulkEss: actual.bulkEss,
      tailEss: actual.tailEss,
      standardError: { mean: actual.meanStandardError, variance: actual.varianceStandardError },
    });
  });
});

describe("degenerate chains", () => {
  const constant = (value: number): Float64Array => new Float64Array(50).fill(value);
  test("constant draws count as independent ones of no error", () => {
    const all = diagnoseChains([constant(2), constant(2)]);
    expect(all).toEqual({ rHat: 1, bulkEss: 100, tailEss: 100, mean: 2, variance: 0, standardError: { mean: 0, variance: 0 } });
  });
  test("chains stuck at different values have an infinite R-hat and next to no effective draws", () => {
    expect(rHat([constant(1), constant(2)])).toBe(Infinity);
    expect(bulkEss([constant(1), constant(2)])).toBeLessThan(5);
  });
  test("NaN, ragged and short chains are refused", () => {
    expect(() => rHat([Float64Array.of(1, 2, Number.NaN, 3)])).toThrow(/chains\[0\]\[2\]: expected a finite number, got NaN/);
    expect(() => rHat([])).toThrow("chains: expected at least one chain");
    expect(() => bulkEss([constant(1), new Float64Array(49)])).toThrow(/chains\[1\]/);
    expect(() => tailEss([Float64Array.of(1, 2, 3)])).toThrow(/at least 4 draws/);
  });
});

describe("standard errors are honest", () => {
  test("z-scores of the mean and variance of an autoregression have unit variance", () => {
    const random = stream(5);
    const repeats = 300;
    let [means, variances] = [0, 0];
    for (let r = 0; r < repeats; r++) {
      const chains = Array.from({ length: 2 }, () => {
        let x = random.normal();
        return Float64Array.from({ length: 400 }, () => (x = 0.7 * x + Math.sqrt(0.51) * random.normal()));
      });
      const { mean, variance, standardError } = diagnoseChains(chains);
      means += (mean / standardError.mean) ** 2;
      variances += ((variance - 1) / standardError.variance) ** 2;
    }
    // χ² of 300: standard deviation of the average 0.08; the estimated error adds a few percent
    expect(means / repeats).toBeGreaterThan(0.7);
    expect(means / repeats).toBeLessThan(1.4);
    expect(variances / repeats).toBeGreaterThan(0.7);
    expect(variances / repeats).toBeLessThan(1.45);
  });
});

describe("Pareto smoothing against the R package loo", () => {
  const cases = golden<{ logWeights: number[]; expected: { paretoShape: number; weights: number[] } }>("pareto");
  test.each(Object.keys(cases))("%s", (name) => {
    const { logWeights, expected } = cases[name]!;
    const { weights, paretoShape, effectiveSampleSize } = paretoSmoothedWeights(Float64Array.from(logWeights));
    expectClose(paretoShape, expected.paretoShape, { relative: 1e-9 }, "shape");
    expectClose(weights, expected.weights, { relative: 1e-9 }, "weights");
    expectClose(effectiveSampleSize, 1 / expected.weights.reduce((sum, w) => sum + w * w, 0), { relative: 1e-9 });
  });
  test("equal weights, few weights, weights of zero", () => {
    const equal = paretoSmoothedWeights(new Float64Array(100).fill(-1e4));
    expect(equal.paretoShape).toBe(-Infinity);
    expectClose(equal.effectiveSampleSize, 100, { relative: 1e-12 });
    expect(paretoSmoothedWeights(Float64Array.of(0, 1, 2)).paretoShape).toBe(Infinity);
    const half = paretoSmoothedWeights(Float64Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? -Infinity : 0.01 * i)));
    expect(half.weights[0]).toBe(0);
    expect(Number.isFinite(half.effectiveSampleSize)).toBe(true);
    expect(() => paretoSmoothedWeights(Float64Array.of(0, Number.NaN))).toThrow(/logWeights\[1\]/);
    expect(() => paretoSmoothedWeights(Float64Array.of(-Infinity, -Infinity))).toThrow(/at least one weight above 0/);
  });
  test("recovers the shape of a Pareto law", () => {
    const random = stream(6);
    const sorted = Float64Array.from({ length: 4000 }, () => (2 * Math.expm1(-0.4 * Math.log1p(-random.uniform()))) / 0.4).sort();
    const { shape, scale } = fitPareto(sorted);
    // asymptotic standard error (1 + k)/√n
    expect(Math.abs(shape - 0.4)).toBeLessThan((4 * 1.4) / Math.sqrt(4000));
    expect(Math.abs(scale - 2)).toBeLessThan((4 * 2 * Math.sqrt(2.8)) / Math.sqrt(4000));
  });
});

describe("running moments", () => {
  const random = stream(7);
  const rows = Array.from({ length: 101 }, () => Float64Array.of(1e8 + random.normal(), random.gamma(0.5)));
  test("agree with two passes, without cancellation, and merge", () => {
    const [a, b] = [emptyMoments(2), emptyMoments(2)];
    rows.forEach((row, i) => addToMoments(i < 37 ? a : b, row));
    const merged = mergeMoments(a, b);
    for (const j of [0, 1]) {
      const shift = rows[0]![j]!;
      const mean = rows.reduce((sum, row) => sum + (row[j]! - shift), 0) / 101;
      const variance = rows.reduce((sum, row) => sum + (row[j]! - shift - mean) ** 2, 0) / 100;
      expectClose(merged.mean[j]! - shift, mean, { absolute: 1e-7, relative: 1e-12 });
      expectClose(momentVariance(merged)[j]!, variance, { relative: 1e-6 });
      expectClose(momentStandardError(merged)[j]!, Math.sqrt(variance / 101), { relative: 1e-6 });
    }
    expect(mergeMoments(merged, emptyMoments(2))).toEqual(merged);
    expect(mergeMoments(emptyMoments(2), merged)).toEqual(merged);
    expect(mergeMoments(emptyMoments(2), emptyMoments(2))).toEqual(emptyMoments(2));
    expect(() => addToMoments(a, [1])).toThrow(/2 numbers/);
    expect(() => mergeMoments(a, emptyMoments(3))).toThrow("b: expected 2 numbers, got 3");
  });
});
