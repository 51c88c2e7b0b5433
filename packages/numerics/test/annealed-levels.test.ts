import { describe, expect, test } from "vitest";
import { denseEstimator, diagonalEstimator, factorMetric, unitMetric, type Metric } from "../src/sampling/metric.js";
import { dualAveraging, metricWindows } from "../src/sampling/step-size.js";
import { nextStepSize, resampleStates } from "../src/sampling/annealing.js";
import { regressed } from "../src/sampling/regressed.js";
import { bennettRatio, evidenceEstimates, evidenceOfIslands, jackknifeError, type AnnealedLevel } from "../src/index.js";
import { normalScores, sortedQuantile } from "../src/statistics/ranks.js";
import { normalQuantile } from "../src/special/normal.js";
import { studentQuantile } from "../src/special/student.js";
import { stream } from "@finitewidth/random";
import { expectClose } from "../../../tools/testing.ts";

describe("metrics", () => {
  const forward = (metric: Metric, w: number[]): number[] => {
    const out = Float64Array.from(w, () => 10);
    metric.addForward(Float64Array.from(w), 2, out);
    return Array.from(out, (value) => (value - 10) / 2);
  };
  const adjoint = (metric: Metric, g: number[]): number[] => {
    const out = Float64Array.from(g, () => 10);
    metric.addAdjoint(Float64Array.from(g), 2, out);
    return Array.from(out, (value) => (value - 10) / 2);
  };
  const rows = [
    [1, 5],
    [2, -1],
    [4, 0],
    [-3, 2],
    [0.5, 7],
  ];
  const covariance = (i: number, j: number): number => {
    const mean = (k: number) => rows.reduce((sum, row) => sum + row[k]! / 5, 0);
    return rows.reduce((sum, row) => sum + (row[i]! - mean(i)) * (row[j]! - mean(j)), 0) / 4;
  };
  const prior = { variance: 0.3, weight: 2 };
  const shrunk = (i: number, j: number): number => (5 * covariance(i, j) + (i === j ? 2 * 0.3 : 0)) / 7;

  test("are the map and its adjoint", () => {
    const factor = factorMetric(Float64Array.of(1, 2, 3, 4));
    expect([forward(factor, [1, 10]), adjoint(factor, [1, 10])]).toEqual([
      [21, 43],
      [31, 42],
    ]);
    expect([forward(unitMetric, [1, 10]), adjoint(unitMetric, [1, 10])]).toEqual([
      [1, 10],
      [1, 10],
    ]);
  });

  test("are learned as variances or the covariance of the positions since the last time, shrunk by what the prior is worth", () => {
    const [diagonal, dense] = [diagonalEstimator(2, prior), denseEstimator(2, prior)];
    for (const estimator of [diagonal, dense])
      for (const round of [3, 1]) {
        for (const row of rows) estimator.add(Float64Array.from(row, (value) => round * value));
        const metric = estimator.finish();
        if (round !== 1) continue;
        // S Sᵀ of the unit vectors
        const covered = [0, 1].map((i) => forward(metric, adjoint(metric, [i === 0 ? 1 : 0, i === 1 ? 1 : 0])));
        const off = estimator === dense ? shrunk(0, 1) : 0;
        expectClose(covered.flat(), [shrunk(0, 0), off, off, shrunk(1, 1)], { relative: 1e-12, absolute: 1e-13 });
      }
  });

  test("of positions on a line, without a prior, are those of each coordinate", () => {
    const line = denseEstimator(2, { variance: 1, weight: 0 });
    for (const t of [-1, 0, 1]) line.add(Float64Array.of(t, 0));
    const metric = line.finish();
    expect([forward(metric, [3, 5]), adjoint(metric, [3, 5])]).toEqual([
      [3, 0],
      [3, 0],
    ]);
  });

  test("windows of the warm-up double from 25 on, the last takes the rest", () => {
    expect(metricWindows(19)).toEqual({ start: 19, ends: [] });
    expect(metricWindows(20)).toEqual({ start: 3, ends: [18] });
    expect(metricWindows(100)).toEqual({ start: 15, ends: [40, 90] });
    expect(metricWindows(1000)).toEqual({ start: 75, ends: [100, 150, 250, 450, 950] });
  });

  test("step sizes follow dual averaging: 10 ε₀ e^{−√t Σ(δ − α)/(γ (t + t₀))}, averaged by t^{−κ}", () => {
    const [start, target] = [0.3, 0.8];
    const adaptation = dualAveraging(1, target);
    adaptation.update(0.1);
    adaptation.restart(start);
    expectClose([adaptation.current(), adaptation.average()], [start, start], { relative: 1e-14 });
    let [sum, logAverage] = [0, 0];
    [0.9, 0.2, 0.75, 1].forEach((acceptance, i) => {
      const t = i + 1;
      adaptation.update(acceptance);
      sum += target - acceptance;
      const log = Math.log(10 * start) - (Math.sqrt(t) * sum) / (0.05 * (t + 10));
      logAverage = t ** -0.75 * log + (1 - t ** -0.75) * logAverage;
      expectClose([adaptation.current(), adaptation.average()], [Math.exp(log), Math.exp(logAverage)], { relative: 1e-12 });
    });
  });

  test("of annealed levels too, within their bounds; particles are copied as often as they weigh", () => {
    expectClose(
      [nextStepSize(0.5, 0.7, 0.85), nextStepSize(1.5, 1, 0.5), nextStepSize(1e-3, 0, 0.9)],
      [0.5 * Math.exp(-0.15), Math.PI / 2, 1e-3],
      { relative: 1e-14 },
    );
    const states = [1, 2, 3].map((value) => ({
      position: Float64Array.of(value),
      gradient: Float64Array.of(10 * value),
      logLikelihood: -value,
    }));
    const chosen = resampleStates(states, Float64Array.of(Math.log(1e-9), 5 + Math.log(2 / 3), 5 + Math.log(1 / 3)), stream(1));
    expect(chosen.map(({ position, gradient, logLikelihood }) => [position[0], gradient[0], logLikelihood])).toEqual([
      [2, 20, -2],
      [2, 20, -2],
      [3, 30, -3],
    ]);
    chosen[0]!.position[0] = 99;
    expect([chosen[1]!.position[0], states[1]!.position[0]]).toEqual([2, 2]);
  });
});

