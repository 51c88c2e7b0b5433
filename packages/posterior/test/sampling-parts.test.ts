import { createRegistry, inlineRun, type Run } from "@finitewidth/core";
import { bulkEss, rHat } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { gaussianOf, importanceTask, joinChains, samplePosterior, type PosteriorTarget } from "../src/index.js";
import { bridgePath, ratiosAt } from "../src/sampling/bridge.js";
import { drawPlans, importanceSummary, logAdd, weightedDraws, type WeightedDraws } from "../src/sampling/importance.js";
import { shrunkGaussian, type ChainRun } from "../src/sampling/markov.js";
import type { SamplingOptions } from "../src/sampling/sample.js";
import { inverseFactor, unwhiten, whiten } from "../src/sampling/whitened.js";
import { bridgeTask, ratiosTask, type SamplingSource } from "../src/sampling/work.js";

const random = stream(31);
const normals = (n: number): Float64Array => random.normals(new Float64Array(n));
const sum = (values: Iterable<number>): number => [...values].reduce((a, b) => a + b, 0);

/** Centre and S = U diag(scale), U a rotation. */
const frame = (() => {
  const [c, s] = [Math.cos(0.4), Math.sin(0.4)];
  return { mode: Float64Array.of(0.3, -1.2), factor: Float64Array.of(c * 2, -s * 0.5, s * 2, c * 0.5), logDeterminant: 0 };
})();

describe("importance draws", () => {
  it("weights, evidence, its error and spread, effective size and largest weight by hand", () => {
    const batch = (k: number): number => Math.floor(k / 3);
    const logs = Float64Array.from({ length: 192 }, (_, k) => Math.sin(k) - (k % 2 === 0 ? 0 : 700) + 500);
    const part = (from: number, to: number): WeightedDraws => ({
      points: Float64Array.from({ length: 2 * (to - from) }, (_, i) => 2 * from + i),
      logWeights: logs.slice(from, to),
      batches: Int32Array.from({ length: to - from }, (_, k) => batch(from + k)),
    });
    const sample = importanceSummary(2, [part(0, 60), part(60, 192)]);
    expect(sample.points.map((x) => [...x])).toEqual(Array.from({ length: 192 }, (_, k) => [2 * k, 2 * k + 1]));
    const weights = Array.from(logs, (value) => Math.exp(value - 500));
    const total = sum(weights);
    expectClose(
      sample.weights,
      weights.map((w) => w / total),
      { relative: 1e-12, absolute: 1e-300 },
    );
    expect(sample.logEvidence).toBeCloseTo(500 + Math.log(total / 192), 10);
    const byBatch = Array.from({ length: 64 }, (_, b) => sum(weights.filter((__, k) => batch(k) === b)));
    const variance = sum(byBatch.map((w) => (w - total / 64) ** 2)) / 63;
    expect(sample.logEvidenceStandardError).toBeCloseTo(Math.sqrt(64 * variance) / total, 12);
    const half = (odd: number): number => sum(byBatch.filter((_, b) => b % 2 === odd));
    expect(sample.diagnostics.logEvidenceSpread).toBeCloseTo(Math.abs(Math.log(half(0) / half(1))), 12);
    expect(sample.diagnostics.effectiveSampleSize).toBeCloseTo(total ** 2 / sum(weights.map((w) => w * w)), 9);
    expect(sample.diagnostics.largestWeight).toBeCloseTo(Math.max(...weights) / total, 12);
    expect([sample.diagnostics.draws, sample.batchCount, sample.batches[191]]).toEqual([192, 64, 63]);
    expect(sample.diagnostics.method).toBe("importance");
  });

  it("plans cover all batches once, with 80 % of the draws in pairs and 20 % from the prior", () => {
    const plans = drawPlans(1000, 8);
    expect(plans.map(({ from, to }) => [from, to])).toEqual(Array.from({ length: 8 }, (_, k) => [8 * k, 8 * k + 8]));
    for (const { pairs, fromPrior } of plans) expect([pairs, fromPrior]).toEqual([7, 4]);
    expect(drawPlans(40_000, 1)[0]).toEqual({ from: 0, to: 64, pairs: 250, fromPrior: 125 });
  });

  it("without data all weights are prior over proposal, whose mean is 1", () => {
    const target: PosteriorTarget = {
      dimension: 2,
      evaluate: (x) => ({ logPrior: -Math.log(2 * Math.PI) - 0.5 * (x[0]! ** 2 + x[1]! ** 2), logLikelihood: 0 }),
      samplePrior: (s, out) => void s.normals(out),
    };
    const fit = { ...frame, logDensity: 0, converged: true };
    const parts = drawPlans(20_000, 2).map((plan, k) => weightedDraws(target, fit, plan, stream(8, k)));
    const { logEvidence, logEvidenceStandardError, weights } = importanceSummary(2, parts);
    expect(Math.abs(logEvidence) / logEvidenceStandardError).toBeLessThan(4);
    // a fifth from the prior bounds every weight by 5, in units of their mean
    expect(Math.max(...weights) * weights.length).toBeLessThan(5.1);
    // pairs mirror each other at the mode
    const { points } = parts[0]!;
    expectClose([points[0]! + points[2]!, points[1]! + points[3]!], [2 * frame.mode[0]!, 2 * frame.mode[1]!], { absolute: 1e-12 });
    expect(logAdd(-Infinity, -Infinity)).toBe(-Infinity);
    expect(logAdd(1000, 1001)).toBeCloseTo(1001 + Math.log1p(Math.exp(-1)), 10);
  });
});

