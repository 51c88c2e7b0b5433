import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, matrixFromRows, type LayerPlugin } from "@finitewidth/core";
import { layerChecks } from "@finitewidth/kernels/conformance";
import { plugin as sequential } from "@finitewidth/prior-sequential";
import { stream } from "@finitewidth/random";
import { describe, it } from "vitest";
import { attention, plugin, residual } from "../src/index.js";

const registry = createRegistry([activations, sequential, plugin]);
const mixing = { layer: "distance-attention", width: 4, reach: 0.7, biasVariance: 0.1 };
const skip = {
  layer: "scaled-residual",
  depth: 3,
  body: [
    { layer: "activation", name: "relu" },
    { layer: "dense", width: 4, weightVariance: 2 },
  ],
};
const network = {
  type: "sequential",
  inputShape: [2, 3],
  layers: [mixing, skip, { layer: "activation", name: "erf" }, { layer: "global-average-pooling" }, { layer: "dense" }],
};
const inputs = matrixFromRows([
  [1, 0.2, -1, 0.4, 0.1, 0.7],
  [0.5, -1, 0.3, -0.2, 1.3, 0.6],
  [0, 2, 1, -0.7, 0.5, -1.1],
]);
const tokens = { below: { grid: [3] }, network, inputs };

for (const [layer, entry] of [
  [residual, skip],
  [attention, mixing],
] as const) {
  describe(layer.name, () => {
    for (const check of layerChecks(layer as LayerPlugin, [{ layer: entry, ...tokens }], registry, stream)) it(check.name, check.run);
  });
}
