import { hiddenWidths, type Architecture, type FinitewidthError } from "@finitewidth/core";
import { infiniteWidthKernels, mixingLaw, realise } from "@finitewidth/kernels";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { built, someInputs } from "./helpers.js";

const erf = { layer: "activation", name: "erf" };
const flatten = { layer: "flatten" };
const variances = { weightVariance: 1.3, biasVariance: 0.2 };
/** Kernels of two sets of points, outputs of a network with given parameters, and its law where there is one. */
const numbers = (net: Architecture, columns: number): unknown => {
  const inputs = someInputs(3, columns);
  const real = realise(net, inputs, 2);
  const theta = stream(7).normals(new Float64Array(real.parameters));
  const law = mixingLaw(net);
  return {
    widths: hiddenWidths(net),
    kernels: infiniteWidthKernels(net, inputs).preactivation.map(({ data }) => [...data]),
    outputs: [...real.forward(theta).outputs.data],
    law: law && [...law.covariance(1, law.sample(1, stream(8)), inputs).data],
  };
};

describe("an axis of one site is none", () => {
  const grid = [4, 3];
  const filter = { kernelSize: [2, 3], stride: [2, 1], dilation: [2, 1] };
  /** The entry `one` put in before axis `at` of every list of sizes. */
  const widened = (layer: Record<string, unknown>, at: number): object =>
    Object.fromEntries(
      Object.entries(layer).map(([key, value]) => [
        key,
        Array.isArray(value) && key !== "matrices" ? value.toSpliced(at, 0, key === "padding" ? 0 : 1) : value,
      ]),
    );
  const map = Array.from({ length: 2 }, (_, h) => Array.from({ length: 12 }, (_i, i) => Array.from({ length: 12 }, (_j, j) => Math.sin(h + 3 * i + 5 * j)))); // prettier-ignore
  const cases: Record<string, Record<string, unknown>[]> = {
    "circular filters": [{ layer: "convolution", channels: 3, ...filter, ...variances }, erf],
    "filters within the grid": [{ layer: "convolution", channels: 3, ...filter, padding: "valid", stride: [1, 1], ...variances }, erf],
    "zeros around the grid": [{ layer: "convolution", channels: 3, ...filter, padding: "zero", ...variances }],
    "zeros as asked for": [{ layer: "convolution", channels: 3, ...filter, padding: [2, 1], ...variances }, erf],
    pooling: [{ layer: "dense", width: 4 }, erf, { layer: "average-pooling", window: [2, 3], stride: [1, 2], padding: [1, 1] }],
    "attention over all sites as tokens": [{ layer: "attention", matrices: map, width: 3, ...variances }],
  };
  it.each(Object.entries(cases))("%s", (_, layers) => {
    const [plain, ...others] = [undefined, 0, 1, 2].map((at) => {
      const shape = [2, ...(at === undefined ? grid : grid.toSpliced(at, 0, 1))];
      const list = at === undefined ? layers : layers.map((layer) => widened(layer, at));
      return numbers(built(shape, [...list, flatten, { layer: "dense", width: 2, ...variances }, { layer: "dense" }]), 24);
    });
    for (const other of others) expect(other).toEqual(plain);
  });

  it("tokens are the sites in their order, whatever grid they stand on", () => {
    const attention = { layer: "attention", matrices: map, width: 3, ...variances };
    const over = (shape: number[]) => numbers(built(shape, [{ layer: "dense", width: 4 }, attention, flatten, { layer: "dense" }]), 24);
    expect(over([2, 4, 3])).toEqual(over([2, 12]));
    expect(over([2, 2, 2, 3])).toEqual(over([2, 12]));
  });
});

it("swapping the axes of the grid, the sizes and the pixels changes nothing at infinite width", () => {
  const inputs = someInputs(3, 24);
  const turned = someInputs(3, 24);
  for (let mu = 0; mu < 3; mu++)
    for (let c = 0; c < 2; c++)
      for (let i = 0; i < 4; i++)
        for (let j = 0; j < 3; j++) turned.data[mu * 24 + c * 12 + j * 4 + i] = inputs.data[mu * 24 + c * 12 + i * 3 + j]!;
  const net = (swap: boolean, padding: string | number[]): Architecture => {
    const along = (sizes: number[]): number[] => (swap ? sizes.toReversed() : sizes);
    return built([2, ...along([4, 3])], [
      { layer: "convolution", channels: 3, kernelSize: along([3, 2]), stride: along([1, 2]), dilation: along([1, 2]), padding: Array.isArray(padding) ? along(padding) : padding, ...variances },
      erf,
      { layer: "average-pooling", window: along([3, 1]), stride: along([1, 1]) },
      flatten,
      { layer: "dense" },
    ]); // prettier-ignore
  };
  for (const padding of ["circular", "zero", [1, 2]]) {
    const [one, other] = [infiniteWidthKernels(net(false, padding), inputs), infiniteWidthKernels(net(true, padding), turned)];
    one.preactivation.forEach((kernel, l) =>
      kernel.data.forEach((value, k) => expect(other.preactivation[l]!.data[k]).toBeCloseTo(value, 12)),
    );
  }
});

