import { expect, test } from "vitest";
import * as v from "valibot";
import { buildLayers, createRegistry, oneOf, strictObject, varyLayers, type LayerPlugin, type LayerShape } from "../src/index.js";

test("only the last entry of the network's own list is its last layer", () => {
  const seen: [string, boolean][] = [];
  const probe: LayerPlugin<unknown> = {
    name: "probe",
    summary: "Tells what it is told.",
    schema: strictObject({ layer: oneOf(["probe"]) }),
    build(_layer, below, { path, last }) {
      seen.push([path, last]);
      return { primitives: [], above: below };
    },
  };
  const registry = createRegistry([{ name: "probe", layers: [probe] }]);
  const below: LayerShape = { width: 2, grid: [], flattened: false, gaussian: false, input: true };
  const list = [{ layer: "probe" }, { layer: "probe" }, { layer: "probe" }];
  buildLayers(list, below, "network.layers", registry, true);
  expect(seen).toEqual([
    ["network.layers[0]", false],
    ["network.layers[1]", false],
    ["network.layers[2]", true],
  ]);
  seen.length = 0;
  buildLayers(list, below, "body", registry);
  expect(seen.map(([, last]) => last)).toEqual([false, false, false]);
});

test("layers of weights are varied in the order of the file, inside bodies and branches too, each number by its own count", () => {
  const any: LayerPlugin<unknown> = {
    name: "any",
    summary: "Takes anything.",
    schema: v.looseObject({ layer: oneOf(["any"]) }),
    build: (_layer, below) => ({ primitives: [], above: below }),
  };
  const own: LayerPlugin<unknown> = {
    ...any,
    name: "own",
    schema: v.looseObject({ layer: oneOf(["own"]) }),
    vary: (layer, { width }) => ({ ...(layer as object), units: width!((layer as { units: number }).units, 0) }),
  };
  const registry = createRegistry([{ name: "any", layers: [any, own] }]);
  const dense = (width: number, more: object = {}) => ({ layer: "any", width, weightVariance: 1, ...more });
  const layers = [
    dense(10, { biasVariance: 0.5, kernelSize: [3], name: "relu", rate: 7 }),
    {
      layer: "any",
      body: [
        { layer: "any", channels: 20, weightVariance: 2 },
        { layer: "own", units: 30 },
      ],
    },
    { layer: "any", branches: [[dense(40)], [dense(50, { biasVariance: 0 }), { layer: "any" }]], coefficients: [1, 2] },
    { layer: "any", weightVariance: 3 },
  ];
  const variation = {
    width: (value: number, layer: number) => value + layer,
    weightVariance: (value: number, layer: number) => 100 * value + layer,
    biasVariance: (value: number, layer: number) => -value - layer,
  };
  expect(varyLayers(layers, variation, registry)).toEqual([
    { layer: "any", width: 10, weightVariance: 100, biasVariance: -0.5, kernelSize: [3], name: "relu", rate: 7 },
    {
      layer: "any",
      body: [
        { layer: "any", channels: 21, weightVariance: 201 },
        { layer: "own", units: 32 },
      ],
    },
    {
      layer: "any",
      branches: [
        [{ layer: "any", width: 43, weightVariance: 102 }],
        [{ layer: "any", width: 54, weightVariance: 103, biasVariance: -1 }, { layer: "any" }],
      ],
      coefficients: [1, 2],
    },
    { layer: "any", weightVariance: 304 },
  ]);
  expect(varyLayers(layers, {}, registry)).toEqual(layers);
  expect(() => varyLayers([{ layer: "any", body: [{ layer: "none" }] }], {}, registry)).toThrow(
    'network.layers[0].body[0].layer: expected one of "any", "own", got "none"',
  );
  const below: LayerShape = { width: 2, grid: [], flattened: false, gaussian: false, input: true };
  expect(() => buildLayers([{ width: 1 }], below, "body", registry)).toThrow('body[0]: expected an object with a "layer"');
  expect(() => buildLayers({}, below, "body", registry)).toThrow("body: expected a list of layers");
});
