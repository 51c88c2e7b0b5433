import { createProblem, fit, inlineRun, matrixFromRows, resolveArchitecture, validate, type PriorResult } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  atWidths,
  chainVertices,
  kernelCovarianceTensor,
  outputDensityFactor,
  outputLogDensity,
  perturbative,
  type PerturbativeOptions,
} from "../src/index.js";
import { outputCovariance } from "../src/kernel-flow/vertex.js";
import { chainOf, createSetting, engineRefusal } from "../src/theory/setting.js";
import type { Engine } from "../src/theory/options.js";
import { registry } from "./networks.js";

const rows = (count: number): number[][] =>
  Array.from({ length: count }, (_, i) => [1 + 0.3 * Math.sin(2 * i), Math.cos(3 * i), 0.1 * i - 0.4]);
const networkOf = (fields: object) =>
  createProblem(
    { network: { type: "fully-connected", ...fields } as { type: string }, inputs: rows(1), targets: [0], temperature: 1 },
    registry,
  ).network;
const ask = (fields: object, inputs: number[][], evaluateAt: number[][][] = [], outputs = 1): Promise<PriorResult> =>
  perturbative.prior!(
    {
      network: networkOf(fields),
      inputs: matrixFromRows(inputs),
      outputs,
      evaluateAt: evaluateAt.map((value) => matrixFromRows(value)),
      samples: 1,
    },
    validate(perturbative.options, {}, "options") as PerturbativeOptions,
    inlineRun({ registry }),
  );
const deep = { widths: [12, 19], activation: "erf", weightVariance: [1.3, 0.9, 1.6], biasVariance: [0.2, 0.1, 0.4] };

