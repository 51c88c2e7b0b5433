import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  createScalarProblem,
  scalarAction,
  scalarIntegral,
  scalarMinima,
  trainError,
  zeroTemperatureMinimum,
  type ScalarProblem,
} from "../src/index.js";

/** A small problem whose kernel is X Xᵀ/n + ridge. */
const example = (
  changes: Partial<{
    scale: number;
    targetScale: number;
    temperature: number;
    biasVariance: number;
    width: number;
    targets: readonly number[];
    permutation: readonly number[];
  }> = {},
): ScalarProblem => {
  const { scale = 1, targetScale = 1, temperature = 0.2, biasVariance = 0, width = 4, permutation = [0, 1, 2, 3, 4, 5] } = changes;
  const targets = changes.targets ?? [1.2, -0.3, 0.8, -2.1, 0.4, 1.9];
  const kernel = permutation.map((a) =>
    permutation.map((b) => scale * (Math.cos(1.3 * (a - b)) + 0.5 * Math.exp(-Math.abs(a - b)) + (a === b ? 0.3 : 0))),
  );
  return createScalarProblem({
    kernel: matrixFromRows(kernel),
    targets: Float64Array.from(permutation, (a) => targetScale * targets[a]!),
    temperature,
    width,
    biasVariance,
  });
};

const best = (problem: ScalarProblem): number => scalarMinima(problem).minima[0].orderParameter;

describe("invariants", () => {
  it("derivatives agree with differences, with and without bias", () => {
    for (const biasVariance of [0, 0.7, 1e6]) {
      const problem = example({ biasVariance });
      for (const u of [-1.5, 0, 0.9]) {
        const h = 1e-5;
        const [left, middle, right] = [u - h, u, u + h].map((x) => scalarAction(problem, Math.exp(x))) as [
          ReturnType<typeof scalarAction>,
          ReturnType<typeof scalarAction>,
          ReturnType<typeof scalarAction>,
        ];
        expectClose(
          [middle.first, middle.second, middle.third],
          [(right.value - left.value) / (2 * h), (right.first - left.first) / (2 * h), (right.second - left.second) / (2 * h)],
          { absolute: 2e-8, relative: 2e-8 },
        );
      }
    }
  });
  it("K → sK, y → √s y, T → sT, b → sb leaves Q* (1e-12)", () => {
    const s = 7.3;
    for (const biasVariance of [0, 0.4]) {
      const scaled = example({ scale: s, targetScale: Math.sqrt(s), temperature: 0.2 * s, biasVariance: s * biasVariance });
      expectClose(best(scaled), best(example({ biasVariance })), { relative: 1e-12 });
    }
  });
  it("permuting the training points changes nothing", () => {
    expectClose(best(example({ permutation: [3, 0, 5, 1, 4, 2], biasVariance: 0.3 })), best(example({ biasVariance: 0.3 })), {
      relative: 1e-12,
    });
  });
  it("y = 0 gives Q < 1, K = 0 gives Q = 1", () => {
    expect(best(example({ targetScale: 0 }))).toBeLessThan(1);
    const silent = createScalarProblem({
      kernel: matrixFromRows([
        [0, 0],
        [0, 0],
      ]),
      targets: Float64Array.of(1, -2),
      temperature: 0.5,
      width: 3,
    });
    expectClose(best(silent), 1, { relative: 1e-11 });
  });
  it("N → ∞: N(Q − 1) → −tr A⁻¹K + rᵀKr at Q = 1", () => {
    const width = 1e7;
    const problem = example({ width });
    let limit = 0;
    problem.eigenvalues.forEach((k, i) => {
      const d = problem.temperature + k;
      limit += -k / d + (k * problem.targets[i]! ** 2) / d ** 2;
    });
    expectClose(width * (best(problem) - 1), limit, { relative: 1e-5 });
  });
  it("|y| → ∞: Q ~ √(yᵀK⁻¹y/N)", () => {
    const problem = example({ targetScale: 1e6 });
    const quadratic = problem.eigenvalues.reduce((sum, k, i) => sum + problem.targets[i]! ** 2 / k, 0);
    expectClose(best(problem), Math.sqrt(quadratic / problem.width), { relative: 1e-4 });
  });
  it("T = 0: the closed form, for α below, at and above 1", () => {
    for (const width of [4, 6, 9, 0.5]) {
      const problem = example({ temperature: 0, width });
      const quadratic = problem.eigenvalues.reduce((sum, k, i) => sum + problem.targets[i]! ** 2 / k, 0) / width;
      expectClose(best(problem), zeroTemperatureMinimum(quadratic, 6 / width), { relative: 1e-12 });
    }
  });
  it("E[Q] of the integral obeys E[Q] = 1 + E Σ(ep − p)/N", () => {
    for (const [temperature, width] of [
      [0.2, 4],
      [0, 3],
      [0.01, 0.5],
      [3, 40],
    ] as const) {
      const problem = example({ temperature, width });
      const { nodes, weights, mean } = scalarIntegral(problem);
      let right = 1;
      nodes.forEach((Q, j) => {
        problem.eigenvalues.forEach((k, i) => {
          const d = temperature + Q * k;
          right += (weights[j]! * ((problem.targets[i]! ** 2 * Q * k) / d ** 2 - (Q * k) / d)) / width;
        });
      });
      expectClose(mean, right, { relative: 1e-10 });
    }
  });
  it("a large readout bias becomes centring", () => {
    const centred = (() => {
      const y = [1.2, -0.3, 0.8, -2.1, 0.4, 1.9];
      return y.map((value) => value + 3);
    })();
    expectClose(best(example({ biasVariance: 1e9, targets: centred })), best(example({ biasVariance: 1e9 })), { relative: 1e-7 });
  });
  it("train error is 2T² ∂_T of the unnormalised log evidence over P", () => {
    const h = 1e-5;
    const evidence = (temperature: number): number => scalarIntegral(example({ temperature })).logEvidence;
    const T = 0.2;
    // log evidence with (2πT)^{-PD/2} removed: + (P/2) log T
    const slope = (evidence(T + h) + 3 * Math.log(T + h) - evidence(T - h) - 3 * Math.log(T - h)) / (2 * h);
    const problem = example();
    expectClose(trainError(problem, scalarIntegral(problem)).total, (2 * T * T * slope) / 6, { relative: 1e-7 });
  });
  it("finds both minima of the page's first-order transition", () => {
    const diagonal = [...Array<number>(60).fill(100), ...Array<number>(20).fill(0.01)];
    const at = (signal: number) => {
      const targets = Float64Array.from(diagonal, (k) => (k === 100 ? 0.3 : signal));
      const kernel = matrixFromRows(diagonal.map((k, i) => diagonal.map((_, j) => (i === j ? k : 0))));
      return scalarMinima(createScalarProblem({ kernel, targets, temperature: 0.5, width: 20 })).minima;
    };
    expect(at(6).length).toBe(1);
    const seven = at(7);
    expectClose(
      seven.map((m) => m.orderParameter),
      [0.00302, 15.42],
      { relative: 2e-3 },
    );
    expectClose(
      seven.map((m) => m.action),
      [102.781, 109.184],
      { absolute: 1e-3 },
    );
    expectClose(
      at(8).map((m) => m.action),
      [130.262, 132.777],
      { absolute: 5e-3 },
    );
  });
});

