import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, type PriorModel } from "@finitewidth/core";
import { priorModelChecks } from "@finitewidth/core/conformance";
import { stream } from "@finitewidth/random";
import { describe, it } from "vitest";
import { fullyConnected, plugin } from "../src/index.js";

const inputs = matrixFromRows([[1, 0.2, -1], [0.5, -1, 0.3], [0, 2, 1], [1, 0.2, -1]]);
const network = (widths: number[], activation: string, extra: Record<string, unknown> = {}) => ({ network: { type: "fully-connected", widths, activation, ...extra }, inputs });
const cases = [
  network([5], "identity", { weightVariance: [1.2, 0.8] }),
  network([4, 3, 5], "identity", { weightVariance: [1.2, 0.8, 0.5, 1.5], biasVariance: [0.1, 0.2, 0, 0.3] }),
  network([1], "identity"),
  network([4, 3], "erf", { biasVariance: 0.2 }),
  network([6], "relu", { weightVariance: [2, 1.5] }),
];

describe("conformance", () => {
  const registry = createRegistry([activations, plugin]);
  for (const check of priorModelChecks(fullyConnected as PriorModel, cases, registry, stream)) it(check.name, check.run);
});
