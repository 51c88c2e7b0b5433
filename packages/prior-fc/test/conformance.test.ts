import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, type PriorModel } from "@finitewidth/core";
import { priorModelChecks } from "@finitewidth/kernels/conformance";
import { stream } from "@finitewidth/random";
import { describe, it } from "vitest";
import { fullyConnected, plugin } from "../src/index.js";

const registry = createRegistry([activations, plugin]);
const inputs = matrixFromRows([
  [1, 0.2, 0],
  [0.3, -1, 2],
  [-0.7, 0.8, 0.4],
  [1, 0.2, 0],
  [0, 0, 0],
]);
const cases = [
  { network: { type: "fully-connected", widths: [3], activation: "identity" }, inputs },
  {
    network: {
      type: "fully-connected",
      widths: [2, 4],
      activation: "identity",
      weightVariance: [1.2, 0.8, 1.5],
      biasVariance: [0.1, 0.2, 0.3],
    },
    inputs,
    outputs: 3,
  },
  { network: { type: "fully-connected", widths: [3, 2], activation: "erf", biasVariance: 0.1 }, inputs },
  { network: { type: "fully-connected", widths: [4], activation: "relu", weightVariance: [2, 1] }, inputs, outputs: 1 },
];

describe("conformance of fully-connected", () => {
  for (const check of priorModelChecks(fullyConnected as PriorModel, cases, registry, stream)) it(check.name, check.run);
});