describe("prior at one input, two outputs", () => {
  it("moments, kurtosis and log densities belong together", async () => {
    const values = [[[0.3, -0.8]], [[2, 0.1]], [[0, 0]]];
    const found = await ask(deep, rows(1), values, 2);
    const kernel = infiniteWidthKernels(resolveArchitecture(registry, networkOf(deep)), matrixFromRows(rows(1))).preactivation.at(-1)!
      .data[0]!;
    const [variance, meanShift] = [found.kernelCovariance!.data[0]!, found.kernelMeanShift!.data[0]!];
    expect(variance).toBeGreaterThan(0);
    expect(Math.abs(meanShift)).toBeGreaterThan(1e-4);
    expectClose(found.secondMoment!.data[0]!, kernel + meanShift, { relative: 1e-12 });
    expectClose(found.excessKurtosis![0]!, (3 * variance) / kernel ** 2, { relative: 1e-10 });
    expectClose(found.fourthCumulant!.data[0]!, 3 * variance, { relative: 1e-12 });
    expectClose(found.diagnostics!["largestRelativeVariance"] as number, variance / kernel ** 2, { relative: 1e-10 });
    values.forEach(([f], i) =>
      expectClose(found.logDensity![i]!, outputLogDensity(f!, { kernel, variance, meanShift }).logDensity, { relative: 1e-9 }),
    );
    expect(found.warnings).toEqual([]);
    expect(found.standardError).toBeUndefined();
    expect(found.diagnostics).toMatchObject({ engine: "exact", priorDistance: { sentence: expect.stringContaining("χ²") as string } });
  });

  it("figures: the density and its correction, the kurtosis of the networks cut off above each layer", async () => {
    const found = await ask(deep, rows(2));
    const figures = found.figures as unknown as { series: { label: string; x: Float64Array; y: Float64Array }[] }[];
    expect(figures).toHaveLength(2);
    const kernel = infiniteWidthKernels(resolveArchitecture(registry, networkOf(deep)), matrixFromRows(rows(1))).preactivation.at(-1)!
      .data[0]!;
    const law = { kernel, variance: found.kernelCovariance!.data[0]!, meanShift: found.kernelMeanShift!.data[0]! };
    const [plain, corrected] = figures[0]!.series;
    expect(plain!.x[120]).toBeCloseTo(0, 12);
    expect(plain!.x[240]! ** 2 / kernel).toBeCloseTo(36, 9);
    plain!.x.forEach((f, i) =>
      expectClose(plain!.y[i]!, Math.exp((-0.5 * f * f) / kernel) / Math.sqrt(2 * Math.PI * kernel), { relative: 1e-12 }),
    );
    corrected!.x.forEach((f, i) =>
      expectClose(corrected!.y[i]!, (outputDensityFactor([f], law) * Math.exp((-0.5 * f * f) / kernel)) / Math.sqrt(2 * Math.PI * kernel), {
        relative: 1e-10,
      }),
    );
    const [depth] = figures[1]!.series;
    expect([...depth!.x]).toEqual([1, 2]);
    for (const l of [1, 2]) {
      const cut = {
        ...deep,
        widths: deep.widths.slice(0, l),
        weightVariance: deep.weightVariance.slice(0, l + 1),
        biasVariance: deep.biasVariance.slice(0, l + 1),
      };
      expectClose(depth!.y[l - 1]!, (await ask(cut, rows(2))).excessKurtosis![0]!, { relative: 1e-9 });
    }
  });

  it("an input whose output is always 0 has no kurtosis, no density and no figure", async () => {
    const found = await ask({ widths: [5, 4], activation: "erf" }, [[0, 0, 0]], [[[0.1]]]);
    expect([...found.secondMoment!.data, ...found.excessKurtosis!]).toEqual([0, 0]);
    expect(found.figures).toEqual([]);
    expect(found.logDensity).toBeUndefined();
    expect(found.warnings).toEqual([expect.stringContaining("the kernel of the inputs is singular")]);
    expect(found.diagnostics).toEqual({ engine: "exact", largestRelativeVariance: 0 });
  });

  it("tells how far first order can be trusted, by the relative variance of the kernel", async () => {
    const warned = async (widths: number[]) => {
      const { diagnostics, warnings } = await ask({ widths, activation: "identity" }, rows(2));
      return [diagnostics!["largestRelativeVariance"], warnings.map((text) => text.replace(/^.*is (doubtful|not to be trusted).*$/, "$1"))];
    };
    // 2/N₁ + 2/N₂ of linear networks
    expect(await warned([7])).toEqual([expect.closeTo(2 / 7, 10), []]);
    expect(await warned([6])).toEqual([expect.closeTo(1 / 3, 10), ["doubtful"]]);
    expect(await warned([4, 5])).toEqual([expect.closeTo(0.9, 10), ["doubtful"]]);
    expect(await warned([3, 4])).toEqual([expect.closeTo(7 / 6, 10), ["not to be trusted"]]);
  });
});

describe("linear filters", () => {
  const filters = {
    type: "convolutional",
    inputShape: [1, 4],
    layers: [7, 11].map((channels) => ({ channels, kernelSize: [3], stride: [1], padding: "circular" })),
    activation: "identity",
    weightVariance: [1.3, 0.8, 1.6],
    biasVariance: [0.2, 0.1, 0.3],
  };
  const inputs = [[1, 0.2, -0.5, 0.3], [-0.4, 1.1, 0.6, -0.2], [0.8, -0.3, 0.2, 0.9]]; // prettier-ignore
  it.each(["flatten", "global-average"])(
    "readout %s: pairings of site combinations are the vertices pushed to the outputs",
    async (readout) => {
      const { network } = createProblem({ network: { ...filters, readout } as { type: string }, inputs, targets: [0, 0, 0], temperature: 1 }, registry); // prettier-ignore
      const problem = { network, inputs: matrixFromRows(inputs), outputs: 1, evaluateAt: [], samples: 1 };
      const found = await perturbative.prior!(problem, validate(perturbative.options, {}, "options") as PerturbativeOptions, inlineRun({ registry })); // prettier-ignore
      const setting = createSetting(network, "auto", 3, registry);
      const chain = chainOf(setting, problem.inputs, "inputs");
      const sigma = atWidths(outputCovariance(chain, chainVertices(chain)), [7, 11]);
      expectClose(found.kernelCovariance!, kernelCovarianceTensor(sigma, 3), { relative: 1e-10, absolute: 1e-13 });
      [0, 1, 2].forEach((a) =>
      expectClose(found.excessKurtosis![a]!, (3 * found.kernelCovariance!.data[40 * a]!) / chain.output.data[4 * a]! ** 2, { relative: 1e-10 }),
    ); // prettier-ignore
      expectClose(found.secondMoment!, chain.output, { relative: 1e-13 });
      expect(found.figures).toHaveLength(1);
      expect(found.diagnostics!["engine"]).toBe("closed-form");
    },
  );
});

