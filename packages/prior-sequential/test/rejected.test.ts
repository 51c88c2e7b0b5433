import { checkInputs, matrixFromRows, resolveNetworkInput, type FinitewidthError } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { readFixture } from "../../../tools/testing.ts";
import { registry, serial, type NetworkInput } from "./helpers.js";

interface Rejected {
  readonly inputs: {
    readonly inputs: number[][];
    readonly networks: readonly { readonly name: string; readonly network: NetworkInput; readonly field: string }[];
  };
}
const { inputs } = readFixture<Rejected>("layers/rejected-layers");

/** Path of the error that a network and its inputs raise. */
function pathOf(network: NetworkInput): string {
  try {
    checkInputs(matrixFromRows(inputs.inputs), resolveNetworkInput(network, registry), registry, "inputs");
  } catch (error) {
    const { path, message } = error as FinitewidthError;
    expect(message.startsWith(`${path}:`), message).toBe(true);
    return path!;
  }
  return "nothing was rejected";
}

describe("networks that are rejected, with the path of the field", () => {
  for (const { name, network, field } of inputs.networks) it(name, () => expect(pathOf(network)).toBe(field));

  const dense = { layer: "dense", width: 3 };
  const convolution = { layer: "convolution", channels: 3, kernelSize: [3] };
  const readout = [{ layer: "flatten" }, { layer: "dense" }];
  const cases: readonly [string, readonly object[], string][] = [
    ["a branch that is no list", [dense, { layer: "residual", body: 3 }, ...readout], "network.layers[1].body"],
    ["a body without layers", [dense, { layer: "residual", body: [] }, ...readout], "network.layers[1].body"],
    [
      "a residual that lets nothing pass",
      [dense, { layer: "residual", body: [dense], skip: 0, branch: 0 }, ...readout],
      "network.layers[1].skip",
    ],
    ["no branches", [dense, { layer: "sum", branches: [] }, ...readout], "network.layers[1].branches"],
    [
      "an unknown layer in a branch",
      [dense, { layer: "sum", branches: [[], [{ layer: "no" }]] }, ...readout],
      "network.layers[1].branches[1][0].layer",
    ],
    ["a readout in a body", [dense, { layer: "residual", body: [{ layer: "dense" }] }, ...readout], "network.layers[1].body[0].width"],
    ["an entry that is no object", [dense, { layer: "residual", body: [3] }, ...readout], "network.layers[1].body[0]"],
    [
      "a branch over other sites",
      [convolution, { layer: "residual", body: [{ ...convolution, padding: "valid" }] }, ...readout],
      "network.layers[1]",
    ],
    [
      "a residual after flatten",
      [convolution, { layer: "flatten" }, { layer: "residual", body: [dense] }, { layer: "dense" }],
      "network.layers[2]",
    ],
    [
      "pooling after flatten",
      [convolution, { layer: "flatten" }, { layer: "average-pooling", window: [2] }, { layer: "dense" }],
      "network.layers[2]",
    ],
    [
      "global pooling after flatten",
      [convolution, { layer: "flatten" }, { layer: "global-average-pooling" }, { layer: "dense" }],
      "network.layers[2]",
    ],
    ["normalization of the inputs", [{ layer: "layer-normalization" }, ...readout], "network.layers[0]"],
    [
      "normalization after flatten",
      [convolution, { layer: "flatten" }, { layer: "layer-normalization" }, { layer: "dense" }],
      "network.layers[2]",
    ],
    ["no kernel size", [{ layer: "convolution", channels: 3 }, ...readout], "network.layers[0].kernelSize"],
    ["a stride of another dimension", [{ ...convolution, stride: [1, 1] }, ...readout], "network.layers[0].stride"],
    ["a dilation of zero", [{ ...convolution, dilation: [0] }, ...readout], "network.layers[0].dilation[0]"],
    ["a padding below zero", [{ ...convolution, padding: [-1] }, ...readout], "network.layers[0].padding[0]"],
    ["padding of another dimension", [{ ...convolution, padding: [1, 1] }, ...readout], "network.layers[0].padding"],
    [
      "a negative score variance",
      [{ layer: "attention", scores: "softmax", scoreVariance: -1, width: 3 }, ...readout],
      "network.layers[0].scoreVariance",
    ],
    ["no width of attention", [{ layer: "attention", scores: "softmax" }, ...readout], "network.layers[0].width"],
    ["heads of fixed scores", [{ layer: "attention", matrices: [], heads: 2, width: 3 }, ...readout], "network.layers[0].heads"],
    ["fixed scores without matrices", [{ layer: "attention", matrices: [], width: 3 }, ...readout], "network.layers[0].matrices"],
    ["unknown scores", [{ layer: "attention", scores: "linear", matrices: [[[1]]], width: 3 }, ...readout], "network.layers[0].scores"],
    ["a skip that is no number", [dense, { layer: "residual", body: [dense], skip: "1" }, ...readout], "network.layers[1].skip"],
    ["a width that is no integer", [{ layer: "dense", width: 2.5 }, ...readout], "network.layers[0].width"],
  ];
  for (const [name, layers, field] of cases) it(name, () => expect(pathOf(serial([2, 4], layers))).toBe(field));

  it("a shape of five grid axes, and one of none", () => {
    expect(pathOf(serial([1, 2, 2, 2, 1, 1], readout))).toBe("network.inputShape");
    expect(pathOf(serial([], readout))).toBe("network.inputShape");
    expect(pathOf(serial([2, 0], readout))).toBe("network.inputShape[1]");
  });
});