describe("Gaussian fits of draws", () => {
  const points = Array.from({ length: 300 }, () => {
    const [a, b] = normals(2) as unknown as [number, number];
    return Float64Array.of(1 + 2 * a, 3 - a + 0.7 * b);
  });
  const covarianceOf = (factor: Float64Array): number[] => [0, 1].flatMap((i) => [0, 1].map((j) => sum([0, 1].map((k) => factor[i * 2 + k]! * factor[j * 2 + k]!)))); // prettier-ignore
  const moments = (of: readonly Float64Array[]) => {
    const mean = [0, 1].map((i) => sum(of.map((x) => x[i]!)) / of.length);
    const at = (i: number, j: number): number => sum(of.map((x) => (x[i]! - mean[i]!) * (x[j]! - mean[j]!))) / (of.length - 1);
    return { mean, covariance: [at(0, 0), at(0, 1), at(1, 0), at(1, 1)] };
  };

  it("have the mean and the inflated covariance of the draws, and its determinant", () => {
    const { mean, covariance } = moments(points);
    const fit = gaussianOf(points, 1.7);
    expectClose(fit.mode, mean, { relative: 1e-12 });
    expectClose(
      covarianceOf(fit.factor),
      covariance.map((c) => 1.7 * c),
      { relative: 1e-11 },
    );
    const determinant = 1.7 ** 2 * (covariance[0]! * covariance[3]! - covariance[1]! ** 2);
    expect(fit.logDeterminant).toBeCloseTo(0.5 * Math.log(determinant), 11);
  });

  it("shrink correlations in the frame by the share of noise in them", () => {
    const { mean, covariance } = moments(points);
    const many = shrunkGaussian(points, frame, 1e12);
    expectClose(many.mode, mean, { relative: 1e-11 });
    expectClose(covarianceOf(many.factor), covariance, { relative: 1e-9 });
    const inverse = inverseFactor(frame.factor, 2);
    const whitened = points.map((x) => {
      const z = new Float64Array(2);
      whiten(frame.mode, inverse, x, z);
      return z;
    });
    const back = new Float64Array(2);
    unwhiten(frame, whitened[0]!, back);
    expectClose(back, points[0]!, { relative: 1e-12 });
    const inside = moments(whitened);
    const [cross, independent] = [inside.covariance[1]!, 40];
    const fourth = sum(whitened.map((z) => ((z[0]! - inside.mean[0]!) * (z[1]! - inside.mean[1]!)) ** 2)) / 300;
    const keep = Math.max(0, 1 - (fourth - cross ** 2) / independent / cross ** 2);
    expect(keep).toBeGreaterThan(0.1);
    expect(keep).toBeLessThan(0.999);
    const c = [inside.covariance[0]!, keep * cross, keep * cross, inside.covariance[3]!];
    const f = frame.factor;
    const expected = [0, 1].flatMap((i) =>
      [0, 1].map((j) => sum([0, 1].flatMap((k) => [0, 1].map((l) => f[i * 2 + k]! * c[k * 2 + l]! * f[j * 2 + l]!)))),
    );
    expectClose(covarianceOf(shrunkGaussian(points, frame, independent).factor), expected, { relative: 1e-10 });
  });

  it("log ratios to a fit are log densities over its normal density", () => {
    const fit = gaussianOf(points, 1);
    const [a, b, , d] = covarianceOf(fit.factor) as [number, number, number, number];
    const logs = Float64Array.of(0.2, -3);
    const expected = [0, 1].map((k) => {
      const [x, y] = [points[k]![0]! - fit.mode[0]!, points[k]![1]! - fit.mode[1]!];
      const determinant = a * d - b * b;
      const square = (d * x * x - 2 * b * x * y + a * y * y) / determinant;
      return logs[k]! + 0.5 * square + Math.log(2 * Math.PI) + 0.5 * Math.log(determinant);
    });
    expectClose(ratiosAt(fit, points.slice(0, 2), logs), expected, { relative: 1e-10 });
  });
});

