import { stream } from "@finitewidth/random";
import { expect, it } from "vitest";
import { addPrediction, finishPrediction, type PredictionSums, type SiteDraws } from "../src/site-chain/predict.js";

const [points, outputs, batchCount] = [3, 2, 30];
const size = points * outputs;

/** Weighted draws of means and variances, the first far from the others: sums are about it, so that what belongs to a shift shows. */
function drawn(seed: number, count = 240) {
  const random = stream(seed, 0);
  const draws = Array.from({ length: count }, (_, k) => {
    const mean = Float64Array.from({ length: size }, (_, i) => i - 2 + (1 + 0.3 * i) * (k === 0 ? 3 : random.normal()));
    return { mean, variance: Float64Array.from({ length: size }, () => 0.5 + random.uniform()), weight: 0.5 + random.uniform() };
  });
  const sample: SiteDraws = {
    points: draws.map(() => new Float64Array(0)),
    weights: Float64Array.from(draws, ({ weight }) => weight),
    batches: Int32Array.from(draws, (_, k) => k % batchCount),
    batchCount,
  };
  return { draws, sample };
}

function predicted(seed: number) {
  const { draws, sample } = drawn(seed);
  let sums: PredictionSums | undefined;
  draws.forEach(({ mean, variance }, k) => (sums = addPrediction(sums, sample, k, mean, variance)));
  return { draws, prediction: finishPrediction(sums!, points, outputs) };
}

/** Law of total variance over some of the draws, entry by entry, the naive way. */
function totals(draws: ReturnType<typeof drawn>["draws"], keep: (k: number) => boolean) {
  const kept = draws.filter((_, k) => keep(k));
  const weight = kept.reduce((sum, draw) => sum + draw.weight, 0);
  const average = (of: (draw: (typeof kept)[number]) => number): number =>
    kept.reduce((sum, draw) => sum + draw.weight * of(draw), 0) / weight;
  return Array.from({ length: size }, (_, i) => {
    const mean = average((draw) => draw.mean[i]!);
    return { mean, variance: average((draw) => draw.variance[i]! + (draw.mean[i]! - mean) ** 2) };
  });
}

it("mean and variance by the law of total variance, whatever they are summed about", () => {
  const { draws, prediction } = predicted(1);
  totals(draws, () => true).forEach(({ mean, variance }, i) => {
    expect(prediction.mean.data[i]).toBeCloseTo(mean, 12);
    expect(prediction.variance.data[i]).toBeCloseTo(variance, 12);
  });
});

it("standard errors are those of the jackknife over batches", () => {
  for (const seed of [1, 2, 3]) {
    const { draws, prediction } = predicted(seed);
    const without = Array.from({ length: batchCount }, (_, b) => totals(draws, (k) => k % batchCount !== b));
    for (const which of ["mean", "variance"] as const) {
      for (let i = 0; i < size; i++) {
        const values = without.map((entries) => entries[i]![which]);
        const middle = values.reduce((sum, value) => sum + value, 0) / batchCount;
        const jackknife = Math.sqrt(((batchCount - 1) / batchCount) * values.reduce((sum, value) => sum + (value - middle) ** 2, 0));
        // linear propagation and jackknife differ by the weight of one batch
        expect(prediction.standardError![which].data[i]! / jackknife, `${which} ${i}`).toBeCloseTo(1, 1);
      }
    }
  }
});