describe("rejections", () => {
  const kernel = [
    [1, 0.2],
    [0.2, 1],
  ];
  const make =
    (change: Partial<{ kernel: number[][]; targets: number[]; temperature: number; width: number; biasVariance: number }>) => () =>
      createScalarProblem({
        kernel: matrixFromRows(change.kernel ?? kernel),
        targets: Float64Array.from(change.targets ?? [1, 2]),
        temperature: change.temperature ?? 0.1,
        width: change.width ?? 3,
        biasVariance: change.biasVariance ?? 0,
      });
  it.each([
    ["negative temperature", make({ temperature: -1 }), /temperature: expected a number ≥ 0, got -1/],
    ["NaN temperature", make({ temperature: Number.NaN }), /temperature/],
    ["width 0", make({ width: 0 }), /width: expected a positive number, got 0/],
    ["negative bias variance", make({ biasVariance: -0.1 }), /biasVariance/],
    [
      "asymmetric kernel",
      make({
        kernel: [
          [1, 0.2],
          [0.3, 1],
        ],
      }),
      /symmetric/,
    ],
    [
      "indefinite kernel",
      make({
        kernel: [
          [1, 2],
          [2, 1],
        ],
      }),
      /positive semidefinite/,
    ],
    [
      "NaN in the kernel",
      make({
        kernel: [
          [1, Number.NaN],
          [Number.NaN, 1],
        ],
      }),
      /finite/,
    ],
    ["infinite target", make({ targets: [1, Infinity] }), /targets: expected finite numbers/],
    ["wrong number of targets", make({ targets: [1, 2, 3] }), /targets: expected 2 numbers/],
    [
      "T = 0 with duplicate inputs",
      make({
        kernel: [
          [1, 1],
          [1, 1],
        ],
        temperature: 0,
      }),
      /singular \(rank 1 of 2/,
    ],
  ])("%s", (_, call, message) => {
    expect(call).toThrow(message);
  });
  it("T = 0, P ≥ N and y = 0: no saddle", () => {
    expect(() => scalarMinima(make({ temperature: 0, width: 2, targets: [0, 0] })())).toThrow(/no minimum/);
    expect(scalarMinima(make({ temperature: 0, width: 3, targets: [0, 0] })()).minima[0].orderParameter).toBeCloseTo(1 / 3, 12);
  });
});
