import { createRegistry, inlineRun } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import {
  acceptanceRatio,
  bridgeEvidence,
  bridgeTask,
  chainTask,
  gaussianOf,
  hamiltonianRun,
  importanceSample,
  importanceTask,
  joinChains,
  laplaceFit,
  latticeSample,
  ratiosTask,
  samplePosterior,
  temperedSample,
  type PosteriorSample,
  type PosteriorTarget,
  type SamplingSource,
} from "../src/index.js";
import { scattered } from "./registry.js";

/**
 * Prior N(0, 1), likelihood Π_i ½[N(m_i | x_i, v_i) + w N(−m_i | x_i, v_i)]: Gaussian for w = 0, 2^d modes for w = 1. Everything is known:
 * the evidence is Π_i ½(1 + w) N(m_i | 0, 1 + v_i), the posterior mean of x_i is m_i/(1 + v_i) (w = 0) or 0 (w = 1).
 */
function toyTarget(means: readonly number[], variances: readonly number[], w: 0 | 1): PosteriorTarget & { readonly logEvidence: number } {
  const d = means.length;
  const logNormal = (x: number, v: number): number => -0.5 * (Math.log(2 * Math.PI * v) + (x * x) / v);
  return {
    dimension: d,
    logEvidence: means.reduce((sum, m, i) => sum + Math.log((1 + w) / 2) + logNormal(m, 1 + variances[i]!), 0),
    evaluate(x, gradients) {
      let [logPrior, logLikelihood] = [0, 0];
      for (let i = 0; i < d; i++) {
        const [m, v] = [means[i]!, variances[i]!];
        const [a, b] = [logNormal(x[i]! - m, v), logNormal(x[i]! + m, v)];
        const top = Math.max(a, b);
        const share = w === 0 ? 1 : Math.exp(a - top) / (Math.exp(a - top) + Math.exp(b - top));
        logPrior += logNormal(x[i]!, 1);
        logLikelihood += Math.log(0.5) + (w === 0 ? a : top + Math.log(Math.exp(a - top) + Math.exp(b - top)));
        if (gradients) {
          gradients.prior[i] = -x[i]!;
          gradients.likelihood[i] = -(share * (x[i]! - m) + (1 - share) * (x[i]! + m)) / v;
        }
      }
      return { logPrior, logLikelihood };
    },
    samplePrior: (random, out) => void random.normals(out),
  };
}

/** E x_i with its standard error from the batches. */
function meanOf(
  { points, weights, batches, batchCount }: Pick<PosteriorSample, "points" | "weights" | "batches" | "batchCount">,
  i: number,
): { readonly mean: number; readonly error: number } {
  const sums = new Float64Array(batchCount);
  const totals = new Float64Array(batchCount);
  points.forEach((x, k) => {
    sums[batches[k]!]! += weights[k]! * x[i]!;
    totals[batches[k]!]! += weights[k]!;
  });
  const mean = sums.reduce((a, b) => a + b, 0);
  return { mean, error: Math.sqrt(sums.reduce((total, value, b) => total + (value - totals[b]! * mean) ** 2, 0)) };
}

type Toy = Parameters<typeof toyTarget>;
const build = (toy: Toy): PosteriorTarget => toyTarget(...toy);
const tasks = {
  chain: chainTask(import.meta.url, "", build),
  bridge: bridgeTask(import.meta.url, "", build),
  ratios: ratiosTask(import.meta.url, "", build),
  importance: importanceTask(import.meta.url, "", build),
};
const source = (...toy: Toy): SamplingSource<Toy> => ({ target: toyTarget(...toy), data: toy, tasks });

const run = inlineRun({ registry: createRegistry([]), seed: 5 });
const apart = scattered(run);

