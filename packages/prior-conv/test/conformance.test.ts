import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, type Matrix } from "@finitewidth/core";
import { priorModelChecks } from "@finitewidth/kernels/conformance";
import { stream } from "@finitewidth/random";
import { it } from "vitest";
import { convolutional, plugin } from "../src/index.js";
import { normalMatrix } from "../../../tools/testing.ts";

const registry = createRegistry([activations, plugin]);
const images = (size: number): Matrix => normalMatrix(stream(1, size), 4, size);
const cases = [
  {
    network: {
      type: "convolutional",
      inputShape: [2, 5],
      layers: [
        { channels: 3, kernelSize: 3, padding: "zero", stride: 2 },
        { channels: 4, kernelSize: 2 },
      ],
      activation: "identity",
      biasVariance: [0.1, 0, 0.2],
    },
    inputs: images(10),
  },
  {
    network: {
      type: "convolutional",
      inputShape: [1, 4, 3],
      layers: [
        { channels: 3, kernelSize: [2, 2], padding: "circular" },
        { channels: 2, kernelSize: 1 },
      ],
      readout: "global-average",
      activation: "identity",
      weightVariance: [1, 2, 0.5],
    },
    inputs: images(12),
  },
  {
    network: {
      type: "convolutional",
      inputShape: [1, 6],
      layers: [{ channels: 3, kernelSize: 3, dilation: 2, padding: 1 }],
      activation: "erf",
      biasVariance: 0.1,
    },
    inputs: images(6),
  },
  {
    network: {
      type: "convolutional",
      inputShape: [2, 3, 3],
      layers: [{ channels: 3, kernelSize: 2, padding: "zero" }],
      readout: "global-average",
      activation: "erf",
    },
    inputs: images(18),
  },
];
for (const check of priorModelChecks(convolutional, cases, registry, (seed) => stream(seed))) it(check.name, () => check.run());
