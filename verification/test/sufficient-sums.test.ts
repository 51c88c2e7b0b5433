import type { TermAverages } from "@finitewidth/core";
import { expect, it } from "vitest";
import { combineSums, estimate, type SufficientSums } from "../src/sufficient-sums.js";

it("weights count the same however the chunks are scaled: evidence, averages, effective draws", () => {
  const weights = [
    [0.5, 2],
    [3, 0.1],
    [1, 1.5],
  ];
  const chunk = (own: readonly number[], logScale: number): SufficientSums => {
    const scaled = own.map((weight) => weight * Math.exp(-logScale));
    return {
      samples: own.length,
      logScale,
      weight: scaled.reduce((sum, weight) => sum + weight, 0),
      weightSquared: scaled.reduce((sum, weight) => sum + weight * weight, 0),
      sums: { x: Float64Array.of(scaled.reduce((sum, weight, i) => sum + weight * i, 0)) },
    };
  };
  const chunks = weights.map((own, c) => chunk(own, [0, 4, -3][c]!));
  const all = weights.flat();
  const total = all.reduce((sum, weight) => sum + weight, 0);
  const { effectiveSamples, value } = estimate(
    chunks,
    { name: "x", of: "posterior", label: "x", terms: () => ({}), value: (averages) => averages.of("x") },
    1,
  );
  expect(effectiveSamples).toBeCloseTo(total ** 2 / all.reduce((sum, weight) => sum + weight * weight, 0), 12);
  expect(value[0]).toBeCloseTo((2 + 0.1 + 1.5) / total, 12);
  const { samples, logScale, weight } = combineSums(chunks);
  expect(samples).toBe(6);
  expect(logScale + Math.log(weight)).toBeCloseTo(Math.log(total), 12);
});

it("the error is that of the jackknife over chunks of unequal weight, of functions of several averages", () => {
  const chunks = Array.from({ length: 6 }, (_, c): SufficientSums => {
    const logScale = Math.sin(c);
    const weight = 1 + 0.3 * Math.cos(3 * c);
    return {
      samples: 10,
      logScale,
      weight,
      weightSquared: 0.5 * weight,
      sums: { x: Float64Array.of(weight * (2 + Math.sin(5 * c)), weight), y: Float64Array.of(weight * Math.cos(7 * c)) },
    };
  });
  const observable = {
    name: "ratio",
    of: "posterior",
    label: "ratio",
    terms: () => ({}),
    value: ({ of, logMeanWeight }: TermAverages, points: number, layer: number) =>
      Float64Array.of(of("x")[0]! ** 2 - of("y")[0]!, logMeanWeight, of("x")[1]!, 100 * points + layer),
  } as const;
  const { value, standardError, degreesOfFreedom } = estimate(chunks, observable, 4, 2);
  const without = chunks.map((_, c) => {
    const rest = chunks.filter((__, k) => k !== c);
    const sum = (of: (one: SufficientSums) => number): number => rest.reduce((total, one) => total + Math.exp(one.logScale) * of(one), 0);
    const weight = sum((one) => one.weight);
    const [x, y] = [sum((one) => one.sums["x"]![0]!) / weight, sum((one) => one.sums["y"]![0]!) / weight];
    return [x ** 2 - y, Math.log(weight / 50), 1, 402];
  });
  [0, 1, 2, 3].forEach((i) => {
    const mean = without.reduce((sum, one) => sum + one[i]!, 0) / 6;
    const squares = without.reduce((sum, one) => sum + (one[i]! - mean) ** 2, 0);
    expect(standardError[i]).toBeCloseTo(Math.sqrt((5 / 6) * squares), 10);
  });
  expect([value[2], value[3], degreesOfFreedom]).toEqual([1, 402, 5]);
  const unknown = { ...observable, value: ({ of }: TermAverages) => of("z") };
  expect(() => estimate(chunks, unknown, 4)).toThrow('the term "z" was not sampled');
});