describe("what is wrong is said with what was expected and what is there", () => {
  const dense = { layer: "dense", width: 3 };
  const filter = { layer: "convolution", channels: 3, kernelSize: [3] };
  const end = [flatten, { layer: "dense" }];
  it.each<[number[], object[], string]>([
    [[2, 4], [erf, ...end], "network.layers[0]: expected an activation on units that are Gaussian at infinite width (put a dense layer, a convolution or an attention below it), got the inputs"],
    [[2, 4], [dense, erf, erf, ...end], "network.layers[2]: expected an activation on units that are Gaussian at infinite width (put a dense layer, a convolution or an attention below it), got units above an activation"],
    [[2, 4], [dense, flatten, erf, ...end], "network.layers[2]: expected an activation before the flattening, where it acts on every site alike, got flattened sites"],
    [[2, 4], [dense, flatten, { layer: "layer-normalization" }, ...end], "network.layers[2]: expected layer normalization before the flattening, where it acts on every site alike, got flattened sites"],
    [[2], [filter, ...end], "network.layers[0]: expected a grid of sites below a convolution, got units without sites"],
    [[2, 4], [dense, flatten, { layer: "attention", matrices: [[[1]]], width: 2 }, ...end], "network.layers[2]: expected a grid of sites below attention, got flattened sites"],
    [[2], [dense, { layer: "global-average-pooling" }, ...end], "network.layers[1]: expected a grid of sites below pooling, got units without sites"],
    [[2, 4], [{ ...filter, stride: [1, 1] }, ...end], "network.layers[0].stride: expected 1 numbers, one per grid axis, got an array of 2"],
    [[2, 4], [{ ...filter, kernelSize: [5], padding: "valid" }, ...end], "network.layers[0].kernelSize: expected a window that fits the 4 sites of its padded grid, got 5"],
    [[2, 4, 3], [dense, { layer: "average-pooling", window: [2, 4] }, ...end], "network.layers[1].window: expected a window that fits the 4 × 3 sites of its padded grid, got 2 × 4"],
    [[2, 2], [{ layer: "attention", matrices: [[[1, 0], [1]]], width: 2 }, ...end], "network.layers[0].matrices: expected matrices of 2 × 2 numbers, got 2 rows of 2"],
    [[2, 4], [dense, { layer: "residual", body: [{ layer: "dense", width: 5 }] }, ...end], "network.layers[1]: expected branches of as many units, 3, got 5"],
    [[2, 4], [dense, { layer: "residual", body: [{ ...filter, padding: "valid" }] }, ...end], "network.layers[1]: expected branches over the same sites, [4], got [2]"],
    [[2, 4], [dense, { layer: "sum", branches: [[], [erf]] }, ...end], "network.layers[1]: expected a sum whose branches end on units that are Gaussian at infinite width (put a dense layer, a convolution or an attention below it), got units above an activation"],
    [[2, 4], [dense, { layer: "sum", branches: [[], []], coefficients: [1] }, ...end], "network.layers[1].coefficients: expected 2 numbers, one per branch, got an array of 1"],
    [[2, 4], [dense, { layer: "dense" }], "network.layers: expected one site at the readout (flatten or pool the sites before it), got 4 sites"],
    [[2], [dense, erf], 'network.layers[1]: expected the readout at the end: a dense layer without a width, got activation'],
    [[2], [{ layer: "dense" }, { layer: "dense" }], "network.layers[0].width: expected a positive integer (only the last layer of the network has no width)"],
    [[2, 4], [dense, { layer: "residual", body: [dense], skip: 0, branch: 0 }, ...end], "network.layers[1].skip: expected skip or branch other than 0, else nothing passes, got 0"],
  ])("%j, %j", (shape, layers, expected) => {
    let message = "accepted";
    try {
      built(shape, layers);
    } catch (error) {
      ({ message } = error as FinitewidthError);
    }
    expect(message.replaceAll('"', "")).toContain(expected);
  }); // prettier-ignore
});
