import { fit, inlineRun, matrixFromRows } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalRows } from "../../../tools/testing.ts";
import { exact, nngp } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const rows = (seed: number, n: number, m: number): number[][] => {
  const random = stream(77, seed);
  return normalRows(random, n, m);
};
const layer = (options: object) => ({ channels: 5, kernelSize: [1, 1], stride: [1, 1], padding: [0, 0], dilation: [1, 1], ...options });
const convolution = (layers: object[], options: object = {}) => ({
  type: "convolutional",
  inputShape: [1, 2, 2],
  layers,
  readout: "flatten",
  activation: "identity",
  ...options,
});

describe("padding wider than the image", () => {
  it("single pixels: the network without padding, its readout divided by the number of all sites", async () => {
    const [inputs, targets, tests] = [rows(1, 4, 4), rows(2, 4, 1), rows(3, 3, 4)];
    const solve = async (network: ReturnType<typeof convolution>) => {
      const { posterior, predict } = await fit(exact, { network, inputs, targets, temperature: 0.1 }, { registry, seed: 2 });
      const { mean, variance } = await predict(tests);
      return { logEvidence: posterior.logEvidence!, mean, variance, kernel: posterior.hiddenKernels![0]! };
    };
    const padded = await solve(convolution([layer({ padding: [3, 3] })]));
    const bare = await solve(convolution([layer({})], { weightVariance: [1, 4 / 64] }));
    expectClose(padded.logEvidence, bare.logEvidence, { relative: 1e-9 });
    expectClose(padded.mean, bare.mean, { relative: 1e-7, absolute: 1e-9 });
    expectClose(padded.variance, bare.variance, { relative: 1e-7 });
    expectClose(
      padded.kernel.data.map((value) => (64 / 4) * value),
      bare.kernel,
      { relative: 1e-7, absolute: 1e-9 },
    );
  });

  it.each([
    ["no bias", [0, 0, 0], "flatten"],
    ["a bias that reaches the padding", [0.3, 0.2, 0.5], "flatten"],
    ["pooled", [0, 0, 0], "global-average"],
  ])("two layers, %s: the prior covariance is that of infinite width", async (_, biasVariance, readout) => {
    const layers = [layer({ padding: [2, 1], kernelSize: [2, 1] }), layer({ padding: [2, 2], kernelSize: [2, 2], stride: [2, 1] })];
    const network = { weightVariance: [1, 1.3, 0.7], ...convolution(layers, { biasVariance, readout }) };
    const problem = { network, inputs: matrixFromRows(rows(4, 3, 4)), outputs: 1, evaluateAt: [], samples: 1 };
    const run = inlineRun({ registry });
    const [finite, infinite] = [await exact.prior!(problem, {}, run), await nngp.prior!(problem, {}, run)];
    expectClose(finite.secondMoment!, infinite.secondMoment!, { relative: 1e-10, absolute: 1e-12 });
    expect(finite.excessKurtosis!.every((value) => value > 0)).toBe(true);
  });
});
