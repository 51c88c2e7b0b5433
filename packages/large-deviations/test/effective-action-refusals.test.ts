import { createProblem, fit, inlineRun, matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction, resolveEffectiveActionOptions, varianceGammaLogDensity } from "../src/index.js";
import { diagonal, firstCovariance, naive, productMoments } from "./naive-networks.js";
import { registry, inputs, targets, two, network, image } from "./effective-action-problems.js";

describe("prior", () => {
  const run = inlineRun({ registry });
  const problem = createProblem(
    {
      network: network("identity", [6]),
      inputs: [
        [0.3, -1.2, 0.8],
        [1.1, 0.4, -0.5],
      ],
      targets: [0, 0],
      temperature: 1,
    },
    registry,
  );
  it("is the variance-gamma law, with its moments", async () => {
    const value = matrixFromRows([[0.4], [-0.9]]);
    const result = await effectiveAction.prior!(
      { network: problem.network, inputs: problem.inputs, outputs: 1, evaluateAt: [value], samples: 0 },
      resolveEffectiveActionOptions(),
      run,
    );
    expectClose(result.logDensity![0]!, varianceGammaLogDensity({ kernel: result.secondMoment!, width: 6 }, value.data), {
      relative: 1e-9,
    });
    expectClose(result.excessKurtosis!, [1, 1], { relative: 1e-12 });
    expectClose(result.fourthCumulant!.data[0]!, result.secondMoment!.data[0]! ** 2, { relative: 1e-12 });
  });
  it("integrates to 1 for an activation with a mean, with a bias", async () => {
    const relu = createProblem(
      { network: network("relu", [5], { biasVariance: [0, 0.2] }), inputs: [[0.3, -1.2, 0.8]], targets: [0], temperature: 1 },
      registry,
    );
    const h = 0.1;
    const grid = Array.from({ length: 240 }, (_, i) => matrixFromRows([[(i - 119.5) * h]]));
    const result = await effectiveAction.prior!(
      { network: relu.network, inputs: relu.inputs, outputs: 1, evaluateAt: grid, samples: 0 },
      resolveEffectiveActionOptions(),
      run,
    );
    const density = result.logDensity!.map(Math.exp);
    const moment = (power: number): number => density.reduce((sum, p, i) => sum + h * p * grid[i]!.data[0]! ** power, 0);
    expectClose([moment(0), moment(2)], [1, result.secondMoment!.data[0]!], { relative: 1e-6 });
    expectClose(moment(4) / moment(2) ** 2 - 3, result.excessKurtosis![0]!, { absolute: 1e-4 });
  });
  it.each(["relu", "erf", "identity"] as const)(
    "second moment, fourth cumulant and kurtosis at every pair of points: %s",
    async (activation) => {
      const [N, g, b] = [5, 0.7, 0.4];
      const points = inputs.slice(0, 3);
      const at = (x: readonly (readonly number[])[], more: Record<string, unknown> = {}) => {
        const net = network(activation, [N], { weightVariance: [1.3, g], biasVariance: [0.2, b] });
        const { network: resolved } = createProblem({ network: net, inputs: [points[0]!], targets: [0], temperature: 1 }, registry);
        const question = { network: resolved, inputs: matrixFromRows(x), outputs: 1, evaluateAt: [], samples: 0, ...more };
        return effectiveAction.prior!(question, resolveEffectiveActionOptions(), run);
      };
      const { secondMoment, fourthCumulant, excessKurtosis, logDensity, warnings } = await at(points);
      const first = firstCovariance(points, points, 1.3, 0.2);
      const k = productMoments(activation, first, diagonal(first), diagonal(first)).data.map((value) => g * value);
      const m = diagonal(first).map((value) => Math.sqrt(g) * naive[activation].mean(value));
      expectClose(
        secondMoment!,
        k.map((value) => value + b),
        { relative: 1e-12 },
      );
      const expected = Array.from({ length: 81 }, (_, i) => {
        const [p, q, r, s] = [27, 9, 3, 1].map((step) => Math.floor(i / step) % 3) as [number, number, number, number];
        const pairs = k[3 * p + q]! * k[3 * r + s]! + k[3 * p + r]! * k[3 * q + s]! + k[3 * p + s]! * k[3 * q + r]!;
        return (2 / N) * (pairs - 3 * m[p]! * m[q]! * m[r]! * m[s]!);
      });
      expect(fourthCumulant!.shape).toEqual([3, 3, 3, 3]);
      expectClose(fourthCumulant!, expected, { relative: 1e-11, absolute: 1e-13 });
      expectClose(
        excessKurtosis!,
        [0, 1, 2].map((p) => expected[40 * p]! / (k[4 * p]! + b) ** 2),
        { relative: 1e-11 },
      );
      expect(logDensity).toBeUndefined();
      expect(warnings.some((text) => /Gaussian equivalence/.test(text))).toBe(activation !== "identity");
      // a ninth point makes a tensor too large to print
      const row = (i: number): number[] => points[i % 3]!.map((value) => value + 0.1 * i);
      const of = async (count: number) => (await at(Array.from({ length: count }, (_, i) => row(i)))).fourthCumulant?.shape;
      expect([await of(8), await of(9)]).toEqual([[8, 8, 8, 8], undefined]);
      // the readout bias takes one direction of as many points as there are units
      const zeroAt = (count: number) =>
        at(
          Array.from({ length: count }, (_, i) => row(i)),
          { evaluateAt: [matrixFromRows(Array.from({ length: count }, () => [0]))] },
        );
      if (activation === "erf") {
        expect(Number.isFinite((await zeroAt(N)).logDensity![0])).toBe(true);
        await expect(zeroAt(N + 1)).rejects.toThrow(/evaluateAt\[0\].*the density at 0 is infinite/);
      }
    },
  );
  it("refuses several layers, and not several outputs without densities", () => {
    const reason = (net: Parameters<typeof network>[1], outputs: number) => {
      const { network: resolved } = createProblem({ network: network("erf", net), inputs, targets, temperature: 1 }, registry);
      const question = { network: resolved, inputs: matrixFromRows(inputs), outputs, evaluateAt: [], samples: 0 };
      return effectiveAction.refusesPrior!(question, resolveEffectiveActionOptions(), registry);
    };
    expect(reason([4], 2)).toBeUndefined();
    expect(reason([4, 4], 1)).toMatch(/one fully connected hidden layer/);
  });
  it("refuses what it has no density for", () => {
    expect(
      effectiveAction.refusesPrior!(
        {
          network: problem.network,
          inputs: problem.inputs,
          outputs: 2,
          evaluateAt: [
            matrixFromRows([
              [1, 1],
              [1, 1],
            ]),
          ],
          samples: 0,
        },
        resolveEffectiveActionOptions(),
        registry,
      ),
    ).toMatch(/one output only/);
  });
});

