import type { Architecture, Matrix } from "@finitewidth/core";
import { composition, compositionKernels, fullKernels, infiniteWidthKernels, mixingLaw } from "@finitewidth/kernels";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { built, someInputs } from "./helpers.js";

const dense = (width?: number, weightVariance = 1.3, biasVariance = 0.1) => ({
  layer: "dense",
  ...(width ? { width } : {}),
  weightVariance,
  biasVariance,
});
const filter = (channels: number, more: object = {}) => ({
  layer: "convolution",
  channels,
  kernelSize: [3],
  weightVariance: 1.5,
  biasVariance: 0.1,
  ...more,
});
const phi = (name: string) => ({ layer: "activation", name });
const flatten = { layer: "flatten" };
const normalise = { layer: "layer-normalization" };
const body = [phi("relu"), dense(6)];
const exact = { relative: 1e-13, absolute: 1e-14 };

const vectors = someInputs(4, 5);
const signals = someInputs(3, 12);
const kernelOf = (net: Architecture, inputs: Matrix): Matrix => infiniteWidthKernels(net, inputs).preactivation.at(-1)!;
/** Output kernel of layers between a first layer and what ends the network. */
const onVectors = (layers: readonly object[], end: readonly object[] = [phi("erf"), dense()]): Matrix =>
  kernelOf(built([5], [dense(6), ...layers, ...end]), vectors);
const onSignals = (layers: readonly object[], end: readonly object[] = [flatten, dense()]): Matrix =>
  kernelOf(built([2, 6], [filter(6), ...layers, ...end]), signals);

