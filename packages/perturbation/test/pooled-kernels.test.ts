import { fit } from "@finitewidth/core";
import { expect, it } from "vitest";
import { perturbative } from "../src/index.js";
import { registry } from "./networks.js";

// hidden kernels are those before pooling, and a list of layers knows the first order of what the readout reads, the average
it("the last hidden kernel of a pooled network that is expanded as a list of layers is left out, and this is said", async () => {
  const at = async (readout: string, padding: number | string, activation: string, depth: number) => {
    const layers = Array.from({ length: depth }, () => ({ channels: 20, kernelSize: [2], padding }));
    const network = { type: "convolutional", inputShape: [1, 3], layers, readout, activation };
    const inputs = [
      [0.3, -0.8, 0.5],
      [1.1, 0.4, -0.2],
    ];
    const { posterior } = await fit(perturbative, { network, inputs, targets: [0.8, -0.5], temperature: 0.3 }, { registry });
    return { kernels: posterior.hiddenKernels?.length ?? 0, said: posterior.warnings.some((text) => text.includes("left out")) };
  };
  expect(await at("global-average", 1, "identity", 1)).toEqual({ kernels: 0, said: true });
  expect(await at("global-average", "zero", "erf", 2)).toEqual({ kernels: 1, said: true });
  expect(await at("flatten", "zero", "erf", 2)).toEqual({ kernels: 2, said: false });
  expect(await at("global-average", "circular", "erf", 1)).toEqual({ kernels: 1, said: false });
});
