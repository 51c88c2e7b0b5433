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

it("a tilt near where the measure of collinear inputs ceases to exist: two seeds agree as far as they say", async () => {
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
  const solve = async (seed: number) => {
    const { posterior, predict } = await fit(forwardBackward, problem, { registry, seed, options: { nodes: 10 } });
    const { mean, diagnostics } = await predict([[0.3, 0.3]]);
    const { mean: errors } = diagnostics!["nodeErrors"] as { mean: number[][] };
    return {
      kernel: posterior.hiddenKernels![0]!.data,
      said: posterior.diagnostics["quadratureError"],
      mean: mean.data[0]!,
      error: errors[0]![0]!,
    };
  };
  const [one, two] = [await solve(1), await solve(2)];
  expect(Math.hypot(...one.kernel.map((value, i) => value - two.kernel[i]!))).toBeLessThan(
    2 * (Number(one.said) + Number(two.said)) * Math.hypot(...one.kernel),
  );
  expect(Number(one.said)).toBeLessThan(0.1);
  expect(Math.abs(one.mean - two.mean)).toBeLessThan(3 * Math.hypot(one.error, two.error));
  expect(one.error).toBeLessThan(0.1 * one.mean);
}, 180_000);
