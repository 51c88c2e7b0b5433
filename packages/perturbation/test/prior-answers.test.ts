import { createProblem, inlineRun, matrixFromRows, resolveArchitecture, validate, type PriorResult } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { outputDensityFactor, outputLogDensity, perturbative, type PerturbativeOptions } from "../src/index.js";
import { createSetting } from "../src/theory/setting.js";
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
