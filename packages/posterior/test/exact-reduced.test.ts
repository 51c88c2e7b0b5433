import { fit, inlineRun, zeros } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { exact, hiddenKernelFactors } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const points = 270;
const rows = (seed: number, n: number, m: number) => normalMatrix(stream(13, seed), n, m);

describe("one output on the tridiagonal form", () => {
  const inputs = rows(1, points, points + 20);
  const targets = rows(2, points, 1);
  const tests = rows(3, 40, points + 20);
  const solve = async (temperature: number, biasVariance: readonly number[]) => {
    const network = { type: "fully-connected", widths: [30, 20], activation: "identity", biasVariance };
    return fit(exact, { network, inputs, targets, temperature }, { registry });
  };

  it.each([
    ["noise of order one", 0.5, [0, 0, 0]],
    ["biases of the first layer and the readout", 0.1, [0.3, 0, 0.7]],
    ["noise beside which the form is not used for predictions", 1e-10, [0, 0, 0.2]],
  ] as const)("%s: predictions like those from the eigenvectors", async (_, temperature, biasVariance) => {
    const { posterior, predict } = await solve(temperature, biasVariance);
    const { state } = posterior as unknown as {
      readonly state: { readonly form?: unknown; readonly vectors: { readonly data: Float64Array } };
    };
    expect(state.form).toBeDefined();
    expect(state.vectors.data.length).toBe(0);
    const [direct, joint] = [await predict(tests), await predict(tests, { covariance: true })];
    expectClose(direct.mean, joint.mean, { relative: 1e-7, absolute: 1e-9 });
    expectClose(direct.variance, joint.variance, { relative: 1e-7, absolute: 1e-9 });
    // at its own inputs a fit predicts what it says of them
    const again = await predict(inputs, { covariance: true });
    expectClose(again.mean, posterior.train!.mean, { relative: 1e-6, absolute: 1e-7 });
    expectClose(again.variance, posterior.train!.variance, { relative: 1e-5, absolute: 1e-8 });
  });

  it("gradient of the evidence: its differences", async () => {
    const { posterior } = await solve(0.4, [0, 0, 0]);
    const step = 1e-4;
    const at = async (factor: number) => (await solve(0.4 * factor, [0, 0, 0])).posterior.logEvidence!;
    const numeric = ((await at(1 + step)) - (await at(1 - step))) / (2 * step);
    const gradient = await exact.evidenceGradient!(posterior as never, inlineRun({ registry }));
    expectClose(gradient!.logTemperature!, numeric, { relative: 1e-5 });
  });

  it("learned kernels are the factors' products", async () => {
    const { posterior } = await solve(0.3, [0, 0, 0.5]);
    const factors = hiddenKernelFactors(posterior as never, registry, 3, 9);
    for (const [l, factor] of factors.entries()) {
      const [n, k] = factor.shape;
      const product = zeros(n, n);
      for (let i = 0; i < n; i++)
        for (let j = 0; j < n; j++)
          for (let c = 0; c < k; c++) product.data[i * n + j]! += factor.data[i * k + c]! * factor.data[j * k + c]!;
      const whole = posterior.hiddenKernels![l]!;
      const block = Float64Array.from({ length: n * n }, (_, e) => whole.data[(3 + Math.floor(e / n)) * points + 3 + (e % n)]!);
      expectClose(product.data, block, { relative: 1e-9, absolute: 1e-11 });
    }
  });
});