describe("samplers on targets with known answers", () => {
  const narrow = toyTarget([1.5, -0.8], [0.1, 0.5], 0);

  it("Laplace fit and lattice are exact for a Gaussian", () => {
    const fit = laplaceFit(narrow);
    expect(fit.mode[0]).toBeCloseTo(1.5 / 1.1, 8);
    const sample = latticeSample(narrow, fit)!;
    expect(Math.abs(sample.logEvidence - narrow.logEvidence)).toBeLessThan(1e-10);
    expect(meanOf(sample, 1).mean).toBeCloseTo(-0.8 / 1.5, 9);
  });

  it("a lattice in three dimensions becomes as fine as its points allow", () => {
    // N(0, 1) (1 + ½ cos 15 x₁), whose integral is one but for e^−112: steps down to √2/8 tell, with 3·10⁵ points
    const waves: PosteriorTarget = {
      dimension: 3,
      evaluate: (x) => ({
        logPrior: -1.5 * Math.log(2 * Math.PI) - 0.5 * x.reduce((sum, value) => sum + value * value, 0),
        logLikelihood: Math.log1p(0.5 * Math.cos(15 * x[0]!)),
      }),
      samplePrior: (random, out) => void random.normals(out),
    };
    const factor = Float64Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1);
    const standard = { mode: new Float64Array(3), factor, logDeterminant: 0, logDensity: 0, converged: true };
    const sample = latticeSample(waves, standard)!;
    expect(Math.abs(sample.logEvidence)).toBeLessThan(1e-10);
    expect(sample.points.length).toBeGreaterThan(250_000);
  });

  it("importance sampling: evidence and means within their errors, weights bounded", () => {
    const sample = importanceSample(narrow, laplaceFit(narrow), 4000, stream(1));
    expect(Math.abs(sample.logEvidence - narrow.logEvidence) / sample.logEvidenceStandardError).toBeLessThan(4);
    const { mean, error } = meanOf(sample, 0);
    expect(Math.abs(mean - 1.5 / 1.1) / error).toBeLessThan(4);
    expect(sample.diagnostics.paretoShape).toBeLessThan(0.5);
    expect(sample.weights.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 12);
  });

  it("the stated error of the evidence is its scatter over 60 seeds", () => {
    const fit = laplaceFit(narrow);
    const runs = Array.from({ length: 60 }, (_, seed) => importanceSample(narrow, fit, 1000, stream(100 + seed)));
    const mean = runs.reduce((sum, run) => sum + run.logEvidence, 0) / 60;
    const scatter = Math.sqrt(runs.reduce((sum, run) => sum + (run.logEvidence - mean) ** 2, 0) / 59);
    const stated = Math.sqrt(runs.reduce((sum, run) => sum + run.logEvidenceStandardError ** 2, 0) / 60);
    // a standard deviation of 60 numbers is known to 1/√118 = 9 %
    expect(Math.abs(Math.log(scatter / stated))).toBeLessThan(4 / Math.sqrt(118));
    expect(Math.abs(mean - narrow.logEvidence)).toBeLessThan((4 * scatter) / Math.sqrt(60));
  });

  it("a second mode out of reach of the lattice and of the chains is noticed by the prior draws", async () => {
    // modes at ±2 of width 0.14: a factor e^−100 between them, a few percent of the prior at each
    const split = toyTarget([2], [0.02], 1);
    const sample = await samplePosterior(source([2], [0.02], 1), run, { draws: 4000, chains: 4, chainDraws: 100, warmup: 50 });
    expect(Math.abs(sample.logEvidence - split.logEvidence)).toBeLessThan(4 * sample.logEvidenceStandardError);
    expect(Math.abs(meanOf(sample, 0).mean)).toBeLessThan(0.3);
  });

  it("Hamiltonian chains and Bennett's ratio in 24 dimensions", async () => {
    const d = 24;
    const toy: Toy = [Array.from({ length: d }, (_, i) => Math.sin(i)), Array.from({ length: d }, (_, i) => 0.05 + 0.1 * i), 0];
    const target = toyTarget(...toy);
    const sample = await samplePosterior(source(...toy), run, { draws: 1000, chains: 4, chainDraws: 250, warmup: 100 });
    expect(sample.diagnostics.method).toBe("hmc");
    expect(sample.diagnostics.rHat).toBeLessThan(1.02);
    expect(Math.abs(sample.logEvidence - target.logEvidence) / sample.logEvidenceStandardError).toBeLessThan(4.5);
    for (const i of [0, 7, 23]) {
      const { mean, error } = meanOf(sample, i);
      expect(Math.abs(mean - Math.sin(i) / (1.05 + 0.1 * i)) / error, `coordinate ${i}`).toBeLessThan(4.5);
    }
  });

  it("bridge from a poor Gaussian fit still gives the evidence", async () => {
    const laplace = laplaceFit(narrow);
    const chains = joinChains(
      [
        await hamiltonianRun(narrow, laplace, { draws: 200, warmup: 50 }, stream(2, 0)),
        await hamiltonianRun(narrow, laplace, { draws: 200, warmup: 50 }, stream(2, 1)),
      ],
      laplace,
    );
    const fit = gaussianOf(chains.points, 3);
    const { value, variance } = await bridgeEvidence(narrow, fit, { chains: 8, draws: 60, warmup: 20 }, stream(3));
    expect(Math.abs(value - narrow.logEvidence) / Math.sqrt(3 * variance)).toBeLessThan(4.5);
    expect(acceptanceRatio([1, 1, 1], [1, 1, 1]).value).toBeCloseTo(1, 10);
  });

  it("tempering finds all four modes", async () => {
    const four = toyTarget([2, 1.5], [0.02, 0.02], 1);
    const { points, logEvidence } = await temperedSample(four, 1000, stream(4));
    expect(Math.abs(logEvidence - four.logEvidence)).toBeLessThan(0.4);
    const corners = [0, 0, 0, 0];
    for (const x of points) corners[(x[0]! > 0 ? 2 : 0) + (x[1]! > 0 ? 1 : 0)]! += 1;
    expect(Math.min(...corners)).toBeGreaterThan(100);
  });

  it("tempering reaches likelihoods that spread over 10¹², and says so where no step helps", async () => {
    const sharp = toyTarget([30], [1e-12], 0);
    const { logEvidence, temperatures } = await temperedSample(sharp, 300, stream(8));
    expect(temperatures.length).toBeLessThan(300);
    expect(temperatures[1]!).toBeLessThan(1e-12);
    expect(Math.abs(logEvidence - sharp.logEvidence)).toBeLessThan(0.01 * Math.abs(sharp.logEvidence));
    const broken: PosteriorTarget = {
      ...sharp,
      evaluate: (x) => ({ ...sharp.evaluate(x), logLikelihood: x[0]! > 0 ? Number.NEGATIVE_INFINITY : 0 }),
    };
    await expect(temperedSample(broken, 50, stream(9))).rejects.toThrow(/^tempering stands still/);
  });

  /** A target that counts its evaluations: what time is spent with. */
  function counting(means: readonly number[], variances: readonly number[]) {
    const target = toyTarget(means, variances, 0);
    const count = { evaluations: 0 };
    const evaluate: PosteriorTarget["evaluate"] = (...of) => (count.evaluations++, target.evaluate(...of));
    return { count, target: { ...target, evaluate } };
  }

  it("tempering tells of its progress so that the time left is known within a factor 1.5 from a third of the way on", async () => {
    const { count, target } = counting(
      [1, 2, 3, 1, 2, 3, 1, 2],
      Array.from({ length: 8 }, () => 1e-4),
    );
    const told: (readonly [done: number, fraction: number])[] = [];
    await temperedSample(target, 300, stream(8), async (fraction) => void told.push([count.evaluations, fraction]));
    const late = told.slice(0, -1).filter(([done]) => done > count.evaluations / 3);
    expect(late.length).toBeGreaterThan(10);
    for (const [done, fraction] of late) {
      const estimate = (done * (1 - fraction)) / fraction;
      expect(Math.abs(Math.log(estimate / (count.evaluations - done)))).toBeLessThan(Math.log(1.5));
    }
    expect(told.at(-1)![1]).toBe(1);
  });

  it("a mode that is found is no quarter of the way to chains", async () => {
    const told: number[] = [];
    const onProgress = (done: number, total: number): void => void told.push(done / total);
    const options = { draws: 100, chains: 8, chainDraws: 40, warmup: 20 };
    await samplePosterior(
      source(
        Array.from({ length: 14 }, () => 0.4),
        Array.from({ length: 14 }, () => 0.3),
        0,
      ),
      inlineRun({ registry: run.registry, onProgress }),
      options,
    );
    expect(told.slice(0, 4)).toEqual([0, 1 / 8, 2 / 8, 3 / 8]);
  });

  it("a cancelled run stops between steps", async () => {
    const controller = new AbortController();
    controller.abort(new Error("enough"));
    await expect(
      samplePosterior(source([1.5, -0.8], [0.1, 0.5], 0), inlineRun({ registry: run.registry, signal: controller.signal })),
    ).rejects.toThrow("enough");
  });

  it("the same bit for bit in whatever order and place the chunks run: chains, ratios, importance draws", async () => {
    const options = { draws: 2000, chains: 3, chainDraws: 60, warmup: 30 };
    for (const d of [5, 14]) {
      const toy = source(
        Array.from({ length: d }, (_, i) => Math.cos(i)),
        Array.from({ length: d }, () => 0.3),
        0,
      );
      const [here, there] = [await samplePosterior(toy, run, options), await samplePosterior(toy, apart, options)];
      expect(there).toEqual(here);
    }
  });

  it("chains notice a cancellation before they end", async () => {
    const controller = new AbortController();
    const toy = source(
      Array.from({ length: 30 }, () => 1),
      Array.from({ length: 30 }, () => 0.3),
      0,
    );
    setTimeout(() => controller.abort(new Error("enough")), 50);
    await expect(
      samplePosterior(toy, inlineRun({ registry: run.registry, signal: controller.signal }), {
        draws: 1000,
        chains: 2,
        chainDraws: 100_000,
        warmup: 20,
      }),
    ).rejects.toThrow("enough");
  });
});
