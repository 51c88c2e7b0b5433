import { fit } from "@finitewidth/core";
import { expect, it } from "vitest";
import { forwardBackward } from "../src/index.js";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();

/** One point seen twice with noise T says what one point with the mean target and noise T/2 does; the rest of the targets is noise. */
it.each(["tanh", "erf", "gelu"])("two equal inputs of a deep %s network are one", async (activation) => {
  const network = {
    type: "fully-connected",
    widths: [300, 40],
    activation,
    weightVariance: [1.034, 0.61, 1.677],
    biasVariance: [0.473, 0.728, 0.673],
  };
  const [y1, y2, T] = [1.4, 1.1, 0.2];
  const twice = await fit(forwardBackward, { network, inputs: [[0.53], [0.53]], targets: [y1, y2], temperature: T }, { registry });
  const once = await fit(forwardBackward, { network, inputs: [[0.53]], targets: [(y1 + y2) / 2], temperature: T / 2 }, { registry });
  const [two, one] = [await twice.predict([[-0.9]]), await once.predict([[-0.9]])];
  expect(two.mean.data[0]).toBeCloseTo(one.mean.data[0]!, 7);
  expect(two.variance.data[0]).toBeCloseTo(one.variance.data[0]!, 7);
  // N(y|m, T) twice = N(ȳ|m, T/2) N(y1 − y2|0, 2T) for any m
  const rest = -0.5 * (Math.log(2 * Math.PI * 2 * T) + (y1 - y2) ** 2 / (2 * T));
  expect(twice.posterior.logEvidence).toBeCloseTo(once.posterior.logEvidence! + rest, 7);
});

it("a tilt that no node can carry ends with how far the solver came", async () => {
  const problem = {
    network: { type: "fully-connected", widths: [40], activation: "relu", weightVariance: [0.376, 0.67], biasVariance: 0.93 },
    scaling: "mean-field" as const,
    inputs: [
      [0.2395, -0.4978],
      [-0.479, 0.9956],
      [0.1197, -0.2489],
      [0.9994, -0.4595],
    ],
    targets: [-0.4193, 0.0781, 0.9015, -1.2175],
    temperature: 0.02,
  };
  await expect(fit(forwardBackward, problem, { registry })).rejects.toThrow(/data strength .* or the closure "gaussian-variational"/);
});
