import { createProblem, fit, FinitewidthError, matrixFromRows, type Claim, type FittedScenario, type Theory } from "@finitewidth/core";
import { describe, expect, it, test } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { densityFigure, layersFigure, matrixFigure } from "../src/effective-action/figures.js";
import { deepErrors, shallowErrors } from "../src/effective-action/regimes/stated-errors.js";
import { settingOf as actionSetting } from "../src/effective-action/setting.js";
import { regimeWarnings } from "../src/forward-backward/warnings.js";
import { closureOptionsOf, settingOf } from "../src/forward-backward/setting.js";
import type { ForwardBackwardOptions } from "../src/forward-backward/options.js";
import { secondSolution } from "../src/forward-backward/starts.js";
import { effectiveAction, forwardBackward, isSampled, type Saddle, type SaddleOptions } from "../src/index.js";
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

describe("claims of every kind of action and of forward–backward", () => {
  const shown = async (theory: Theory, given: object, options: Record<string, unknown> = {}) =>
    (await claimsAbout(theory, { ...(input([6], "erf", 3) as ReturnType<typeof input>), ...given }, rows(2, 3), options)).map(
      ({ id, error, estimand }) =>
        [id, typeof error === "object" ? JSON.stringify(error) : error, ...("layer" in estimand ? [estimand.layer] : [])].join(" "),
    );
  const ea = effectiveAction as Theory;
  const fb = forwardBackward as Theory;
  const order = (ids: readonly string[], n: number) => ids.map((id) => `${id} {"order":${n}}`);
  const relative = (id: string, error: number, layer = "") => `${id} {"relative":${error}}${layer}`;
  const outputs = ["predictive-mean", "predictive-variance", "train-mean"];
  it("effective action", async () => {
    const nonlinear = [relative("predictive-variance", 0.15), relative("train-mean", 0.05)];
    const kernel = relative("hidden-kernel-1", 0.12, " 1");
    const deep = [relative("predictive-variance", 0.27), relative("train-mean", 0.06)];
    const filters = { type: "convolutional", inputShape: [1, 3], layers: [{ channels: 6, kernelSize: [2] }], activation: "erf" };
    expect(await shown(ea, input([6], "identity", 3, 2))).toEqual([...order(outputs, 1), 'hidden-kernel-1 {"order":1} 1']);
    expect(await shown(ea, input([6], "erf", 3, 2))).toEqual([...nonlinear, kernel]);
    expect(await shown(ea, input([6, 5], "identity", 3, 2))).toEqual(order(outputs, 1));
    expect(await shown(ea, input([6, 5], "erf", 3, 2), { closure: "product" })).toEqual(deep);
    expect(await shown(ea, input([6, 5], "identity", 3))).toEqual(order(outputs, 1));
    expect(await shown(ea, input([6, 5], "erf", 3))).toEqual(deep);
    expect(await shown(ea, { network: filters })).toEqual([relative("train-mean", 0.12)]);
    const linear = { ...filters, activation: "identity" };
    expect(await shown(ea, { network: linear })).toEqual([relative("train-mean", 0.05), relative("hidden-kernel-1", 0.02, " 1")]);
    // neither with several outputs, nor with a mean, nor pooled, nor beyond a point for each channel
    expect(await shown(ea, { network: filters, targets: rows(3, 2) })).toEqual([]);
    const narrow = { layers: [{ channels: 2, kernelSize: [2] }] };
    for (const other of [{ activation: "relu" }, { readout: "global-average" }, narrow])
      expect(await shown(ea, { network: { ...filters, ...other } })).toEqual([]);
    expect(await shown(ea, {}, { correction: "cumulant", draws: 80 })).toEqual([relative("predictive-mean", 0.025), ...nonlinear, kernel]);
    const relu = [...nonlinear, relative("hidden-kernel-1", 0.2, " 1")];
    for (const options of [{}, { mean: "plain" }]) expect(await shown(ea, input([6], "relu", 3), options)).toEqual(relu);
    // a corrected mean carries the error of its draws
    const corrected = await claimsAbout(ea, input([6], "erf", 3), rows(2, 3), { correction: "cumulant", draws: 80 });
    expect(corrected.map(({ standardError }) => standardError !== undefined)).toEqual([true, false, true, false]);
    expect(corrected[0]!.standardError).not.toEqual(corrected[2]!.standardError);
  });
  it("forward–backward: by scaling, force, order and closure", async () => {
    const strong = { targets: rows(3, 1).map((row) => row.map((y) => 9 * y)), temperature: 0.05 };
    const weak = { temperature: 10 };
    const inputs = [
      [1, 0.2, -0.3],
      [0.1, -1, 0.4],
      [0.5, 0.6, 1.2],
    ];
    const of = (given: object, options = {}) => shown(fb, { ...input([9, 8], "identity", 3), inputs, ...given }, options);
    const [first, second, third] = ['hidden-kernel-1 {"order":1} 1', 'hidden-kernel-2 {"order":1} 2', 'hidden-kernel-1 {"order":2} 1'];
    const means = order(["train-mean", "predictive-mean"], 1);
    expect(await of(strong)).toEqual([first, second, 'log-evidence {"order":0}']);
    expect(await of(weak)).toEqual([third, second]);
    expect(await of({ ...strong, scaling: "mean-field" })).toEqual([first, second, ...means]);
    expect(await of({ temperature: 1e3, scaling: "mean-field" })).toEqual([first, second]);
    expect(await of(weak, { order: "first" })).toEqual([third, second]);
    expect(await of({ temperature: 1e3, scaling: "mean-field" }, { order: "first" })).toEqual([]);
    // the variational Gaussian is exact for linear networks only
    expect(await of(strong, { closure: "gaussian-variational" })).toEqual([first, second, 'log-evidence {"order":0}']);
    expect(await shown(fb, input([9, 8], "erf", 3), { closure: "gaussian-variational" })).toEqual([]);
    const proportional = (width: number, activation: string) => shown(fb, input([width], activation, 5), { order: "proportional" });
    const errors = (kernel: number, train: number) => [relative("hidden-kernel-1", kernel, " 1"), relative("train-mean", train)];
    expect(await proportional(9, "erf")).toEqual(errors(0.04, 0.015));
    expect(await proportional(9, "relu")).toEqual(errors(0.1, 0.02));
    expect(await proportional(2, "erf")).toEqual([]);
  });
});

