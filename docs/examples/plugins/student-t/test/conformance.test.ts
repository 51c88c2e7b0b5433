import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, type LayerPlugin } from "@finitewidth/core";
import { layerChecks } from "@finitewidth/kernels/conformance";
import { plugin as sequential } from "@finitewidth/prior-sequential";
import { stream } from "@finitewidth/random";
import { describe, it } from "vitest";
import { layer, plugin } from "../src/index.js";

const registry = createRegistry([activations, sequential, plugin]);
const entry = { layer: "student-t", width: 6, degreesOfFreedom: 8, weightVariance: 1.3, biasVariance: 0.1 };
const erf = { layer: "activation", name: "erf" };
const network = (layers: readonly object[]) => ({ type: "sequential", inputShape: [3], layers });
// without activations sampled networks have the infinite-width kernels in the mean: a variance that is off shows
const linear = network([{ layer: "dense", width: 5 }, entry, { layer: "dense" }]);
const nonlinear = network([{ layer: "dense", width: 5 }, erf, entry, erf, { layer: "dense" }]);
const inputs = matrixFromRows([
  [1, 0.2, -1],
  [0.5, -1, 0.3],
  [0, 2, 1],
]);

describe(layer.name, () => {
  const cases = [linear, nonlinear].map((whole) => ({ layer: entry, network: whole, inputs }));
  for (const check of layerChecks(layer as LayerPlugin, cases, registry, stream)) it(check.name, check.run);
});