describe("compositions that are the same network", () => {
  it("a residual without its branch is a·z, without its skip the body", () => {
    expectClose(onVectors([{ layer: "residual", body, branch: 0 }]), onVectors([]), exact);
    expectClose(onVectors([{ layer: "residual", body, skip: 0 }]), onVectors(body), exact);
    expectClose(
      onVectors([{ layer: "residual", body, skip: 0.7, branch: 0 }], [dense(undefined, 1, 0)]),
      onVectors([], [dense(undefined, 0.49, 0)]),
      exact,
    );
  });

  it("a sum of one branch is that branch, twice the identity multiplies kernels by four", () => {
    expectClose(onVectors([{ layer: "sum", branches: [body] }]), onVectors(body), exact);
    expectClose(
      onVectors([{ layer: "sum", branches: [[], []] }], [dense(undefined, 1, 0)]),
      onVectors([], [dense(undefined, 4, 0)]),
      exact,
    );
    expectClose(
      onVectors([{ layer: "sum", branches: [[], []], coefficients: [1, -1] }], [dense(undefined, 1, 0.3)]),
      Array.from({ length: 16 }, () => 0.3),
      exact,
    );
  });

  it("a field added to its own normalization keeps what both have in common", () => {
    // h = z + z/√κ on unit-diagonal kernels: (1 + 1)² z
    expectClose(
      onVectors([normalise, { layer: "sum", branches: [[], [normalise]] }], [dense(undefined, 1, 0)]),
      onVectors([normalise], [dense(undefined, 4, 0)]),
      exact,
    );
  });

  it("the order of branches does not matter", () => {
    const branches = [body, [], [phi("erf"), dense(6, 0.7)]];
    const coefficients = [0.3, -1, 2];
    expectClose(
      onVectors([{ layer: "sum", branches, coefficients }]),
      onVectors([{ layer: "sum", branches: branches.toReversed(), coefficients: coefficients.toReversed() }]),
      exact,
    );
  });

  it("flatten without a grid, dilation 1, stride 1, windows and filters of one site change nothing", () => {
    expectClose(onVectors([flatten, ...body]), onVectors(body), exact);
    expectClose(onSignals([phi("relu"), filter(5, { dilation: [1], stride: [1] })]), onSignals([phi("relu"), filter(5)]), exact);
    expectClose(onSignals([phi("relu"), { layer: "average-pooling", window: [1] }]), onSignals([phi("relu")]), exact);
    expectClose(onSignals([phi("relu"), filter(5, { kernelSize: [1] })]), onSignals([phi("relu"), dense(5, 1.5)]), exact);
  });

  it("pooling whose rows sum to one and a dense layer at every site commute", () => {
    const pooling = { layer: "average-pooling", window: [2] };
    for (const end of [
      [phi("relu"), flatten, dense()],
      [{ layer: "global-average-pooling" }, dense()],
    ])
      expectClose(onSignals([phi("relu"), pooling, dense(5)], end), onSignals([phi("relu"), dense(5), pooling], end), exact);
  });

  it("attention by the identity is a dense layer, by a permutation of tokens too where they are averaged", () => {
    const eye = [0, 1, 2, 3, 4, 5].map((i) => [0, 1, 2, 3, 4, 5].map((j) => (i === j ? 1 : 0)));
    const attention = (matrices: number[][][]) => ({ layer: "attention", matrices, width: 5, weightVariance: 1.5, biasVariance: 0.1 });
    const end = [phi("erf"), { layer: "global-average-pooling" }, dense()];
    expectClose(onSignals([phi("relu"), attention([eye])], end), onSignals([phi("relu"), dense(5, 1.5)], end), exact);
    expectClose(onSignals([phi("relu"), attention([eye, eye])], end), onSignals([phi("relu"), dense(5, 1.5)], end), exact);
    expectClose(onSignals([phi("relu"), attention([eye.toReversed()])], end), onSignals([phi("relu"), dense(5, 1.5)], end), exact);
  });

  it("softmax attention without scores averages the tokens", () => {
    const softmax = { layer: "attention", scores: "softmax", scoreVariance: 0, width: 5, weightVariance: 1.5, biasVariance: 0.1 };
    const mean = {
      layer: "attention",
      matrices: [Array.from({ length: 6 }, () => Array.from({ length: 6 }, () => 1 / 6))],
      width: 5,
      weightVariance: 1.5,
      biasVariance: 0.1,
    };
    expectClose(onSignals([phi("relu"), softmax]), onSignals([phi("relu"), mean]), exact);
  });

  it("layer normalization: unit diagonal, indifferent to scale, idempotent", () => {
    const one = [dense(undefined, 1, 0)];
    const kernel = onVectors([normalise], one);
    expectClose(
      [0, 5, 10, 15].map((i) => kernel.data[i]!),
      [1, 1, 1, 1],
      exact,
    );
    expectClose(onVectors([dense(6, 7, 0), normalise], one), onVectors([dense(6, 0.1, 0), normalise], one), exact);
    expectClose(onVectors([normalise, normalise], one), kernel, exact);
  });

  it("permuted points permute the kernel", () => {
    const net = built(
      [2, 6],
      [
        filter(6),
        { layer: "residual", body: [normalise, phi("relu"), filter(6)] },
        { layer: "average-pooling", window: [2] },
        flatten,
        dense(),
      ],
    );
    const order = [2, 0, 1];
    const permuted: Matrix = {
      data: Float64Array.from(order.flatMap((i) => [...signals.data.subarray(12 * i, 12 * i + 12)])),
      shape: [3, 12],
    };
    const kernel = kernelOf(net, signals).data;
    expectClose(
      kernelOf(net, permuted),
      order.flatMap((i) => order.map((j) => kernel[3 * i + j]!)),
      exact,
    );
  });

  it("filters and windows that see nothing but zeros leave the biases", () => {
    const blind = { kernelSize: [1], stride: [9], padding: [1] };
    const none = built([2, 6], [filter(3), filter(4, { ...blind, biasVariance: 0.3 }), flatten, dense(undefined, 2, 0.1)]);
    expectClose(
      kernelOf(none, signals),
      Array.from({ length: 9 }, () => 0.7),
      exact,
    );
    const pooled = built(
      [2, 6],
      [filter(3), { layer: "average-pooling", window: [1], stride: [9], padding: [1] }, flatten, dense(undefined, 2, 0.1)],
    );
    expectClose(
      kernelOf(pooled, signals),
      Array.from({ length: 9 }, () => 0.1),
      exact,
    );
    expect(mixingLaw(none)).toBeUndefined();
  });

  it("degenerate inputs: zeros, duplicates, opposite points", () => {
    const x: Matrix = { data: Float64Array.from([1, 2, 1, 2, -1, -2, 0, 0]), shape: [4, 2] };
    const net = built(
      [2],
      [dense(4, 1, 0), { layer: "residual", body: [normalise, phi("relu"), dense(4, 1, 0)] }, phi("relu"), dense(undefined, 1, 0)],
    );
    for (const kernels of [infiniteWidthKernels(net, x), compositionKernels(composition(net), x, x)]) {
      const top = kernels.preactivation.at(-1)!.data;
      expect(top.every(Number.isFinite)).toBe(true);
      expectClose(top.slice(0, 2), [top[0]!, top[0]!], { relative: 1e-7 }, "duplicates");
      expectClose(top.slice(12), [0, 0, 0, 0], { absolute: 1e-300 }, "the point at zero");
    }
    expect(fullKernels(composition(net), x).layers.at(-1)!.data.every(Number.isFinite)).toBe(true);
  });
});