describe("what is refused, and what to use instead", () => {
  const refusal = (network: object, engine: Engine, points = 3): string | undefined =>
    engineRefusal(resolveArchitecture(registry, networkOf(network)), engine, points);
  it.each([
    [{ widths: [5, 6], activation: "relu" }, "sampled", undefined],
    [{ widths: [5], activation: "hinge" }, "sampled", undefined],
    [{ widths: [5], activation: "hinge" }, "exact", /"hinge" has kinks and no four-point functions; use "engine": "sampled"/],
    [{ widths: [5, 6], activation: "hinge" }, "sampled", /mean shift of several layers.*"hinge".*"engine": "networks"/],
    [{ widths: [5, 6], activation: "hinge" }, "auto", undefined],
    [{ widths: [5, 6], activation: "hinge" }, "networks", undefined],
  ] as const)("%j, engine %s", (network, engine, expected) => {
    const found = refusal(network, engine);
    if (expected === undefined) expect(found).toBeUndefined();
    else expect(found).toMatch(expected);
  });
  it("a prior that is known from drawn networks only is left to monte-carlo", () => {
    const question = (engine: Engine, activation: string) =>
      perturbative.refusesPrior!(
        { network: networkOf({ widths: [5, 6], activation }), inputs: matrixFromRows(rows(2)), outputs: 1, evaluateAt: [], samples: 1 },
        { engine, samples: 64 },
        registry,
      );
    expect(question("networks", "erf")).toMatch(/use monte-carlo/);
    expect(question("auto", "hinge")).toMatch(/use monte-carlo/);
    expect(question("exact", "hinge")).toMatch(/has kinks/);
    expect(question("auto", "erf")).toBeUndefined();
  });
});

it("claims name what they are about; one layer has the exact moments of its kernel", async () => {
  const inputs = rows(3);
  const of = async (widths: number[], activation: string, engine: Engine) => {
    const problem = { network: { type: "fully-connected", widths, activation }, inputs, targets: [[1, 0], [0, 2], [0.5, -1]], temperature: 0.3 }; // prettier-ignore
    const options = { engine, samples: 256 };
    const { posterior, predict } = await fit(perturbative, problem, { registry, options });
    const predictive = await predict(rows(5).slice(3), { covariance: true });
    const prior = await ask({ widths, activation }, inputs);
    const scenario = { problem: posterior.problem } as never;
    return {
      posterior,
      predictive,
      prior,
      claims: [...perturbative.claims!({ scenario, posterior, predictive, prior } as never, registry)],
    };
  };
  const deepErf = await of([5, 6], "erf", "exact");
  const { posterior, predictive, prior } = deepErf;
  expect(deepErf.claims.map(({ id, estimand: { of: law, quantity, layer }, error }) => [id, law, quantity, layer, error])).toEqual([
    ["log-evidence", "posterior", "logEvidence", undefined, { order: 2 }],
    ["predictive-mean", "posterior", "predictive.mean", undefined, { order: 2 }],
    ["predictive-variance", "posterior", "predictive.variance", undefined, { order: 2 }],
    ["predictive-covariance", "posterior", "predictive.covariance", undefined, { order: 2 }],
    ["hidden-kernel-1", "posterior", "hiddenKernel", 1, { order: 2 }],
    ["hidden-kernel-2", "posterior", "hiddenKernel", 2, { order: 2 }],
    ["kernel-mean", "prior", "kernelMean", undefined, { order: 2 }],
    ["kernel-covariance", "prior", "kernelCovariance", undefined, { order: 2 }],
  ]);
  expect(deepErf.claims.map(({ value }) => value)).toEqual([
    { data: Float64Array.of(posterior.logEvidence!), shape: [1] },
    predictive.mean,
    predictive.variance,
    predictive.covariance,
    ...posterior.hiddenKernels!,
    prior.secondMoment,
    prior.kernelCovariance,
  ]);
  expect(deepErf.claims.every(({ standardError }) => standardError === undefined)).toBe(true);
  const errors = async (widths: number[], activation: string) => (await of(widths, activation, "auto")).claims.slice(-2).map(({ error }) => error); // prettier-ignore
  expect(await errors([5], "erf")).toEqual(["exact", "exact"]);
  expect(await errors([5, 6], "identity")).toEqual(["exact", { order: 2 }]);
  // sampled covariances are not claimed, the rest has its errors
  const { claims: sampled, predictive: at } = await of([5, 6], "erf", "sampled");
  expect(sampled.map(({ id }) => id)).not.toContain("predictive-covariance");
  expect(sampled.slice(0, 5).every(({ standardError }) => standardError !== undefined)).toBe(true);
  expect([sampled[1]!.standardError, sampled[2]!.standardError]).toEqual([at.standardError!.mean, at.standardError!.variance]);
});

