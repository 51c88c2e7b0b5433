import type { Matrix } from "@finitewidth/core";
import { infiniteWidthKernels, outputKernel } from "@finitewidth/kernels";
import { describe, expect, it } from "vitest";
import { built, someInputs } from "./helpers.js";

const dense = (width?: number) => ({ layer: "dense", ...(width ? { width } : {}) });
const phi = { layer: "activation", name: "gelu" };
const networks = {
  dense: built([4], [dense(3), phi, dense(5), phi, dense()]),
  filters: built([1, 4], [{ layer: "convolution", channels: 3, kernelSize: [2] }, phi, { layer: "flatten" }, dense()]),
  residual: built([4], [dense(3), { layer: "residual", body: [phi, dense(3)] }, phi, dense()]),
};
const scaled = (inputs: Matrix, scale: number): Matrix => ({ data: inputs.data.map((value) => scale * value), shape: inputs.shape });
const [inputs, others] = [someInputs(3, 4), scaled(someInputs(2, 4), -0.7)];

describe.each(Object.entries(networks))("kernels of %s", (_, network) => {
  it("are finite or refused by the name of the field, whoever asks", () => {
    for (const ask of [
      (x: Matrix) => infiniteWidthKernels(network, x).preactivation.at(-1)!,
      (x: Matrix) => infiniteWidthKernels(network, x, scaled(others, x.data[0]! / inputs.data[0]!)).preactivation.at(-1)!,
      (x: Matrix) => outputKernel(network, x).kernel,
      (x: Matrix) => outputKernel(network, x, scaled(others, x.data[0]! / inputs.data[0]!)).kernel,
    ]) {
      expect(ask(scaled(inputs, 1e3)).data.every(Number.isFinite)).toBe(true);
      expect(() => ask(scaled(inputs, 1e160))).toThrow(
        /^inputs: expected numbers, and variances of the layers, of a scale at which.*numbers up to 1\.\d+e\+160/,
      );
    }
  });
});
