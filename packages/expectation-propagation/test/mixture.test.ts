import { validate, zeros, type FittedScenario, type Matrix } from "@finitewidth/core";
import { describe, expect, it, test } from "vitest";
import { claimsOf } from "../src/claims.js";
import { alignmentFigure } from "../src/figures.js";
import type { BranchSummary } from "../src/mixture.js";
import { mixPredictions } from "../src/mixture.js";
import { expectationPropagationOptions, type ExpectationPropagationOptions } from "../src/options.js";
import { branchState, weightedBranches, type ExpectationPropagationState } from "../src/state.js";

const matrix = (...rows: number[][]): Matrix => ({ data: Float64Array.from(rows.flat()), shape: [rows.length, rows[0]!.length] });

test("branches mix: the mean of the means, covariances within and between", () => {
  const means = [
    [1, -2],
    [3, 0.5],
    [-1, 4],
  ].map((row) => Float64Array.from(row));
  const within = [matrix([2, 0.3], [0.3, 1]), matrix([0.5, -0.1], [-0.1, 4]), matrix([1, 0], [0, 0.2])];
  const p = [0.5, 0.3, 0.2];
  const average = (of: (k: number) => number) => p.reduce((sum, weight, k) => sum + weight * of(k), 0);
  const mean = [0, 1].map((a) => average((k) => means[k]![a]!));
  const second = (a: number, b: number) =>
    average((k) => within[k]!.data[2 * a + b]! + means[k]![a]! * means[k]![b]!) - mean[a]! * mean[b]!;
  const joint = mixPredictions(
    means.map((m, k) => ({ mean: m, variance: within[k]! })),
    p,
  );
  const single = mixPredictions(
    means.map((m, k) => ({ mean: m, variance: Float64Array.of(within[k]!.data[0]!, within[k]!.data[3]!) })),
    p,
  );
  for (const a of [0, 1]) {
    expect(joint.mean[a]).toBeCloseTo(mean[a]!, 12);
    expect(single.mean[a]).toBeCloseTo(mean[a]!, 12);
    expect((single.variance as Float64Array)[a]).toBeCloseTo(second(a, a), 12);
    for (const b of [0, 1]) expect((joint.variance as Matrix).data[2 * a + b]).toBeCloseTo(second(a, b), 12);
  }
});

test("options have the documented defaults, and their least values", () => {
  const options = { branches: "both", averages: "auto", particles: 1000, sweeps: 60, wall: 2.5 };
  expect(validate(expectationPropagationOptions, {}, "options")).toEqual(options);
  const least = { particles: 100, sweeps: 10, wall: 0.1 };
  expect(validate(expectationPropagationOptions, least, "options")).toEqual({ ...options, ...least });
  for (const change of [{ particles: 99 }, { sweeps: 9 }, { wall: 0 }, { branches: "none" }, { averages: "all" }])
    expect(() => validate(expectationPropagationOptions, change, "options")).toThrow(`options.${Object.keys(change)[0]}`);
});

describe("claims", () => {
  const [variance, kernel] = [matrix([1, 2]), matrix([3])];
  const claims = (probabilities: readonly number[], two: number, converged = true, branches = "both") => [
    ...claimsOf({
      posterior: {
        options: { branches },
        solver: { converged },
        state: { branches: probabilities.map((probability) => ({ probability })) },
        diagnostics: { alignedUnits: { two } },
        hiddenKernels: [kernel],
      },
      predictive: { mean: zeros(1, 2), variance },
    } as unknown as FittedScenario<ExpectationPropagationOptions, ExpectationPropagationState>),
  ];
  it.each([
    [[0.95, 0.05], 0.01, 1],
    [[0.9, 0.1], 0.2, 1],
    [[0.89, 0.11], 0.2, 2],
    [[0.11, 0.89], 0.2, 2],
    [[0.5, 0.5], 0.21, 3],
    [[1], 0.3, 3],
    [[1], 0, 1],
  ] as const)("probabilities %j, two aligned %d: errors %d times as large", (probabilities, two, factor) => {
    const [first, second, ...rest] = claims(probabilities, two);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ estimand: { of: "posterior", quantity: "predictive.variance" }, value: variance });
    expect(second).toMatchObject({ estimand: { of: "posterior", quantity: "hiddenKernel", layer: 1 }, value: kernel });
    expect((first!.error as { relative: number }).relative).toBeCloseTo(0.06 * factor, 12);
    expect((second!.error as { relative: number }).relative).toBeCloseTo(0.05 * factor, 12);
  });
  it("are none where the equations are not solved, nor of one measure for all units", () => {
    expect(claims([1], 0, false)).toEqual([]);
    expect(claims([1], 0, true, "symmetric")).toEqual([]);
  });
});

