import { matrixFromRows, zeros, type Matrix } from "@finitewidth/core";
import { innerProduct, symmetricEigenvalues, trace } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture, type FixtureGeometry } from "../../../tools/testing.ts";
import { adjointPatchOperator, outputExtent, patchOperator, tapTable } from "@finitewidth/kernels";
import { layerOf, spread } from "./helpers.js";

interface Operators {
  readonly inputs: {
    readonly cases: { readonly geometry: FixtureGeometry; readonly inputKernel: number[][]; readonly outputMatrix: number[][] }[];
  };
  readonly expected: {
    readonly cases: {
      readonly outputSize: number[];
      readonly taps: number[][];
      readonly patchOperator: number[][];
      readonly adjointPatchOperator: number[][];
    }[];
  };
}
const fixture = readFixture<Operators>("deep-linear/conv-operators");

const geometries = [
  layerOf({ size: [6], kernel: [3], stride: [1], padding: [1], dilation: [1], mode: "circular" }),
  layerOf({ size: [5, 4], kernel: [3, 2], stride: [2, 1], padding: [1, 0], dilation: [1, 2], mode: "zero" }),
  layerOf({ size: [7], kernel: [2], stride: [3], padding: [0], dilation: [2], mode: "zero" }),
];

describe("patch operators", () => {
  it.each(fixture.inputs.cases.map((input, i) => [i, input, fixture.expected.cases[i]!] as const))(
    "reproduce fixture case %i",
    (_, input, expected) => {
      const table = tapTable(layerOf(input.geometry), input.geometry.size);
      expect(table.outputSize).toEqual(expected.outputSize);
      expectClose(table.taps, expected.taps, {}, "taps");
      expectClose(patchOperator(table, matrixFromRows(input.inputKernel)), expected.patchOperator, { absolute: 1e-13 }, "T(K)");
      expectClose(
        adjointPatchOperator(table, matrixFromRows(input.outputMatrix)),
        expected.adjointPatchOperator,
        { absolute: 1e-13 },
        "T*(M)",
      );
    },
  );

  it.each(geometries)("are adjoint and keep matrices positive (%#)", (layer) => {
    const size = layer.kernelSize.length === 2 ? [5, 4] : [7];
    const table = tapTable(layer, size);
    const k = spread(table.inputSites, 1);
    const m = spread(table.outputSites, 2);
    expect(innerProduct(patchOperator(table, k), m)).toBeCloseTo(innerProduct(k, adjointPatchOperator(table, m)), 12);
    expect(symmetricEigenvalues(adjointPatchOperator(table, m))[0]).toBeGreaterThan(-1e-13);
    expect(symmetricEigenvalues(patchOperator(table, k))[0]).toBeGreaterThan(-1e-13);
  });

  it("keeps traces and constants for circular padding and stride 1", () => {
    const table = tapTable({ kernelSize: [3, 2], stride: [1, 1], padding: "circular", dilation: [1, 2] }, [4, 5]);
    const m = spread(20, 3);
    expect(trace(adjointPatchOperator(table, m))).toBeCloseTo(trace(m), 12);
    const ones: Matrix = { data: new Float64Array(400).fill(1), shape: [20, 20] };
    expectClose(adjointPatchOperator(table, ones), ones.data, { absolute: 1e-14 });
  });

  it("places filters as documented", () => {
    const at = (padding: "circular" | "zero" | "valid", kernel: number, stride: number, dilation = 1): number[] =>
      Array.from(tapTable({ kernelSize: [kernel], stride: [stride], padding, dilation: [dilation] }, [5]).taps);
    expect(at("circular", 3, 2)).toEqual([4, 0, 1, 1, 2, 3, 3, 4, 0]);
    expect(at("zero", 2, 2)).toEqual([0, 1, 2, 3, 4, -1]);
    expect(at("zero", 4, 3)).toEqual([-1, 0, 1, 2, 2, 3, 4, -1]);
    expect(at("zero", 3, 2, 2)).toEqual([-1, 0, 2, 0, 2, 4, 2, 4, -1]);
    expect(at("valid", 3, 2)).toEqual([0, 1, 2, 2, 3, 4]);
    expect(at("circular", 7, 5)).toEqual([2, 3, 4, 0, 1, 2, 3]);
    expect(outputExtent(4, 5, 1, 1, "valid")).toBeLessThan(1);
    expect(outputExtent(5, 3, 2, 1, 1)).toBe(3);
  });

  it("rejects matrices over the wrong sites", () => {
    const table = tapTable(geometries[0]!, [6]);
    expect(() => patchOperator(table, zeros(5, 5))).toThrow("6 × 6 matrix over sites");
  });
});