describe("chains put together", () => {
  const chain = (c: number): ChainRun => ({
    positions: Float64Array.from({ length: 2 * 24 }, (_, k) => Math.sin(1.7 * k + c) + (k % 2) * 0.6 * c * Math.floor(k / 2) * 0.1),
    logDensity: Float64Array.from({ length: 24 }, (_, t) => 100 * c + t),
    acceptance: 0.5 + 0.1 * c,
  });
  it("points unwhitened, eight stretches a chain as batches, the worst diagnostics over coordinates", () => {
    const runs = [0, 1, 2].map(chain);
    const joined = joinChains(runs, frame);
    const expected = runs.flatMap(({ positions }) =>
      Array.from({ length: 24 }, (_, t) => {
        const x = new Float64Array(2);
        unwhiten(frame, positions.subarray(2 * t, 2 * t + 2), x);
        return [...x];
      }),
    );
    expect(joined.points.map((x) => [...x])).toEqual(expected);
    expect([...joined.logDensity]).toEqual(runs.flatMap(({ logDensity }) => [...logDensity]));
    expect([...joined.batches]).toEqual(Array.from({ length: 72 }, (_, k) => Math.floor(k / 3)));
    expect([joined.batchCount, joined.chains]).toEqual([24, 3]);
    expect(joined.acceptance).toBeCloseTo(0.6, 12);
    const coordinate = (i: number) => runs.map(({ positions }) => positions.filter((_, k) => k % 2 === i));
    expect(rHat(coordinate(1))).toBeGreaterThan(rHat(coordinate(0)) + 0.05);
    expect(joined.rHat).toBe(rHat(coordinate(1)));
    expect(joined.effectiveSampleSize).toBe(Math.min(bulkEss(coordinate(0)), bulkEss(coordinate(1))));
  });
});

