import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import {
  centredAlignment,
  difference,
  effectiveRank,
  orderByTarget,
  orderName,
  permuted,
  relativeShift,
} from "../src/report/kernel-measures.js";

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
    expect([...difference(a, b).data]).toEqual([0, 0, 0, 4]);
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
    const k = matrixFromRows([
      [11, 12, 13],
      [21, 22, 23],
      [31, 32, 33],
    ]);
    expect([...permuted(k, [2, 0, 1]).data]).toEqual([33, 31, 32, 13, 11, 12, 23, 21, 22]);
  });
});