describe("refusals name what to do", () => {
  const reason = (
    net: Record<string, unknown> & { type: string },
    y: number[] | number[][],
    temperature: number,
    options: Record<string, unknown> = {},
  ) =>
    effectiveAction.refuses(
      createProblem({ network: net, inputs, targets: y, temperature }, registry),
      resolveEffectiveActionOptions(options),
      registry,
    );
  it.each([
    ["several outputs, deep", () => reason(network("erf", [4, 4]), two, 0.1), /set "closure": "product"/],
    [
      "product with biases",
      () => reason(network("erf", [4, 4], { biasVariance: 0.1 }), targets, 0.1, { closure: "product" }),
      /closure "product"/,
    ],
    [
      "deep convolution",
      () => reason({ ...image, layers: [image.layers[0]!, { channels: 3, kernelSize: [1] }] }, targets, 0.1),
      /deep networks must be fully connected/,
    ],
  ])("%s", (_, call, message) => {
    expect(call()).toMatch(message);
  });
  it("one unit without noise whose bias takes what is left, averaged only", () => {
    const one = (width: number, temperature: number, bias: number, options = {}) =>
      reason(network("relu", [width], { biasVariance: [0, bias] }), targets, temperature, options);
    expect(one(1, 0, 0.3)).toMatch(/width 1 with T = 0 and a readout bias leaves nothing to integrate over.*"mode": "saddle"/);
    expect([one(1, 0, 0.3, { mode: "saddle" }), one(2, 0, 0.3), one(1, 0.1, 0.3), one(1, 0, 0), one(1, 0, 0.3, { mean: "plain" })]).toEqual(
      Array.from({ length: 5 }, () => undefined),
    );
  });
  it("warns of targets along the mean that is left out", async () => {
    const warned = async (activation: string, width: number, y: number[], temperature: number, options = {}) => {
      const net = network(activation, [width], { weightVariance: [1.3, 0.7], biasVariance: [0.2, 0.1] });
      const { posterior } = await fit(effectiveAction, { network: net, inputs, targets: y, temperature }, { registry, options });
      return { posterior, text: posterior.warnings.join() };
    };
    const m = diagonal(firstCovariance(inputs, inputs, 1.3, 0.2)).map((k) => Math.sqrt((0.7 * k) / (2 * Math.PI)));
    for (const [size, expected] of [
      [0.3, false],
      [6, true],
    ] as const) {
      const y = targets.map((value) => size * Math.abs(value));
      const { posterior, text } = await warned("relu", 4, y, 0.1, { mean: "plain", draws: 0 });
      const Q = posterior.orderParameter as number;
      const xi = m.reduce((sum, value, i) => sum + (Q * value * (y[i]! - posterior.train!.mean.data[i]!)) / 0.1, 0);
      expect(xi * xi > 1).toBe(expected);
      expect(text.includes(`(ξ̂² = ${(xi * xi).toFixed(1)} against N = 4)`)).toBe(expected);
      expect((await warned("erf", 4, y, 0.1)).text).not.toMatch(/along the mean/);
      expect((await warned("relu", 4, y, 0.1, { draws: 0 })).text).not.toMatch(/along the mean/);
    }
  });
  it("bad options", () => {
    expect(() => resolveEffectiveActionOptions({ mode: "best" })).toThrow(/options.mode: expected one of "integral", "saddle", got "best"/);
    expect(() => resolveEffectiveActionOptions({ modus: "saddle" })).toThrow(/unknown key/);
    expect(() => resolveEffectiveActionOptions({ draws: -1 })).toThrow(/options.draws/);
  });
});
