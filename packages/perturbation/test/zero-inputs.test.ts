import { tanh } from "@finitewidth/activations";
import { fit } from "@finitewidth/core";
import { expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
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

it.each(["tanh", "erf", "relu"])("%s: an input of zeros among others, a residual unit without its skip is none", async (activation) => {
  const phi = { layer: "activation", name: activation };
  const dense = { layer: "dense", width: 40, weightVariance: 1.9 };
  const biased = { ...dense, biasVariance: 0.3 };
  const at = async (layers: readonly object[]) => {
    const network = { type: "sequential", inputShape: [2], layers: [dense, phi, dense, ...layers, phi, { layer: "dense" }] };
    const inputs = [
      [0.7, 0.2],
      [0, 0],
    ];
    const { posterior, predict } = await fit(perturbative, { network, inputs, targets: [0.8, -0.5], temperature: 0.3 }, { registry });
    const { mean, variance } = await predict([
      [0, 0],
      [-0.4, 0.9],
    ]);
    return [posterior.logEvidence!, ...mean.data, ...variance.data, ...posterior.hiddenKernels!.flatMap(({ data }) => [...data])];
  };
  expectClose(await at([{ layer: "residual", body: [phi, biased], skip: 0 }]), await at([phi, biased]), { relative: 1e-6, absolute: 1e-7 });
});
