import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, hiddenWidths, resolveArchitecture, rowRange, type Architecture, type Matrix } from "@finitewidth/core";
import { infiniteWidthKernels, mixingLaw, realise } from "@finitewidth/kernels";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { plugin } from "../src/index.js";
import { architecture, serial, someInputs, type NetworkInput } from "./helpers.js";

const registry = createRegistry([activations, priorFc, priorConv, plugin]);
const of = (network: NetworkInput): Architecture => architecture(network, registry);

function expectSameNumbers(one: Architecture, other: Architecture, inputs: Matrix): void {
  const kernels = (net: Architecture) => {
    const { preactivation, hidden } = infiniteWidthKernels(net, inputs);
    const cross = infiniteWidthKernels(net, rowRange(inputs, 0, 2), inputs);
    return [...preactivation, ...hidden, ...cross.preactivation].map(({ data }) => [...data]).concat([[...cross.othersDiagonal!]]);
  };
  expect(kernels(one)).toEqual(kernels(other));
  const run = (net: Architecture) => {
    const network = realise(net, inputs, 2);
    const theta = stream(3).normals(new Float64Array(network.parameters));
    const state = network.forward(theta);
    const gradient = new Float64Array(network.parameters);
    network.pullback(
      theta,
      state,
      { data: stream(4).normals(new Float64Array(2 * inputs.shape[0])), shape: [inputs.shape[0], 2] },
      gradient,
    );
    return [[...state.outputs.data], [...gradient], ...state.hiddenKernels().map(({ data }) => [...data])];
  };
  expect(run(one)).toEqual(run(other));
  const law = (net: Architecture) => {
    const mixing = mixingLaw(net);
    return mixing && [[...mixing.sample(2, stream(5)).data], [...mixing.covariance(1, mixing.sample(1, stream(6)), inputs).data]];
  };
  expect(law(one)).toEqual(law(other));
  expect(hiddenWidths(one)).toEqual(hiddenWidths(other));
}

describe("the same layers in another form give the same numbers, bit for bit", () => {
  for (const name of ["identity", "erf", "relu", "gelu"]) {
    const phi = { layer: "activation", name };
    it(`fully connected, ${name}`, () => {
      const list = [
        { layer: "dense", width: 5, weightVariance: 1.5, biasVariance: 0.1 },
        phi,
        { layer: "dense", width: 4, weightVariance: 0.8, biasVariance: 0.2 },
        phi,
        { layer: "dense", weightVariance: 1.2, biasVariance: 0.3 },
      ];
      const other = of({
        type: "fully-connected",
        widths: [5, 4],
        activation: name,
        weightVariance: [1.5, 0.8, 1.2],
        biasVariance: [0.1, 0.2, 0.3],
      });
      expectSameNumbers(of(serial([6], list)), other, someInputs(4, 6));
      expectSameNumbers(of(serial([2, 3], [{ layer: "flatten" }, ...list])), other, someInputs(4, 6));
    });
    for (const readout of ["flatten", "global-average"]) {
      it(`convolutional, ${name}, ${readout}`, () => {
        const filters = [
          { channels: 4, kernelSize: [2, 2], stride: [1, 1], padding: "zero", dilation: [1, 1] },
          { channels: 3, kernelSize: [2, 1], stride: [2, 1], padding: "valid", dilation: [1, 1] },
        ];
        const top = { layer: readout === "flatten" ? "flatten" : "global-average-pooling" };
        const list = [
          ...filters.flatMap((filter, l) => [{ layer: "convolution", ...filter, weightVariance: [1.5, 0.8][l], biasVariance: 0.1 }, phi]),
          top,
          { layer: "dense", weightVariance: 1.2, biasVariance: 0.1 },
        ];
        const other = of({
          type: "convolutional",
          inputShape: [2, 4, 3],
          layers: filters,
          readout,
          activation: name,
          weightVariance: [1.5, 0.8, 1.2],
          biasVariance: 0.1,
        });
        expectSameNumbers(of(serial([2, 4, 3], list)), other, someInputs(3, 24));
      });
    }
  }

  it("layers that are registered under other names", () => {
    const renamed = createRegistry([
      activations,
      { ...plugin, layers: plugin.layers!.map((layer) => ({ ...layer, name: `my-${layer.name}` })) },
    ]);
    const layers = (prefix: string) => [
      { layer: `${prefix}convolution`, channels: 4, kernelSize: [3] },
      {
        layer: `${prefix}residual`,
        body: [
          { layer: `${prefix}activation`, name: "relu" },
          { layer: `${prefix}convolution`, channels: 4, kernelSize: [3] },
        ],
      },
      { layer: `${prefix}layer-normalization` },
      {
        layer: `${prefix}sum`,
        branches: [[{ layer: `${prefix}attention`, scores: "softmax", width: 3 }], [{ layer: `${prefix}dense`, width: 3 }]],
      },
      { layer: `${prefix}average-pooling`, window: [2] },
      { layer: `${prefix}flatten` },
      { layer: `${prefix}dense` },
    ];
    const network = serial([2, 4], layers("my-"));
    expectSameNumbers(architecture(network, renamed), of(serial([2, 4], layers(""))), someInputs(3, 8));
    const change = { width: (width: number) => width + 1, weightVariance: (value: number, l: number) => value + l };
    const model = renamed.priorModel("sequential");
    const varied = resolveArchitecture(renamed, model.vary(network, change, renamed));
    expect(hiddenWidths(varied)).toEqual([5, 5, 4, 4]);
  });
});
