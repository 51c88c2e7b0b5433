import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, type PriorModel } from "@finitewidth/core";
import { priorModelChecks } from "@finitewidth/kernels/conformance";
import { stream } from "@finitewidth/random";
import { describe, it } from "vitest";
import { plugin, priorModel } from "../src/index.js";

const inputs = matrixFromRows([
  [1, 0.2, -1],
  [0.5, -1, 0.3],
  [0, 2, 1],
  [1, 0.2, -1],
]);
const cases = [
  { network: { type: "linear-residual", width: 5, depth: 1 }, inputs },
  { network: { type: "linear-residual", width: 4, depth: 3, skip: 0.7, weightVariance: [1.2, 0.8, 0.5, 1.5] }, inputs },
];

describe(priorModel.name, () => {
  const registry = createRegistry([activations, plugin]);
  for (const check of priorModelChecks(priorModel as PriorModel, cases, registry, stream)) it(check.name, check.run);
});