test("the figure counts every unit, the aligned one apart, by the probability of its branch", () => {
  const summary = (bulk: number[], block?: number[]): BranchSummary =>
    ({ bulkAlignments: Float64Array.from(bulk), ...(block ? { blockAlignments: Float64Array.from(block) } : {}) }) as BranchSummary;
  const width = 10;
  const figure = alignmentFigure(
    [
      { probability: 0.75, summary: summary([0.1, 0.1, 0.5, 1.4]) },
      { probability: 0.25, summary: summary([0.1, 0.9], [4, 5]), bulkWeights: Float64Array.of(0.9, 0.1) },
    ],
    width,
    2.5,
  ) as unknown as { series: { label: string; x: Float64Array; y: Float64Array }[]; marks: unknown };
  // 48 bins up to 1.02 times the largest alignment
  const step = (1.02 * 5) / 48;
  const [others, aligned] = figure.series;
  expect(figure.series.map(({ label }) => label)).toEqual(["the other units", "the aligned unit"]);
  expect(figure.marks).toEqual([{ label: "wall", x: 2.5 }]);
  const expected = new Map<number, number>();
  for (const [value, count] of [
    [0.1, 0.75 * 5],
    [0.5, 0.75 * 2.5],
    [1.4, 0.75 * 2.5],
    [0.1, 0.25 * 9 * 0.9],
    [0.9, 0.25 * 9 * 0.1],
  ] as const)
    // prettier-ignore
    expected.set(Math.floor(value / step), (expected.get(Math.floor(value / step)) ?? 0) + count);
  expect([...others!.x].map((x) => Math.round(x / step - 0.5))).toEqual([...expected.keys()].toSorted((a, b) => a - b));
  others!.x.forEach((x, i) => expect(others!.y[i]! * step).toBeCloseTo(expected.get(Math.round(x / step - 0.5))!, 12));
  expect([...aligned!.x].map((x) => Math.floor(x / step))).toEqual([Math.floor(4 / step), Math.floor(5 / step)]);
  aligned!.y.forEach((y) => expect(y * step).toBeCloseTo(0.125, 12));
  const plain = alignmentFigure([{ probability: 1, summary: summary([0.2]) }], 3, 2.5) as unknown as typeof figure;
  expect(plain.series.map(({ x }) => [...x])).toEqual([[expect.closeTo((Math.floor(0.2 / ((1.02 * 2.5) / 48)) + 0.5) * ((1.02 * 2.5) / 48), 12)]]); // prettier-ignore
});

test("branches come back from the state of a posterior as they went in", () => {
  const group = (shift: number) => ({
    field: { mean: Float64Array.of(1 + shift, -2), covariance: matrix([2, 0.3], [0.3, 1 + shift]) },
    units: Float64Array.from({ length: 6 }, (_, k) => k + shift),
  });
  const branches = [
    { probability: 0.3, bulk: { ...group(0), weights: Float64Array.of(0.2, 0.8) } },
    { probability: 0.7, bulk: group(1), block: { ...group(2), odds: { odds: 0.4, logNormaliser: -1.5 } } },
  ];
  const state = branches.map((branch) => branchState(branch, 3));
  expect(weightedBranches({ branches: state } as unknown as ExpectationPropagationState)).toEqual(branches);
  expect(state[0]!.bulk.units.shape).toEqual([2, 3]);
  expect(state[0]!.bulk.fieldMean.shape).toEqual([2, 1]);
});
