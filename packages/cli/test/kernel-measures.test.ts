import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { centredAlignment, effectiveRank, orderByTarget, orderName, relativeShift } from "../src/report/kernel-measures.js";

const targets = matrixFromRows([[1], [-1], [1], [-1]]);
const outer = (y: readonly number[]) => matrixFromRows(y.map((a) => y.map((b) => a * b)));

describe("measures of kernels", () => {
  it("alignment is 1 for the kernel of the targets, whatever its scale and offset, and 0 for one that knows nothing of them", () => {
    const own = outer([1, -1, 1, -1]);
    expect(centredAlignment(own, targets)).toBeCloseTo(1, 12);
    expect(centredAlignment({ ...own, data: own.data.map((value) => 3 * value + 7) }, targets)).toBeCloseTo(1, 12);
    expect(centredAlignment(outer([1, 1, -1, -1]), targets)).toBeCloseTo(0, 12);
    expect(centredAlignment(own, matrixFromRows([[2], [2], [2], [2]]))).toBeUndefined();
    // Two outputs: HKH = K, ⟨K, YYᵀ⟩ = 16 + 16·0, ‖YYᵀ‖ = √(16² + (4·4)²)/…, worked out by hand.
    const two = matrixFromRows([
      [1, 1],
      [-1, 1],
      [1, -1],
      [-1, -1],
    ]);
    expect(centredAlignment(own, two)).toBeCloseTo(16 / (4 * Math.sqrt(32)), 12);
  });

  it("the order is called after what it orders by", () => {
    expect(orderName(targets)).toBe("class");
    expect(orderName(matrixFromRows([[0.3], [0.1], [0.7]]))).toBe("target");
    expect(
      orderName(
        matrixFromRows([
          [1, 0],
          [0, 1],
        ]),
      ),
    ).toBe("class");
    expect(orderName(matrixFromRows([[1, 0.5]]))).toBe("largest output");
  });

  it("effective rank counts directions", () => {
    expect(effectiveRank(outer([1, 2, 3]))).toBeCloseTo(1, 12);
    expect(
      effectiveRank(
        matrixFromRows([
          [1, 0, 0],
          [0, 1, 0],
          [0, 0, 1],
        ]),
      ),
    ).toBeCloseTo(3, 12);
    expect(
      effectiveRank(
        matrixFromRows([
          [2, 0],
          [0, 1],
        ]),
      ),
    ).toBeCloseTo(9 / 5, 12);
  });

  it("shift, difference and order", () => {
    const [a, b] = [
      matrixFromRows([
        [3, 0],
        [0, 4],
      ]),
      matrixFromRows([
        [3, 0],
        [0, 0],
      ]),
    ];
    expect(relativeShift(a, b)).toBeCloseTo(4 / 3, 12);
    // of inputs that are all zero
    const nothing = matrixFromRows([[0]]);
    expect(relativeShift(nothing, nothing)).toBe(0);
    expect(orderByTarget(targets)).toEqual([1, 3, 0, 2]);
    expect(
      orderByTarget(
        matrixFromRows([
          [0, 1],
          [1, 0],
          [0, 1],
        ]),
      ),
    ).toEqual([1, 0, 2]);
  });

  it("are those of the definitions for several outputs, and of each pair of matrices by itself", () => {
    const n = 5;
    const wave = (rows: number, columns: number, phase: number) =>
      Array.from({ length: rows }, (_, i) =>
        Array.from({ length: columns }, (_unused, j) => Math.sin(1.7 * i + 2.9 * j * j + phase + i * j)),
      );
    const features = wave(n, 4, 0.4);
    const K = features.map((a) => features.map((b) => a.reduce((sum, value, j) => sum + value * b[j]!, 0)));
    const H = K.map((_, i) => K.map((_unused, j) => (i === j ? 1 : 0) - 1 / n));
    const times = (a: number[][], b: number[][]) =>
      a.map((row) => b[0]!.map((_, j) => row.reduce((sum, value, k) => sum + value * b[k]![j]!, 0)));
    const dot = (a: number[][], b: number[][]) => a.flat().reduce((sum, value, k) => sum + value * b.flat()[k]!, 0);
    const kernel = matrixFromRows(K);
    for (const outputs of [1, 2, 3]) {
      const Y = wave(n, outputs, 1.3).map((row) => row.map((value, a) => (a + 1) * value + 2));
      const [a, b] = [K, Y.map((x) => Y.map((y) => x.reduce((sum, value, k) => sum + value * y[k]!, 0)))].map((one) =>
        times(times(H, one), H),
      );
      expect(centredAlignment(kernel, matrixFromRows(Y))).toBeCloseTo(dot(a!, b!) / Math.sqrt(dot(a!, a!) * dot(b!, b!)), 12);
    }
    const [one, two] = [matrixFromRows(wave(n, n, 2)), matrixFromRows(wave(n, n, 3))];
    for (const other of [one, two, one])
      expect(relativeShift(kernel, other)).toBeCloseTo(
        Math.sqrt(
          kernel.data.reduce((sum, value, k) => sum + (value - other.data[k]!) ** 2, 0) /
            other.data.reduce((sum, value) => sum + value ** 2, 0),
        ),
        12,
      );
  });

  it("orders several outputs by the largest, negative ones too, and equal ones as they come", () => {
    expect(
      orderByTarget(
        matrixFromRows([
          [-3, -2, -1],
          [-1, -2, -3],
          [0, 5, 1],
          [-4, -5, -3],
          [2, 1, 0],
        ]),
      ),
    ).toEqual([1, 4, 2, 0, 3]);
    expect(orderByTarget(matrixFromRows([[10], [9], [-1], [9]]))).toEqual([2, 1, 3, 0]);
  });
});
