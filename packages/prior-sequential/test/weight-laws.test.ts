import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, positiveInteger, strictObject, type LayerPlugin, type WeightLaw } from "@finitewidth/core";
import { composition, drawKernels, flatteningMaps, infiniteWidthKernels, mixingLaw, realise } from "@finitewidth/kernels";
import { layerChecks } from "@finitewidth/kernels/conformance";
import { normalDensity, normalDistribution } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import * as v from "valibot";
import { describe, expect, it } from "vitest";
import { plugin } from "../src/index.js";
import { architecture, serial, someInputs } from "./helpers.js";

/** Uniform weights of unit variance. */
const uniform: WeightLaw = {
  value: (theta) => Math.sqrt(12) * (normalDistribution(theta) - 0.5),
  derivative: (theta) => Math.sqrt(12) * normalDensity(theta),
};
const schema = strictObject({
  layer: v.string(),
  width: v.optional(positiveInteger),
  weightVariance: v.optional(v.number(), 1.4),
  biasVariance: v.optional(v.number(), 0.2),
});
const layer: LayerPlugin<v.InferOutput<typeof schema>> = {
  name: "uniform",
  summary: "Filters of two taps with uniform weights.",
  schema,
  build({ width, weightVariance, biasVariance }, below) {
    const sites = below.grid[0] ?? 1;
    const map = (shift: number) => ({
      inputSites: sites,
      outputSites: sites,
      sources: Int32Array.from({ length: sites }, (_, a) => a - shift),
    });
    return {
      primitives: [
        {
          kind: "random",
          ...(width ? { width } : {}),
          weightVariance,
          biasVariance,
          maps: sites > 1 ? [map(0), map(1)] : [map(0)],
          weights: uniform,
        },
      ],
      above: { ...below, width: width ?? 1, gaussian: true, input: false },
    };
  },
};
const registry = createRegistry([activations, plugin, { name: "tests", layers: [layer as LayerPlugin] }]);
const dense = { layer: "dense", width: 4 };
const erf = { layer: "activation", name: "erf" };
const entry = { layer: "uniform", width: 3 };
const end = [{ layer: "flatten" }, { layer: "dense" }];
const inputs = someInputs(3, 6);

describe("weights that are not Gaussian", () => {
  const networks = [serial([2, 3], [dense, entry, ...end]), serial([2, 3], [dense, erf, entry, erf, ...end])];
  const cases = networks.map((network) => ({ layer: entry, below: { grid: [3] }, network, inputs }));
  for (const check of layerChecks(layer as LayerPlugin, cases, registry, stream)) it(check.name, check.run);

  it("have the kernels of Gaussian ones, and no exact law", () => {
    const gaussian = { layer: "convolution", channels: 3, kernelSize: [2], padding: [1], weightVariance: 1.4, biasVariance: 0.2 };
    // the zeros on the right of the filter's grid make one more site: the kernels of the sites before it are compared through their sum
    const mean = (l: object) =>
      architecture(serial([2, 3], [dense, l, { layer: "average-pooling", window: [3], stride: [3] }, ...end]), registry);
    expect(infiniteWidthKernels(mean(entry), inputs).preactivation.at(-1)!).toEqual(
      infiniteWidthKernels(mean(gaussian), inputs).preactivation.at(-1)!,
    );
    expect(mixingLaw(architecture(networks[0]!, registry))).toBeUndefined();
  });

  it("are refused where no theory of Gaussian units holds: on the inputs, in the readout, drawn without weights", () => {
    const first = architecture(serial([2, 3], [entry, ...end]), registry);
    expect(() => infiniteWidthKernels(first, inputs)).toThrow(/not Gaussian on the inputs/);
    expect(realise(first, inputs, 1).parameters).toBe(3 * 4 + 3 + 9);
    const last = architecture(serial([6], [dense, { layer: "uniform" }]), registry);
    expect(() => realise(last, inputs, 1)).toThrow(/the readout of a real network must be a dense layer of Gaussian weights/);
    expect(() => drawKernels(composition(architecture(networks[0]!, registry)), inputs, stream(1))).toThrow(/cannot be drawn/);
  });
});

it("maps with weights of their own over all sites of the inputs keep them", () => {
  const twice: LayerPlugin = {
    ...(layer as LayerPlugin),
    name: "twice",
    build: (_entry, below) => ({
      primitives: [
        {
          kind: "random",
          width: 3,
          weightVariance: 1,
          biasVariance: 0,
          maps: flatteningMaps(below.grid[0]!).map((map) => ({ ...map, weights: Float64Array.of(2) })),
        },
      ],
      above: { width: 3, grid: [], flattened: false, gaussian: true, input: false },
    }),
  };
  const known = createRegistry([activations, plugin, { name: "tests", layers: [twice] }]);
  const kernels = (...first: object[]): readonly number[] =>
    Array.from(
      infiniteWidthKernels(architecture(serial([2, 3], [...first, { layer: "dense" }]), known), inputs).preactivation.at(-1)!.data,
    );
  const plain = kernels({ layer: "flatten" }, { layer: "dense", width: 3 });
  kernels({ layer: "twice" }).forEach((value, i) => expect(value / plain[i]!).toBeCloseTo(4, 12));
});

it("layers without a width are one readout, the last layer", () => {
  // `dense` refuses it by itself; `uniform` leaves it to the network
  const early = serial([6], [{ layer: "uniform" }, dense, { layer: "dense" }]);
  expect(() => architecture(early, registry)).toThrow("network.layers: expected one readout, the last layer, got");
});
