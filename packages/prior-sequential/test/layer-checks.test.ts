import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, type BuiltLayer, type LayerEntry, type LayerPlugin, type LayerShape } from "@finitewidth/core";
import { layerChecks, type LayerCase } from "@finitewidth/kernels/conformance";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { layers, plugin } from "../src/index.js";
import { serial, someInputs } from "./helpers.js";

const erf = { layer: "activation", name: "erf" };
const dense = { layer: "dense", width: 4, weightVariance: 1.3, biasVariance: 0.1 };
const readout = [{ layer: "flatten" }, { layer: "dense" }];

/** A network over three sites that has the entry above a dense layer. */
const case_ = (layer: LayerEntry, below: Partial<LayerShape> = { grid: [3] }): LayerCase => ({
  layer,
  below,
  network: serial([2, 3], [dense, layer, ...(layer.layer === "flatten" ? [{ layer: "dense" }] : readout)]),
  inputs: someInputs(3, 6),
});
const cases: Record<string, readonly LayerCase[]> = {
  dense: [
    case_(dense),
    {
      ...case_({ ...dense, width: 5 }, { grid: [3], flattened: true }),
      network: serial([2, 3], [dense, { layer: "flatten" }, { ...dense, width: 5 }, { layer: "dense" }]),
    },
  ],
  activation: [case_(erf), case_({ layer: "activation", name: "identity" })],
  convolution: [
    case_({ layer: "convolution", channels: 3, kernelSize: [2], stride: [2], padding: "valid" }),
    case_({ layer: "convolution", channels: 4, kernelSize: [3], dilation: [2], biasVariance: 0.2 }),
  ],
  attention: [
    case_({
      layer: "attention",
      width: 3,
      matrices: [
        [
          [1, 0, 0],
          [0.5, 0.5, 0],
          [0, 0.2, 0.8],
        ],
      ],
    }),
    case_({ layer: "attention", scores: "softmax", width: 4, heads: 2, keys: 3 }),
  ],
  "average-pooling": [case_({ layer: "average-pooling", window: [2], stride: [1], padding: [1] })],
  "global-average-pooling": [
    {
      ...case_({ layer: "global-average-pooling" }),
      network: serial([2, 3], [dense, { layer: "global-average-pooling" }, { layer: "dense" }]),
    },
  ],
  flatten: [case_({ layer: "flatten" })],
  residual: [case_({ layer: "residual", body: [erf, dense], skip: 0.5 })],
  sum: [
    case_({ layer: "sum", branches: [[], [dense, erf, { ...dense }], [{ layer: "layer-normalization" }]], coefficients: [1, -0.5, 2] }),
  ],
  "layer-normalization": [case_({ layer: "layer-normalization", epsilon: 0.01 })],
};
const registry = createRegistry([activations, plugin]);

describe("conformance of layers", () => {
  it("covers every layer", () => expect(layers.map(({ name }) => name).toSorted()).toEqual(Object.keys(cases).toSorted()));
  for (const layer of layers)
    describe(layer.name, () => {
      for (const check of layerChecks(layer, cases[layer.name]!, registry, stream)) it(check.name, check.run);
    });
});

/** What the suite says about a layer that is built otherwise. */
async function complaints(entry: LayerEntry, change: (built: BuiltLayer) => BuiltLayer, more: Partial<LayerPlugin> = {}): Promise<string> {
  const original = layers.find(({ name }) => name === entry.layer)!;
  const broken: LayerPlugin = { ...original, build: (layer, below, context) => change(original.build(layer, below, context)), ...more };
  const known = createRegistry([activations, { ...plugin, layers: layers.map((layer) => (layer === original ? broken : layer)) }]);
  const messages: string[] = [];
  for (const check of layerChecks(broken, [case_(entry)], known, stream)) {
    try {
      await check.run();
    } catch (error) {
      messages.push((error as Error).message);
    }
  }
  return messages.join("\n");
}

describe("the conformance suite of layers says what is wrong", () => {
  it("nothing, for a layer that is right", async () => expect(await complaints(dense, (built) => built)).toBe(""));
  it("a wrong width", async () => {
    expect(await complaints(dense, ({ primitives, above }) => ({ primitives, above: { ...above, width: 7 } }))).toMatch(
      /above\.width: the primitives make 4 units, got 7/,
    );
  });
  it("a wrong grid", async () => {
    expect(await complaints(dense, ({ primitives, above }) => ({ primitives, above: { ...above, grid: [2] } }))).toMatch(
      /above\.grid: the primitives make 3 sites, got \[2\]/,
    );
  });
  it("activated units that pass as Gaussian", async () => {
    expect(await complaints(erf as LayerEntry, ({ primitives, above }) => ({ primitives, above: { ...above, gaussian: true } }))).toMatch(
      /above\.gaussian: expected false/,
    );
  });
  it("an impure build", async () => {
    let count = 0;
    const change = ({ primitives: [first, ...rest], above }: BuiltLayer): BuiltLayer => ({
      primitives: [{ ...first!, weightVariance: 1 + count++ } as BuiltLayer["primitives"][number], ...rest],
      above,
    });
    expect(await complaints(dense, change)).toMatch(/build must return the same primitives each time/);
  });
  it("a schema that lets unknown keys pass", async () => {
    const loose = { "~standard": { version: 1, vendor: "tests", validate: (value: unknown) => ({ value }) } } as LayerPlugin["schema"];
    expect(await complaints(dense, (built) => built, { schema: loose })).toMatch(/an unknown key must be rejected/);
  });
  it("a vary that does nothing", async () => {
    expect(await complaints(dense, (built) => built, { vary: (layer) => layer })).toMatch(
      /vary: weightVariance of layer 0 was not changed as asked/,
    );
  });
});