describe("which averages forward–backward takes", () => {
  it.each([
    // a lattice up to three points (two at kinks), closed forms, four-point functions up to sixteen points
    ["identity", 9, {}, false],
    ["erf", 3, {}, false],
    ["erf", 4, {}, true],
    ["erf", 4, { closure: "gaussian-variational" }, false],
    ["erf", 16, { order: "first" }, false],
    ["erf", 17, { order: "first" }, true],
    ["tanh", 4, { order: "first" }, false],
    ["tanh", 5, { order: "first" }, true],
    ["tanh", 5, { order: "first", closure: "gaussian-variational" }, true],
    ["relu", 2, {}, false],
    ["relu", 3, {}, true],
    ["relu", 16, { order: "first" }, false],
    ["relu", 17, { order: "first" }, true],
    ["gelu", 3, {}, false],
  ] as const)("%s, %d points, %j: random nodes %s", (activation, dimensions, options, expected) => {
    expect(isSampled(registry.activation(activation), { order: "full", closure: "quadrature", dimensions, ...options })).toBe(expected);
  });
  it("2^15 nodes at kinks and up to eight points, 2^13 elsewhere, or those asked for; the largest variance of a hidden layer", () => {
    const of = (activation: string, points: number, nodes?: number) => {
      const problem = createProblem(input([40, 30], activation, points), registry);
      const setting = settingOf(problem, registry);
      return { ...closureOptionsOf(setting, { order: "full", closure: "quadrature", ...(nodes ? { nodes } : {}) }, 4), setting };
    };
    expect([of("relu", 8), of("relu", 9), of("erf", 4), of("relu", 8, 7)].map(({ log2Count }) => log2Count)).toEqual([15, 13, 13, 7]);
    const { largestVariance, setting, seed, dimensions } = of("erf", 5);
    const variances = setting.infiniteWidth.slice(0, 2).flatMap(({ data }) => [0, 1, 2, 3, 4].map((i) => data[6 * i]!));
    expect([largestVariance, seed, dimensions]).toEqual([Math.max(...variances), 4, 5]);
    const order = (name: ForwardBackwardOptions["order"]) => closureOptionsOf(setting, { order: name, closure: "quadrature" }, 1).order;
    expect((["full", "first", "proportional"] as const).map(order)).toEqual(["full", "first", "full"]);
  });
  it("of two solutions the one with the larger action is taken, with a warning; a failed or equal second one is nothing", () => {
    const saddleAt = (size: number, action: number) =>
      ({ kernels: [1, size].map((x) => matrixFromRows([[x]])), action }) as unknown as Saddle;
    const first = saddleAt(2, -5);
    const asked: SaddleOptions[] = [];
    const search = (second: Saddle | FinitewidthError) =>
      secondSolution(
        first,
        (options) => {
          asked.push(options);
          if (options.strength === 2) return saddleAt(7, 0);
          if (second instanceof FinitewidthError) throw second;
          return second;
        },
        () => undefined,
      );
    expect(search(saddleAt(3, -4))).toMatchObject({ saddle: { action: -4 } });
    expect(asked.map(({ strength, start }) => [strength, start!.map(({ data }) => data[0])])).toEqual([[2, [2]], [undefined, [7]]]); // prettier-ignore
    expect(search(saddleAt(3, -4)).warning).toMatch(/readout kernel 50 % away; the one with the larger action \(-4\.00000\) is reported/);
    expect(search(saddleAt(1, -6))).toMatchObject({ saddle: first, warning: expect.stringMatching(/50 % away.*\(-5\.00000\)/) });
    expect(search(saddleAt(2 + 1e-6, -4))).toEqual({ saddle: first });
    expect(search(new FinitewidthError("none", { code: "not-converged" }))).toEqual({ saddle: first });
    expect(() => search(new FinitewidthError("stop", { code: "input" }))).toThrow("stop");
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
    [{ force: 4.999 }, {}, [/^force number 4\.99 is below 5/]],
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
