import { createRegistry, fit } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../tools/testing.ts";
import { standardPlugins } from "../src/index.js";

const registry = createRegistry(standardPlugins);
const inputs = [[1, 0.2, -0.5], [-0.4, 1.1, 0.6], [0.8, -0.3, 0.2], [0.3, 0.7, -1.2]]; // prettier-ignore
const targets = [[1, -0.3], [-0.7, 0.9], [0.4, 0.5], [-0.2, -1.1]]; // prettier-ignore
const tests = [[0.1, 0.9, -0.7], [1.2, -0.6, 0.3]]; // prettier-ignore
const variances = [1.3, 0.8, 1.7];

interface Case {
  readonly name: string;
  readonly activation?: string;
  readonly outputs?: number;
  readonly scaling?: "mean-field";
  readonly options?: object;
}
/** Theories of homogeneous networks, with what makes them answer for two hidden layers of unequal widths. */
const cases: readonly Case[] = [
  { name: "nngp" },
  { name: "nngp", activation: "relu", outputs: 2 },
  { name: "exact" },
  { name: "effective-action" },
  { name: "effective-action", outputs: 2 },
  { name: "effective-action", activation: "relu", options: { draws: 0 } },
  { name: "large-deviation", outputs: 2 },
  { name: "large-deviation", scaling: "mean-field" },
  { name: "forward-backward" },
  { name: "forward-backward", outputs: 2, scaling: "mean-field" },
  { name: "perturbative", activation: "relu" },
  { name: "perturbative", outputs: 2 },
  { name: "monte-carlo", activation: "relu", options: { chains: 2, draws: 30, warmup: 20 } },
];

const solve = ({ name, activation = "identity", outputs = 1, scaling, options = {} }: Case, weightVariance: readonly number[]) =>
  fit(
    registry.theory(name),
    {
      network: { type: "fully-connected", widths: [12, 9], activation, weightVariance },
      inputs,
      targets: targets.map((row) => row.slice(0, outputs)),
      temperature: 0.3,
      ...(scaling ? { scaling } : {}),
    },
    { registry, seed: 4, options: { ...options } },
  );

describe("variances of weights moved from one layer to another of a homogeneous network", () => {
  it.each(cases)("$name, $activation, $outputs, $scaling: outputs stay, one hidden kernel is scaled", async (one) => {
    const before = await solve(one, variances);
    const predicted = await before.predict(tests);
    for (const l of [0, 1]) {
      const after = await solve(one, variances.map((v, k) => (k === l ? 4 * v : k === l + 1 ? v / 4 : v))); // prettier-ignore
      const again = await after.predict(tests);
      const close = { relative: 1e-6, absolute: 1e-9 };
      expectClose(again.mean, predicted.mean, close, "mean");
      expectClose(again.variance, predicted.variance, close, "variance");
      if (before.posterior.logEvidence !== undefined)
        expectClose(after.posterior.logEvidence!, before.posterior.logEvidence, close, "evidence");
      before.posterior.hiddenKernels?.forEach((kernel, k) =>
        expectClose(
          after.posterior.hiddenKernels![k]!.data,
          kernel.data.map((value) => (k === l ? 4 : 1) * value),
          close,
          `kernel ${k + 1}`,
        ),
      );
      expect(after.posterior.hiddenKernels?.length).toBe(before.posterior.hiddenKernels?.length);
    }
  });
});
