import { describe, expect, it } from "vitest";
import { convolutionGeometry, filterMaps, outputExtent, tapTable, type FilterGeometry } from "../src/index.js";
import { liveSites } from "../src/live-sites.js";
import { geometry } from "./naive.ts";

/** Row-major place of coordinates, and back. */
const place = (at: readonly number[], size: readonly number[]): number => at.reduce((all, value, axis) => all * size[axis]! + value, 0);
const coordinates = (at: number, size: readonly number[]): number[] =>
  size.map((extent, axis) => Math.floor(at / size.slice(axis + 1).reduce((all, value) => all * value, 1)) % extent);

describe("taps", () => {
  const cases: readonly (readonly [FilterGeometry, number[], number[]])[] = [
    [geometry([3], [2], "circular"), [5], [3]],
    [geometry([2, 3], [1, 2], [1, 0]), [3, 6], [4, 2]],
    [geometry([2, 3], [2, 1], "zero", [2, 1]), [4, 5], [2, 5]],
    [geometry([3, 2], [1, 3], "circular", [1, 2]), [4, 7], [4, 3]],
    [geometry([2, 2], [1, 1], "valid", [3, 1]), [6, 4], [3, 3]],
    [geometry([1, 3, 2], [1, 2, 1], [0, 2, 1], [1, 2, 1]), [2, 5, 3], [2, 3, 4]],
  ];
  it.each(cases)("%o on %j sites, every axis by itself", (layer, size, outputSize) => {
    const found = tapTable(layer, size);
    expect([found.inputSize, found.outputSize]).toEqual([size, outputSize]);
    expect([found.inputSites, found.outputSites, found.tapCount]).toEqual(
      [size, outputSize, layer.kernelSize].map((e) => e.reduce((a, b) => a * b)),
    );
    for (let i = 0; i < found.outputSites; i++) {
      for (let m = 0; m < found.tapCount; m++) {
        const [out, tap] = [coordinates(i, outputSize), coordinates(m, layer.kernelSize)];
        const read = out.map((o, axis) => {
          const { padding, stride, dilation, kernelSize } = layer;
          const centred = padding === "circular" || padding === "zero";
          const before = centred ? dilation[axis]! * Math.floor((kernelSize[axis]! - 1) / 2) : padding === "valid" ? 0 : padding[axis]!;
          const position = o * stride[axis]! + tap[axis]! * dilation[axis]! - before;
          return padding === "circular" ? (position + 10 * size[axis]!) % size[axis]! : position;
        });
        const inside = read.every((r, axis) => r >= 0 && r < size[axis]!);
        expect(found.taps[i * found.tapCount + m]).toBe(inside ? place(read, size) : -1);
      }
    }
    const maps = filterMaps(found);
    maps.forEach(({ sources, inputSites, outputSites }, m) => {
      expect([inputSites, outputSites]).toEqual([found.inputSites, found.outputSites]);
      expect([...sources]).toEqual(Array.from({ length: outputSites }, (_, i) => found.taps[i * found.tapCount + m]));
    });
    layer.kernelSize.forEach((kernel, axis) => {
      const padding = typeof layer.padding === "string" ? layer.padding : layer.padding[axis]!;
      expect(outputExtent(size[axis]!, kernel, layer.stride[axis]!, layer.dilation[axis]!, padding)).toBe(outputSize[axis]);
    });
  });

  it("of all layers of a network, each on what the one below leaves", () => {
    const layers = [geometry([2, 3], [1, 2], [1, 0]), geometry([2, 1], [2, 1], "zero")];
    const found = convolutionGeometry({ inputShape: [3, 3, 6], layers });
    expect([found.channels, found.inputSites]).toEqual([3, 18]);
    expect(found.layers[1]).toEqual(tapTable(layers[1]!, [4, 2]));
    expect(() => convolutionGeometry({ inputShape: [1, 3, 6], layers: [geometry([4, 1], [1, 1], "valid")] })).toThrow(
      "network.layers[0].kernelSize: expected a filter that fits the 3 × 6 sites of its padded input, got",
    );
    expect(() => convolutionGeometry({ inputShape: [1, 3, 6], layers: [layers[0]!, geometry([1, 1], [9, 9], [3, 3])] })).toThrow(
      /^network.layers\[1\].padding/,
    );
  });
});

it("live sites are read through weights other than zero, or have a constant", () => {
  const map = { inputSites: 3, outputSites: 3, sources: Int32Array.of(0, 1, 1, 2, -1, 2), weights: Float64Array.of(0, 1, 0, 2, 1, 0) };
  expect([...liveSites([map], Uint8Array.of(1, 1, 1))]).toEqual([1, 1, 0]);
  expect([...liveSites([map], Uint8Array.of(1, 0, 1))]).toEqual([0, 1, 0]);
  expect([...liveSites([map], Uint8Array.of(0, 0, 0), true)]).toEqual([1, 1, 1]);
});
