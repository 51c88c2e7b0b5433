import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import type { PosteriorSample } from "../src/index.js";
import { batchError, batchMean, batchSums, thinSample } from "../src/matrix/draws.js";
import { defaultSampling } from "../src/sampling/sample.js";
import { addPrediction, finishPrediction, type PredictionSums, type SiteDraws } from "../src/site-chain/predict.js";
import { drawsForAverages, drawsForNetworks, siteSampling } from "../src/site-chain/sample.js";

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

const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);
const sampleOf = (weights: readonly number[], batches: readonly number[], extra: Partial<PosteriorSample> = {}): PosteriorSample => ({
  points: weights.map((_, k) => Float64Array.of(k)),
  weights: Float64Array.from(weights),
  batches: Int32Array.from(batches),
  batchCount: 4,
  logEvidence: 0,
  logEvidenceStandardError: 0,
  diagnostics: { method: "importance", draws: weights.length, effectiveSampleSize: 1 },
  warnings: [],
  ...extra,
});

describe("draws kept", () => {
  const raw = Array.from({ length: 40 }, (_, k) => (k === 7 ? 0 : 1 + ((k * 7) % 11)));
  const weights = raw.map((w) => w / sum(raw));
  const sample = sampleOf(weights, raw.map((_, k) => k % 4)); // prettier-ignore

  it("all that weigh anything where there is room; else by systematic resampling in the order of the batches", () => {
    const all = thinSample(sample, 39);
    expect(all.points.map((x) => x[0])).toEqual(raw.map((_, k) => k).filter((k) => k !== 7));
    expect(sum(all.weights)).toBeCloseTo(1, 12);
    const few = thinSample(sample, 20);
    const order = raw.map((_, k) => k).filter((k) => k !== 7).sort((a, b) => (a % 4) - (b % 4) || a - b); // prettier-ignore
    const expected = Array.from({ length: 20 }, (_, m) => {
      let cumulative = 0;
      return order.find((k) => (cumulative += weights[k]!) > (m + 0.5) / 20)!;
    });
    expect(few.points.map((x) => x[0])).toEqual(expected);
    expect([...few.batches]).toEqual(expected.map((k) => k % 4));
    for (const w of few.weights) expect(w).toBeCloseTo(1 / 20, 14);
  });

  it("of a quadrature the heaviest nodes but 1e-11 of the weight, one batch; of chains at most 8000, 2000 or 500", () => {
    const nodes = sampleOf([0.2, 1e-13, 0.5, 1e-13, 0.3 - 2e-13], [0, 0, 0, 0, 0], {
      batchCount: 1,
      diagnostics: { method: "quadrature", draws: 5, effectiveSampleSize: 5 },
    });
    const kept = drawsForAverages(nodes, 10);
    expect(kept.points.map((x) => x[0])).toEqual([2, 4, 0]);
    expect(sum(kept.weights)).toBeCloseTo(1, 14);
    const long = sampleOf(Array.from({ length: 9000 }, () => 1 / 9000), Array.from({ length: 9000 }, (_, k) => Math.floor(k / 2250))); // prettier-ignore
    expect([60, 61, 200, 201].map((size) => drawsForAverages(long, size).points.length)).toEqual([8000, 2000, 2000, 500]);
  });

  it("for networks: as many as the cost allows, one a batch at least; nodes of a quadrature get batches", () => {
    const count = (size: number, cost: number): number => drawsForNetworks(sample, size, cost).points.length;
    expect([count(60, 1), count(61, 1), count(200, 1), count(201, 1), count(10, 2e8), count(10, 1e12)]).toEqual([
      6400, 1600, 1600, 640, 100, 32,
    ]);
    const drawn = drawsForNetworks(sample, 10, 2e8);
    const share = (k: number): number => drawn.points.filter((x) => x[0] === k).length / 100;
    weights.forEach((w, k) => expect(Math.abs(share(k) - w)).toBeLessThan(0.0101));
    expect([...drawn.batches]).toEqual(drawn.points.map((x) => x[0]! % 4));
    expect(sum(drawn.weights)).toBeCloseTo(1, 12);
    const one = drawsForNetworks({ ...sample, batchCount: 1, batches: new Int32Array(40) }, 10, 2e8);
    expect([...one.batches]).toEqual(Array.from({ length: 100 }, (_, k) => k % 32));
    expect(one.batchCount).toBe(32);
  });

  it("how much to draw: less for large systems, what was asked for always", () => {
    expect(defaultSampling).toEqual({ draws: 40_000, chains: 4, chainDraws: 500, warmup: 250 });
    expect(siteSampling(60, {})).toEqual({ ...defaultSampling, importanceLimit: 20 });
    expect(siteSampling(61, {})).toEqual(defaultSampling);
    expect(siteSampling(200, {})).toEqual(defaultSampling);
    expect(siteSampling(201, {})).toEqual({ draws: 16_000, chains: 4, chainDraws: 200, warmup: 100 });
    expect(siteSampling(300, { draws: 7, warmup: 3 })).toEqual({ draws: 7, chains: 4, chainDraws: 200, warmup: 3 });
  });

  it("means of batches and their error; none from a single batch", () => {
    const sums = batchSums(4, 2);
    const values = raw.map((_, k) => [Math.sin(k), Math.cos(k * k)]);
    raw.forEach((w, k) => {
      sums.weights[k % 3]! += w; // the fourth batch stays empty
      values[k]!.forEach((value, i) => (sums.sums[(k % 3) * 2 + i]! += w * value));
    });
    const total = sum(raw);
    const mean = [0, 1].map((i) => sum(raw.map((w, k) => (w * values[k]![i]!) / total)));
    expectClose(batchMean(sums), mean, { relative: 1e-12 });
    const error = [0, 1].map((i) =>
      Math.sqrt(
        (3 / 2) * sum([0, 1, 2].map((b) => sum(raw.map((w, k) => (k % 3 === b ? (w * (values[k]![i]! - mean[i]!)) / total : 0))) ** 2)),
      ),
    );
    expectClose(batchError(sums, Float64Array.from(mean)), error, { relative: 1e-12 });
    const single = { ...sums, weights: Float64Array.of(0, 5, 0, 0) };
    expect([...batchError(single, Float64Array.from(mean))]).toEqual([0, 0]);
  });
});
