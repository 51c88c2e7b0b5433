import { createRegistry, matrixFromRows, positiveInteger, resolveArchitecture, resolveNetworkInput, strictObject } from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { plugin as activations } from "@finitewidth/activations";
import { plugin as sequential } from "@finitewidth/prior-sequential";
import * as v from "valibot";
const schema = strictObject({ layer: v.string(), width: positiveInteger });
const difference = {
  name: "difference",
  summary: "Weights on differences of neighbouring sites.",
  schema,
  build({ width }, below) {
    const sites = below.grid.reduce((all, extent) => all * extent, 1);
    const sources = Int32Array.from({ length: 2 * sites }, (_, e) => e % 2 === 0 ? e / 2 : (e - 1) / 2 - 1);
    const weights = Float64Array.from({ length: 2 * sites }, (_, e) => e % 2 === 0 ? 1 : -1);
    const map = { inputSites: sites, outputSites: sites, sources, weights };
    return {
      primitives: [{ kind: "random", width, weightVariance: 1, biasVariance: 0, maps: [map] }],
      above: { ...below, width, gaussian: true, input: false }
    };
  }
};
const registry = createRegistry([activations, sequential, { name: "mine", layers: [difference] }]);
const layers = [{ layer: "difference", width: 8 }, { layer: "flatten" }, { layer: "dense" }];
const network = resolveNetworkInput({ type: "sequential", inputShape: [1, 3], layers }, registry);
console.log(infiniteWidthKernels(resolveArchitecture(registry, network), matrixFromRows([[1, 2, 4]])).hidden[0].data[0]);