describe("what bad mixing says", () => {
  /** N(0, 1) in 13 dimensions, and chains of independent draws whose means differ. */
  const d = 13;
  const target: PosteriorTarget = {
    dimension: d,
    logConstant: 5,
    evaluate(x, gradients) {
      gradients?.prior.set(x.map((value) => -value));
      gradients?.likelihood.fill(0);
      return { logPrior: -0.5 * (d * Math.log(2 * Math.PI) + sum(x.map((value) => value * value))), logLikelihood: 0 };
    },
    samplePrior: (s, out) => void s.normals(out),
  };
  type Tasks = SamplingSource<null>["tasks"];
  const sampled = async (
    apart: number,
    chainDraws = 100,
    seed = 2,
    bridges: Partial<Tasks["bridge"]> = {},
    ratios: Partial<Tasks["ratios"]> = {},
  ) => {
    const options: SamplingOptions = { draws: 100, chains: 4, chainDraws, warmup: 7 };
    const asked: number[][] = [];
    const source: SamplingSource<null> = {
      target,
      data: null,
      tasks: {
        chain: {
          module: import.meta.url,
          name: "",
          run: ({ fit, options: { draws, warmup }, indices }) => {
            asked.push([draws, warmup, ...indices]);
            const x = stream(5 + seed, ...indices).normals(new Float64Array(draws * d));
            for (let t = 0; t < draws; t++) x[t * d + 3]! += apart * (indices[2]! % 2);
            const inverse = inverseFactor(fit.factor, d);
            const positions = new Float64Array(draws * d);
            const logDensity = Float64Array.from({ length: draws }, (_, t) => {
              const point = x.subarray(t * d, (t + 1) * d);
              whiten(fit.mode, inverse, point, positions.subarray(t * d, (t + 1) * d));
              return target.evaluate(point).logPrior;
            });
            return { positions, logDensity, acceptance: 0.8 };
          },
        },
        bridge: { ...bridgeTask(import.meta.url, "", () => target), ...bridges },
        ratios: { ...ratiosTask(import.meta.url, "", () => target), ...ratios },
        importance: importanceTask(import.meta.url, "", () => target),
      },
    };
    const run: Run = inlineRun({ registry: createRegistry([]), seed });
    return { sample: await samplePosterior(source, run, options), asked };
  };

  it("nothing where chains agree, after one round", async () => {
    const { sample, asked } = await sampled(0, 800);
    expect(asked).toEqual([0, 1, 2, 3].map((c) => [800, 7, 2, 0, c]));
    expect(sample.warnings).toEqual([]);
    expect(sample.diagnostics).toMatchObject({ method: "hmc", draws: 3200, acceptance: 0.8, path: [0, 1] });
    expect(Math.abs(sample.logEvidence - 5) / sample.logEvidenceStandardError).toBeLessThan(4);
  });

  it("the evidence of the chains scatters as it says, half the difference of its two estimates at least", async () => {
    let scores = 0;
    for (let seed = 1; seed <= 16; seed++) {
      const { sample } = await sampled(0, 150, seed);
      const { logEvidence, logEvidenceStandardError, diagnostics } = sample;
      scores += ((logEvidence - 5) / logEvidenceStandardError) ** 2 / 16;
      expect(logEvidenceStandardError).toBeGreaterThanOrEqual(diagnostics.logEvidenceSpread! / 2);
    }
    // χ²₁₆/16, its error never below the formula's: twice or a third of it would show
    expect(scores).toBeGreaterThan(0.28);
    expect(scores).toBeLessThan(2.4);
  });

  it("bridges in between where the Gaussian fit overlaps too little: mean, scatter and spread of four", async () => {
    const asked: number[][] = [];
    const at = async (variance: number) => {
      const { sample } = await sampled(
        0,
        800,
        2,
        {
          run: ({ indices, options, fit }) => {
            asked.push([...indices, options.chains, options.draws, options.warmup]);
            expect(fit.logDeterminant / d).toBeCloseTo(0.5 * Math.log(1.2), 1);
            return { value: [1, 2, 4, 5][indices[1]!]!, variance };
          },
        },
        { run: ({ options: { draws } }) => Float64Array.from({ length: draws }, (_, k) => (k === 0 ? 0 : -1000)) },
      );
      return sample;
    };
    const [scattered, noisy] = [await at(0.01), await at(4)];
    expect(asked.slice(0, 4)).toEqual([0, 1, 2, 3].map((repeat) => [3, repeat, 8, 24, 16]));
    expect(scattered.logEvidence).toBeCloseTo(3 + 5, 12);
    expect(scattered.logEvidenceStandardError).toBeCloseTo(Math.sqrt(10 / 3 / 4), 12);
    expect(noisy.logEvidenceStandardError).toBeCloseTo(Math.sqrt((3 * 4) / 4), 12);
    expect(scattered.diagnostics.logEvidenceSpread).toBe(4);
    expect(scattered.diagnostics.path).toEqual(bridgePath);
  });

  it("three rounds, each three times as long, and a warning beyond 1.02; other draws beyond 1.1", async () => {
    const { sample, asked } = await sampled(0.6);
    expect(asked.filter((_, k) => k % 4 === 0)).toEqual([
      [100, 7, 2, 0, 0],
      [300, 21, 2, 1, 0],
      [900, 63, 2, 2, 0],
    ]);
    const { rHat: found, method } = sample.diagnostics;
    expect(method).toBe("hmc");
    expect(found).toBeGreaterThan(1.02);
    expect(sample.warnings).toEqual([`split R-hat of the mixing variable is ${found!.toFixed(3)}; draw longer chains`]);
    const far = await sampled(3);
    expect(far.sample.diagnostics.method).toBe("smc");
    expect(far.sample.diagnostics.draws).toBe(3000);
    expect([far.sample.batchCount, far.sample.batches[0], far.sample.batches[2999]]).toEqual([32, 0, 31]);
    expect(far.sample.logEvidence).toBeCloseTo(5, 8);
    expect(far.sample.logEvidenceStandardError).toBe(0.05);
  });
});
