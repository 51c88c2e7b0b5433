import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit } from "@finitewidth/core";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { largeDeviation, plugin } from "../src/index.js";

const registry = createRegistry([activations, priorFc, plugin]);

describe("mean-field scaling divides by the width of the last hidden layer", () => {
  it.each([
    [[40, 7], 1],
    [[7, 40], 1],
    [[9, 30, 4], 2],
  ])("widths %j, %i outputs: without data the predictive variance is that of the prior, σ_w²… x²/N0 N_L", async (widths, outputs) => {
    const weightVariance = [1.3, 0.8, 1.1, 0.9].slice(0, widths.length + 1);
    const network = { type: "fully-connected", widths, activation: "identity", weightVariance };
    const targets = [Array.from({ length: outputs }, () => 1)];
    const { predict } = await fit(
      largeDeviation,
      { network, inputs: [[1, 2]], targets, temperature: 1e9, scaling: "mean-field" },
      { registry },
    );
    const { variance, covariance } = await predict([[0.5, 3]], { covariance: true });
    const expected = (weightVariance.reduce((product, s) => product * s, 1) * (0.25 + 9)) / 2 / widths.at(-1)!;
    expectClose(
      variance.data,
      targets[0]!.map(() => expected),
      { relative: 1e-6 },
    );
    if (covariance)
      expectClose(
        targets[0]!.map((_, a) => covariance.data[a * (outputs + 1)]!),
        variance.data,
        { relative: 1e-10 },
      );
  });
});
