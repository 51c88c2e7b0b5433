import { createProblem, inlineRun, matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { effectiveAction, resolveEffectiveActionOptions, varianceGammaLogDensity } from "../src/index.js";
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
  it("bad options", () => {
    expect(() => resolveEffectiveActionOptions({ mode: "best" })).toThrow(/options.mode: expected one of "integral", "saddle", got "best"/);
    expect(() => resolveEffectiveActionOptions({ modus: "saddle" })).toThrow(/unknown key/);
    expect(() => resolveEffectiveActionOptions({ draws: -1 })).toThrow(/options.draws/);
  });
});
