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