describe("ranks", () => {
  test("become normal scores, ties share theirs; quantiles are interpolated", () => {
    const scores = normalScores([Float64Array.of(3, 1, 7), Float64Array.of(3, -2, 8)]);
    const score = (rank: number) => normalQuantile((rank - 0.375) / 6.25);
    expectClose(
      scores.flatMap((one) => Array.from(one)),
      [3.5, 2, 5, 3.5, 1, 6].map(score),
      { relative: 1e-13, absolute: 1e-15 },
    );
    const sorted = Float64Array.of(1, 2, 4, 8);
    expectClose(
      [0, 0.1, 0.5, 0.9, 1].map((p) => sortedQuantile(sorted, p)),
      [1, 1.3, 3, 6.8, 8],
      { relative: 1e-13 },
    );
  });
});

describe("evidence of islands from given levels", () => {
  test("Bennett's ratio is half way between two draws, and balances weighted ones", () => {
    expectClose(bennettRatio(Float64Array.of(1), Float64Array.of(0), Float64Array.of(4), Float64Array.of(0)), 2.5, { relative: 1e-12 });
    const [x0, w0, x1, w1] = [
      [0, 2],
      [0.9, 0.1],
      [3, 5, 6],
      [0.5, 0.3, 0.2],
    ];
    const c = bennettRatio(
      Float64Array.from(x0!),
      Float64Array.from(w0!, Math.log),
      Float64Array.from(x1!),
      Float64Array.from(w1!, Math.log),
    );
    const fermi = (x: number) => 1 / (1 + Math.exp(-x));
    const side = (x: readonly number[], w: readonly number[], sign: number) =>
      x.reduce((sum, value, i) => sum + w[i]! * fermi(sign * (value - c)), 0);
    expectClose(side(x0!, w0!, 1), side(x1!, w1!, -1), { relative: 1e-10 });
  });

  test("an estimate is regressed on its control by least jackknife error", () => {
    const plain = { value: 5, left: [4, 6, 5.5, 4.5] };
    const full = { value: 4, left: [3.5, 4.5, 4, 4] };
    // gaps 0.5, 1.5, 1.5, 0.5 about 1; deviations −1, 1, 0.5, −0.5 about 5: β = 1.5/1
    expect(regressed(plain, full)).toEqual({ value: 3.5, left: [3.25, 3.75, 3.25, 3.75] });
    expect(regressed(plain, undefined)).toBe(plain);
    expect(regressed(plain, { value: 4, left: plain.left.map((value) => value - 1) })).toEqual(plain);
  });

  const level = (exponent: number, likelihoods: number[], more: Partial<AnnealedLevel> = {}): AnnealedLevel => ({
    exponent,
    logLikelihoods: Float64Array.from(likelihoods),
    stein: 0,
    acceptance: 0.8,
    ...more,
  });
  /** Three levels each, gentle enough to be believed. */
  const gentle = [0, 0.1, 0.05, -0.08].map((shift, g) => [
    level(0, [-2 + shift, -1, -1.5], { acceptance: 1 }),
    level(0.25, [-1.4, -1 + shift, -1.2], { stein: [0.1, -0.1, 0.05, 0.02][g]!, acceptance: 0.9 - 0.1 * g }),
    level(1, [-1.1 - shift, -0.9, -1], { stein: [-0.2, 0.3, 0.1, -0.1][g]!, acceptance: 0.6 + 0.1 * g }),
  ]);

  test("is told with its errors, its spread, and what each level saw", () => {
    const found = evidenceOfIslands(gentle);
    const left = gentle.map((_, g) => evidenceEstimates(gentle.filter((__, other) => other !== g)));
    const [bennett, forward] = (["bennett", "forward"] as const).map((kind) => jackknifeError(left.map((one) => one[kind])));
    const all = evidenceEstimates(gentle);
    expectClose([found.logEvidence, found.standardError], [all.bennett, Math.max(bennett!, forward!)], { relative: 1e-13 });
    expect(found.standardErrors).toEqual({ bennett, forward });
    const single = gentle.map((island) => evidenceEstimates([island]));
    const z = single.map((one) => one.forward);
    const centre = z.reduce((sum, value) => sum + value / 4, 0);
    expectClose(found.islandSpread, Math.sqrt(z.reduce((sum, value) => sum + (value - centre) ** 2, 0) / 3), { relative: 1e-12 });
    expectClose(found.gapPerLevel, single.reduce((sum, one) => sum + (one.forward - one.backward) / 4, 0) / 2, { relative: 1e-12 });
    const weights = z.map(Math.exp);
    const total = weights.reduce((sum, value) => sum + value, 0);
    expectClose(
      found.islandWeights,
      weights.map((value) => value / total),
      { relative: 1e-12 },
    );
    expectClose(found.effectiveIslands, total ** 2 / weights.reduce((sum, value) => sum + value ** 2, 0), { relative: 1e-12 });
    expectClose(found.acceptance, [1, 0.75, 0.75], { relative: 1e-12 });
    const score = (values: number[]) => {
      const mean = values.reduce((sum, value) => sum + value / 4, 0);
      return mean / Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3 / 4);
    };
    expectClose(found.steinScores, [score([0.1, -0.1, 0.05, 0.02]), score([-0.2, 0.3, 0.1, -0.1])], { relative: 1e-12 });
    expect(found.objections).toEqual([]);
  });

  test("control variates are subtracted to first order, and what was fitted costs a degree of freedom", () => {
    const controls = [0.05, -0.02, 0.01, 0.03];
    const helped = gentle.map((levels, g) => levels.map((one, k) => ({ ...one, control: controls[(g + k) % 4]! })));
    const found = evidenceOfIslands(helped);
    const explained = (kind: "bennett" | "forward", islands: typeof helped): number => {
      let running = islands.map(() => 0);
      let sum = 0;
      const average = (k: number): number => {
        const weights = running.map(Math.exp);
        return islands.reduce((total, levels, g) => total + weights[g]! * levels[k]!.control, 0) / weights.reduce((a, b) => a + b);
      };
      [0.25, 0.75].forEach((rise, k) => {
        const below = average(k);
        running = running.map((value, g) => {
          const likelihoods = islands[g]![k]!.logLikelihoods;
          return value + Math.log(likelihoods.reduce((total, one) => total + Math.exp(rise * one) / likelihoods.length, 0));
        });
        sum += kind === "forward" ? rise * below : (rise / 2) * (below + average(k + 1));
      });
      return sum;
    };
    const left = (islands: typeof helped) => islands.map((_, g) => islands.filter((__, other) => other !== g));
    const best = (["bennett", "forward"] as const).map((kind) => {
      const plain = { value: evidenceEstimates(helped)[kind], left: left(helped).map((some) => evidenceEstimates(some)[kind]) };
      const full = {
        value: plain.value - explained(kind, helped),
        left: left(helped).map((some, g) => plain.left[g]! - explained(kind, some)),
      };
      return regressed(plain, full);
    });
    expectClose(found.logEvidence, best[0]!.value, { relative: 1e-12 });
    const errors = best.map((one) => Math.sqrt(3 / 2) * jackknifeError(one.left));
    expectClose([found.standardErrors.bennett, found.standardErrors.forward], errors, { relative: 1e-9 });
    expect(found.estimates).toEqual(evidenceEstimates(gentle));
  });

  test("is objected to where islands disagree, moves do not equilibrate or are refused, or estimates part", () => {
    const objections = (change: (one: AnnealedLevel, g: number, k: number) => Partial<AnnealedLevel>): readonly string[] =>
      evidenceOfIslands(gentle.map((levels, g) => levels.map((one, k) => ({ ...one, ...change(one, g, k) })))).objections;
    const flat = (shift: (g: number) => number) => objections((_, g) => ({ logLikelihoods: Float64Array.of(shift(g), shift(g)) }));
    // spread of ±x: 2x/√3
    expect(flat((g) => (g % 2 === 0 ? 0.86 : -0.86))).toEqual([]);
    expect(flat((g) => (g % 2 === 0 ? 0.87 : -0.87))).toEqual([expect.stringMatching(/^independent runs disagree.*1\.00/)]);
    const bound = studentQuantile(1 - 0.0025, 3);
    const stein = (score: number) =>
      objections((_, g, k) => ({ stein: k === 2 ? score / 2 + [1, -1, 1, -1][g]! * Math.sqrt(3 / 4) : 0.1 * [1, -1, 1, -1][g]! }));
    expect(stein(0.99 * bound)).toEqual([]);
    for (const score of [1.01 * bound, -1.01 * bound]) expect(stein(score)).toEqual([expect.stringContaining("Stein's identity")]);
    const accepted = (least: number) => objections((_, __, k) => ({ acceptance: k === 1 ? least : 0.9 }));
    expect(accepted(0.36)).toEqual([]);
    expect(accepted(0.34)).toEqual(["only 0.34 of the moves were accepted"]);
    // forward is 0 and backward −2·gap in two levels of one likelihood each
    const gap = (by: number) => objections((_, __, k) => ({ logLikelihoods: Float64Array.of(k === 2 ? by : 0) }));
    expect(gap(0).length).toBe(0);
    const parted = gap(1);
    expect(parted).toEqual([
      expect.stringMatching(/^forward estimate 0\.0+ and Bennett's 0\.375000 differ$/),
      expect.stringMatching(/^forward and backward estimates differ by -0\.38 per level$/),
    ]);
    expect(gap(0.13)).toEqual([]);
    expect(gap(-1)).toHaveLength(2);
  });
});
