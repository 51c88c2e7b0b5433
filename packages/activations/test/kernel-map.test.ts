import { matrix, type Activation, type Matrix } from "@finitewidth/core";
import { multiplyTransposedRight } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { crossKernelMap, gelu, kernelMap, plugin, relu } from "../src/index.js";

const points = 160;

/** Kernel of inputs of very different lengths, some repeated, opposite, nearly parallel or zero. */
function hardKernel(): Matrix {
  const features = 6;
  const x = matrix(points, features, new Float64Array(points * features));
  stream(5).normals(x.data);
  const copy = (to: number, from: number, scale: number, noise = 0): void => {
    for (let a = 0; a < features; a++)
      x.data[to * features + a] = scale * (x.data[from * features + a]! + noise * x.data[(to + 40) * features + a]!);
  };
  for (let i = 0; i < 10; i++) {
    copy(i, 40 + i, 1);
    copy(10 + i, 40 + i, -3);
    copy(20 + i, 40 + i, i % 2 === 0 ? 1e4 : -1e-4, 10 ** -i);
    copy(30 + i, 40 + i, i === 0 ? 0 : 1, 0.1 * i);
  }
  return multiplyTransposedRight(x, x);
}

const pairwise = (activation: Activation, rows: Float64Array, cross: Matrix, columns: Float64Array): Float64Array =>
  cross.data.map((c, at) => activation.moments.kernel(rows[Math.floor(at / columns.length)]!, c, columns[at % columns.length]!));

describe("kernel maps of large matrices", () => {
  const kernel = hardKernel();
  const variances = Float64Array.from({ length: points }, (_, i) => kernel.data[i * (points + 1)]!);
  for (const name of ["erf", "relu", "sign", "step"]) {
    const activation = plugin.activations!.find((candidate) => candidate.name === name)!;
    it(`${name}: the pair formulas to rounding, exactly symmetric, from the lower triangle alone`, () => {
      const expected = pairwise(activation, variances, kernel, variances);
      const lower = kernel.data.map((value, at) => (at % points > Math.floor(at / points) ? 7 : value));
      const { data } = kernelMap(activation, { data: lower, shape: kernel.shape });
      for (let i = 0; i < points; i++) {
        expect(data[i * (points + 1)]).toBe(activation.moments.diagonal(variances[i]!));
        for (let j = 0; j < i; j++) {
          const wanted = expected[i * points + j]!;
          expect(Math.abs(data[i * points + j]! - wanted)).toBeLessThanOrEqual(1e-14 * Math.abs(wanted));
          expect(data[j * points + i]).toBe(data[i * points + j]);
        }
      }
    });
    it(`${name}: cross kernels too`, () => {
      const cross: Matrix = { data: kernel.data.subarray(0, 140 * points), shape: [140, points] };
      const rows = variances.subarray(0, 140);
      const expected = pairwise(activation, rows, cross, variances);
      crossKernelMap(activation, rows, cross, variances).data.forEach((value, at) =>
        expect(Math.abs(value - expected[at]!)).toBeLessThanOrEqual(1e-14 * Math.abs(expected[at]!)),
      );
    });
    it(`${name}: another activation of that name keeps its own kernel`, () => {
      const other: Activation = { ...activation, moments: { ...activation.moments, kernel: () => 0.125 } };
      expect(kernelMap(other, kernel).data[1]).toBe(0.125);
    });
  }
});

describe("equal inputs", () => {
  it.each(plugin.activations!.map((activation) => [activation.name, activation] as const))("%s: have one kernel entry", (_, activation) => {
    for (const k of [0.05, 0.1, 0.7, 3, 30]) {
      const { data } = kernelMap(activation, matrix(2, 2, Float64Array.from([k, k, k, k])));
      for (const entry of data) expect(Math.abs(entry - data[0]!)).toBeLessThanOrEqual(1e-15 * Math.abs(data[0]!));
    }
  });
});

it.each([1e10, 1e20, 1e40, 1e80, 1e150, 1e200])("GELU of fields of variance %d is ReLU, correlations of ±1 included", (scale) => {
  for (const correlation of [-1, -0.5, 0, 0.3, 1 - 1e-9, 1]) {
    const [a, c, b] = [scale, correlation * scale * Math.sqrt(0.7), 0.7 * scale];
    expect(gelu.moments.kernel(a, c, b) / scale).toBeCloseTo(relu.moments.kernel(a, c, b) / scale, 4);
  }
});
