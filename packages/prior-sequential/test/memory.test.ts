import { describe, expect, it } from "vitest";
import { composition, fullKernels, infiniteWidthKernels, mixingLaw, realise } from "@finitewidth/kernels";
import { built, someInputs } from "./helpers.js";

const filter = { layer: "convolution", channels: 8, kernelSize: [3, 3] };
const relu = { layer: "activation", name: "relu" };
const erf = { layer: "activation", name: "erf" };
const large = someInputs(2, 150 * 150);
const pooled = built([1, 150, 150], [filter, relu, filter, erf, { layer: "global-average-pooling" }, { layer: "dense" }]);
const flattened = built([1, 150, 150], [filter, relu, filter, erf, { layer: "flatten" }, { layer: "dense" }]);
const attention = built(
  [1, 150, 150],
  [filter, { layer: "attention", scores: "softmax", width: 8 }, { layer: "global-average-pooling" }, { layer: "dense" }],
);

describe("memory", () => {
  it("all pairs of sites of large images are refused before anything is allocated", () => {
    for (const net of [pooled, attention])
      expect(() => infiniteWidthKernels(net, large)).toThrow(/pairs of sites would take .* more than the limit/);
    expect(() => fullKernels(composition(flattened), large)).toThrow(/kernels over all sites would take/);
  });

  it("flattened filters need the pairs of equal sites only", () => {
    const { preactivation } = infiniteWidthKernels(flattened, large);
    expect(preactivation.at(-1)!.data.every(Number.isFinite)).toBe(true);
  });

  it("large real networks and laws are refused", () => {
    const wide = { ...filter, channels: 100_000 };
    expect(() => realise(built([1, 150, 150], [wide, relu, wide, erf, { layer: "flatten" }, { layer: "dense" }]), large, 1)).toThrow(
      /activities of the network would take/,
    );
    const pooling = { layer: "average-pooling", window: [2, 2], stride: [1, 1] };
    expect(() => mixingLaw(built([1, 150, 150], [filter, pooling, { layer: "flatten" }, { layer: "dense" }]))).toThrow(
      /basis of the readout's sites would take/,
    );
  });
});
