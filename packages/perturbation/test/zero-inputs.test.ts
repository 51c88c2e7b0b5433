import { tanh } from "@finitewidth/activations";
import { fit } from "@finitewidth/core";
import { expect, it } from "vitest";
import { perturbative } from "../src/index.js";
import { registry } from "./networks.js";

// many points are sampled: tanh has no four-point functions in closed form
it.each([1, 30])("%d training inputs of zeros leave the prior at others", async (count) => {
  const { posterior, predict } = await fit(
    perturbative,
    {
      network: { type: "fully-connected", widths: [5], activation: "tanh" },
      inputs: Array.from({ length: count }, () => [0, 0]),
      targets: Array.from({ length: count }, () => [1]),
      temperature: 0.1,
    },
    { registry },
  );
  const { mean, variance } = await predict([
    [0.6, -0.8],
    [0, 0],
  ]);
  expect([...mean.data]).toEqual([0, 0]);
  expect(variance.data[0]).toBeCloseTo(tanh.moments.diagonal(0.5), 12);
  expect(variance.data[1]).toBe(0);
  expect(posterior.logEvidence).toBeCloseTo(-0.5 * count * (Math.log(0.2 * Math.PI) + 10), 10);
});