describe("what is worked out at how many inputs", () => {
  it("tensors up to 8, log densities up to 24, or 8 with four-point functions by quadrature", async () => {
    const given = async (activation: string, points: number) => {
      const { kernelCovariance, fourthCumulant, logDensity, warnings, diagnostics, excessKurtosis } = await ask(
        { widths: [200], activation },
        rows(points).map((row, i) => [...row, ...Array.from({ length: points }, (_, j) => (i === j ? 3 : 0))]),
        [Array.from({ length: points }, (_, i) => [0.3 * Math.sin(i)])],
      );
      expect(excessKurtosis).toHaveLength(points);
      expect(fourthCumulant === undefined).toBe(kernelCovariance === undefined);
      expect("priorDistance" in diagnostics!).toBe(kernelCovariance !== undefined);
      return [
        kernelCovariance !== undefined,
        logDensity !== undefined,
        warnings.filter((text) => text.includes("log densities are left out")).length,
      ];
    };
    expect(await given("relu", 8)).toEqual([true, true, 0]);
    expect(await given("relu", 9)).toEqual([false, true, 0]);
    expect(await given("identity", 25)).toEqual([false, false, 1]);
    expect(await given("tanh", 9)).toEqual([false, false, 1]);
  });

  it.each([
    ["identity", [5], 40, "auto", "closed-form"],
    ["relu", [5, 6], 30, "auto", "exact"],
    ["relu", [5, 6], 31, "auto", "sampled"],
    ["relu", [5, 6], 31, "exact", "exact"],
    ["tanh", [5], 5, "auto", "exact"],
    ["tanh", [5], 6, "auto", "sampled"],
    ["hinge", [5], 1, "auto", "sampled"],
    ["hinge", [5, 6], 1, "auto", "networks"],
    ["relu", [5], 3, "networks", "networks"],
    ["identity", [5], 3, "sampled", "sampled"],
  ] as const)("%s, widths %j, %d points, engine %s: %s", (activation, widths, points, engine, chosen) => {
    const setting = createSetting(networkOf({ widths, activation }), engine as Engine, points, registry);
    expect(setting).toMatchObject({ engine: chosen, widths, sites: 1 });
  });

  it("sites count as points", () => {
    const filters = {
      type: "convolutional",
      inputShape: [1, 4],
      layers: [{ channels: 5, kernelSize: 2, padding: "circular" }],
      activation: "relu",
    };
    const { network } = createProblem({ network: filters, inputs: [[1, 2, 3, 4]], targets: [0], temperature: 1 }, registry);
    expect([7, 8].map((points) => createSetting(network, "auto", points, registry).engine)).toEqual(["exact", "sampled"]);
  });
});
