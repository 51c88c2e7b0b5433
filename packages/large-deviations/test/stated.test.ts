import { createProblem, fit, type Claim, type FittedScenario, type Theory } from "@finitewidth/core";
import { describe, expect, it, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { densityFigure, layersFigure, matrixFigure } from "../src/effective-action/figures.js";
import { deepErrors, shallowErrors } from "../src/effective-action/regimes/stated-errors.js";
import { settingOf as actionSetting } from "../src/effective-action/setting.js";
import { regimeWarnings } from "../src/forward-backward/warnings.js";
import { settingOf } from "../src/forward-backward/setting.js";
import type { ForwardBackwardOptions } from "../src/forward-backward/options.js";
import { effectiveAction } from "../src/index.js";
import { claimsAbout, testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (points: number, columns: number): number[][] =>
  Array.from({ length: points }, (_, i) => Array.from({ length: columns }, (__, j) => Math.sin(3 * i + 5 * j + 1)));
const input = (
  widths: readonly number[],
  activation: string,
  points: number,
  outputs = 1,
  scaling: "standard" | "mean-field" = "standard",
) => ({
  network: { type: "fully-connected", widths, activation },
  inputs: rows(points, 3),
  targets: rows(points, outputs),
  temperature: 0.2,
  scaling,
});

describe("errors that the action states, by load α = P/N of the narrowest layer", () => {
  const setting = (widths: readonly number[], activation: string, points: number, outputs = 1) =>
    actionSetting(createProblem(input(widths, activation, points, outputs), registry), registry);
  const size = (error: Claim["error"] | undefined) => (error === undefined ? undefined : (error as { relative: number }).relative);
  const all = (errors: ReturnType<typeof shallowErrors>) => [errors.mean, errors.variance, errors.train, errors.kernel].map(size);
  it.each([
    // mean, variance, training outputs, kernel
    ["erf", 1, 20, 1, [0.045, 0.15, 0.05, 0.12]],
    ["erf", 4, 5, 1, [0.12, 0.15, 0.05, 0.12]],
    ["erf", 5, 5, 1, [0.15, 0.15, 0.05, 0.12]],
    ["erf", 6, 4, 1, [undefined, 0.15 * 1.5 ** 0.3, 0.05 * 1.5 ** 0.5, 0.18]],
    ["erf", 8, 4, 1, [undefined, 0.15 * 2 ** 0.3, 0.05 * 2 ** 0.5, 0.24]],
    ["erf", 9, 4, 1, [undefined, 0.15 * 2.25 ** 0.3, 0.05 * 1.5, undefined]],
    ["erf", 4, 5, 2, [undefined, 0.15, 0.05, 0.12]],
    ["relu", 4, 5, 1, [undefined, 0.15, 0.05, 0.2]],
    ["relu", 9, 4, 1, [undefined, 0.15 * 2.25 ** 0.6, 0.05 * 2.25 ** 0.4, 0.2 * 2.25 ** 0.25]],
  ] as const)("%s, P = %d, N = %d, %d outputs", (activation, points, width, outputs, expected) => {
    all(shallowErrors(setting([width], activation, points, outputs))).forEach((error, i) => {
      if (expected[i] === undefined) expect(error).toBeUndefined();
      else expectClose(error!, expected[i]!, { relative: 1e-12 });
    });
  });
  it("are a third for the corrected mean, and of several layers those of the narrowest", () => {
    expectClose(size(shallowErrors(setting([5], "erf", 4), true).mean)!, 0.04, { relative: 1e-12 });
    const errors = deepErrors(setting([9, 4], "erf", 6));
    expect(size(errors.variance)).toBe(0.27);
    expectClose(size(errors.train)!, 0.06 * 1.5 ** 0.6, { relative: 1e-12 });
    expect([errors.mean, errors.kernel]).toEqual([undefined, undefined]);
  });
});

describe("what the action claims", () => {
  const claims = async (...[widths, activation, points, options]: [number[], string, number, Record<string, unknown>?]) =>
    (await claimsAbout(effectiveAction, input(widths, activation, points), rows(2, 3), options)).map(({ id, error, estimand }) => [
      id,
      error,
      estimand,
    ]);
  it("of linear networks is exact by the integral, O(1/N) at the saddle", async () => {
    const kernel = { of: "posterior", quantity: "hiddenKernel", layer: 1 };
    const quantities = [
      ["predictive-mean", { of: "posterior", quantity: "predictive.mean" }],
      ["predictive-variance", { of: "posterior", quantity: "predictive.variance" }],
      ["train-mean", { of: "posterior", quantity: "train.mean" }],
    ] as const;
    expect(await claims([6], "identity", 4)).toEqual([
      ...quantities.map(([id, estimand]) => [id, "exact", estimand]),
      ["log-evidence", "exact", { of: "posterior", quantity: "logEvidence" }],
      ["hidden-kernel-1", "exact", kernel],
    ]);
    expect(await claims([6], "identity", 4, { mode: "saddle" })).toEqual([
      ...quantities.map(([id, estimand]) => [id, { order: 1 }, estimand]),
      ["hidden-kernel-1", { order: 1 }, kernel],
    ]);
  });
  it("leaves out what is off by more than 30 %, and evidences of nonlinear networks", async () => {
    expect((await claims([6], "erf", 4)).map(([id]) => id)).toEqual([
      "predictive-mean",
      "predictive-variance",
      "train-mean",
      "hidden-kernel-1",
    ]);
    // variance 0.15 · 4^0.6 = 0.34 of relu at P/N = 4, kernel 0.28
    expect((await claims([2], "relu", 8)).map(([id]) => id)).toEqual(["train-mean", "hidden-kernel-1"]);
  });
  it("carries its own values", async () => {
    const { posterior, predict } = await fit(effectiveAction as Theory, input([6], "identity", 4), { registry });
    const predictive = await predict(rows(2, 3));
    const scenario = { scenario: { name: "test", problem: posterior.problem, testInputs: predictive.mean }, posterior, predictive };
    const found = Object.fromEntries(
      [...(effectiveAction as Theory).claims(scenario as FittedScenario<unknown, unknown>, registry)].map(({ id, value }) => [id, value]),
    );
    expect(found["predictive-mean"]).toEqual(predictive.mean);
    expect(found["predictive-variance"]).toEqual(predictive.variance);
    expect(found["train-mean"]).toEqual(posterior.train!.mean);
    expect([...found["log-evidence"]!.data]).toEqual([posterior.logEvidence]);
    expect(found["hidden-kernel-1"]).toEqual(posterior.hiddenKernels![0]);
  });
});

describe("warnings of forward–backward by their thresholds", () => {
  const warned = (
    {
      widths = [40],
      activation = "erf",
      points = 6,
      outputs = 1,
      scaling = "mean-field" as "standard" | "mean-field",
      force = 9,
      fraction = 0.9,
    },
    options: Partial<ForwardBackwardOptions> = {},
  ) => {
    const problem = createProblem(input(widths, activation, points, outputs, scaling), registry);
    return regimeWarnings(problem, settingOf(problem, registry), { order: "full", closure: "quadrature", ...options }, force, fraction);
  };
  it.each([
    [{}, {}, []],
    [{ fraction: 0.2 }, {}, []],
    [{ fraction: 0.19 }, {}, [/^the importance nodes keep only 19 %/]],
    [{}, { closure: "gaussian-variational" }, [/^the Gaussian variational closure misses/]],
    [{}, { closure: "gaussian-variational", order: "first" }, []],
    [{ activation: "identity" }, { closure: "gaussian-variational" }, []],
    [{ force: 5 }, {}, []],
    [{ force: 4.9 }, {}, [/^force number 4\.9 is below 5.*or order "proportional"/]],
    [{ force: 4.9, scaling: "standard" }, {}, [/^force number/]],
    [{ scaling: "standard" }, {}, [/^standard scaling/]],
    [{ force: 1, scaling: "standard", widths: [1] }, { order: "proportional" }, []],
    [{ widths: [3] }, {}, []],
    [{ widths: [2] }, {}, [/^layer 1 has width 2, less than P·D\/2 = 3: relative errors of order 3\.0 are possible; order "proportional"/]],
    [{ widths: [6, 5], outputs: 2 }, {}, [/^layer 2 has width 5, less than P·D\/2 = 6: relative errors of order 2\.4 are possible$/]],
    [{ widths: [1], points: 20 }, {}, [/^layer 1 has width 1.*order 9\.9/]],
  ] as const)("%j, %j", (network, options, expected) => {
    const found = warned(network as never, options as never);
    expect(found).toHaveLength(expected.length);
    found.forEach((text, i) => expect(text).toMatch(expected[i]!));
  });
  it("order proportional is no way out for several layers or outputs", () => {
    for (const change of [{ widths: [40, 40] }, { outputs: 2 }]) expect(warned({ force: 1, ...change })[0]).not.toContain("proportional");
  });
});

test("figures: densities of log Q, matrices less the identity, order parameters by layer", () => {
  const nodes = Float64Array.from({ length: 5 }, (_, i) => Math.exp(0.5 * i - 1));
  const density = densityFigure({ nodes, weights: Float64Array.of(1e-9, 0.2, 0.5, 0.3, 2e-8) }, 1.3) as unknown as {
    series: { x: Float64Array; y: Float64Array }[];
    marks: { label: string; x: number }[];
  };
  expectClose(density.series[0]!.x, nodes.subarray(1), { relative: 1e-14 });
  expectClose(density.series[0]!.y, [0.4, 1, 0.6, 4e-8], { relative: 1e-12 });
  expect(density.marks).toEqual([{ label: "saddle", x: 1.3 }, { label: "infinite width", x: 1 }]); // prettier-ignore
  const matrix = { data: Float64Array.of(2, 0.3, -0.4, 5), shape: [2, 2] as const };
  const { panels } = matrixFigure(matrix, "outputs") as unknown as { panels: { label: string; values: { data: Float64Array } }[] };
  expect(panels.map(({ label, values }) => [label, ...values.data])).toEqual([["outputs", 1, 0.3, -0.4, 4]]);
  const { series } = layersFigure(Float64Array.of(1.5, 0.7)) as unknown as {
    series: { label: string; x: Float64Array; y: Float64Array }[];
  };
  expect(series.map(({ label, x, y }) => [label, [...x], [...y]])).toEqual([["Q_l", [1, 2], [1.5, 0.7]], ["infinite width", [1, 2], [1, 1]]]); // prettier-ignore
});
