import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { mergeBatches, predictionOf, singleBatch } from "../src/posterior/batch-means.js";

const [count, size] = [12, 6];
const random = stream(5, 0);
/** Means and second moments of batches: m_b around `at`, s_b around m_b² + 1, both correlated. */
const batches = Array.from({ length: count }, () => {
  const mean = Array.from({ length: size }, (_, i) => [0, 1, -2, 0.3, 5, -0.7][i]! + 0.4 * random.normal());
  return { mean, second: mean.map((m) => m * m + 1 + 0.2 * random.normal()) };
});
const predict = (shift = 0) =>
  predictionOf(
    batches
      .map(({ mean, second }) =>
        singleBatch(
          Float64Array.from(mean, (m) => m + shift),
          Float64Array.from(second, (s, i) => s + 2 * shift * mean[i]! + shift * shift),
        ),
      )
      .reduce(mergeBatches),
    2,
  );
/** Standard error of the mean of one number per batch. */
const errorOf = (values: readonly number[]): number => {
  const mean = values.reduce((sum, value) => sum + value) / count;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (count * (count - 1)));
};
const close = (got: ArrayLike<number>, expected: readonly number[]) => {
  expect(got.length).toBe(expected.length);
  expected.forEach((value, i) => expect(got[i], `entry ${i}`).toBeCloseTo(value, 11));
};

describe("errors of averages over batches", () => {
  it("are those of the batches: m_b for the mean, s_b − 2 m̄ m_b for the variance", () => {
    const { mean, variance, standardError } = predict();
    const entries = Array.from({ length: size }, (_, i) => {
      const m = batches.map((batch) => batch.mean[i]!);
      const s = batches.map((batch) => batch.second[i]!);
      const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value) / count;
      const influence = s.map((value, b) => value - 2 * average(m) * m[b]!);
      return [average(m), average(s) - average(m) ** 2, errorOf(m), errorOf(influence)] as const;
    });
    close(
      mean.data,
      entries.map(([value]) => value),
    );
    close(
      variance.data,
      entries.map(([, value]) => value),
    );
    close(
      standardError!.mean!.data,
      entries.map(([, , value]) => value),
    );
    close(
      standardError!.variance!.data,
      entries.map(([, , , value]) => value),
    );
  });

  it("of the variance know nothing of where the origin is", () => {
    const [here, there] = [predict(), predict(3)];
    close(there.variance.data, [...here.variance.data]);
    close(there.standardError!.variance!.data, [...here.standardError!.variance!.data]);
    close(there.standardError!.mean!.data, [...here.standardError!.mean!.data]);
  });
});
