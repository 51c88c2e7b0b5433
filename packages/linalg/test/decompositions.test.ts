import { matrixFromRows, zeros } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { diagonalMatrix, lu, multiply, multiplyTransposedRight, solve, thinSvd } from "../src/index.js";
import { maxDifference, orthogonalityError, randomMatrix } from "./matrices.js";

describe("thinSvd", () => {
  const low = multiply(randomMatrix(20, 3, 1), randomMatrix(3, 9, 2));
  for (const [name, a] of Object.entries({
    tall: randomMatrix(23, 8, 3),
    wide: randomMatrix(5, 14, 4),
    low,
    zero: zeros(6, 4),
    empty: zeros(0, 3),
    "rank 4, 150 × 60": multiply(randomMatrix(150, 4, 5), randomMatrix(4, 60, 6)),
    "Hilbert, condition 1e17": matrixFromRows(Array.from({ length: 14 }, (_, i) => Array.from({ length: 14 }, (_, j) => 1 / (i + j + 1)))),
    tiny: { ...low, data: low.data.map((x) => x * 1e-250) },
  })) {
    it(name, () => {
      const { left, values, right } = thinSvd(a);
      const k = Math.min(...a.shape);
      expect([left.shape, right.shape, values.length]).toEqual([[a.shape[0], k], [a.shape[1], k], k]);
      expect(Math.max(orthogonalityError(left), orthogonalityError(right))).toBeLessThan(200 * Number.EPSILON);
      const scale = values[0] ?? 0;
      expect(maxDifference(multiplyTransposedRight(multiply(left, diagonalMatrix(values)), right).data, a.data)).toBeLessThanOrEqual(
        1e-14 * scale,
      );
      expect(Array.from(values)).toEqual(Array.from(values).sort((x, y) => y - x));
    });
  }
});

describe("solve", () => {
  it("solves a general system and reports the determinant", () => {
    const a = matrixFromRows([
      [0, 2, 1],
      [1, 0, 0],
      [3, 1, -1],
    ]);
    const x = matrixFromRows([[1], [-2], [5]]);
    expect(maxDifference(solve(a, multiply(a, x)).data, x.data)).toBeLessThan(1e-14);
    const { logAbsoluteDeterminant, determinantSign } = lu(a);
    expect(determinantSign * Math.exp(logAbsoluteDeterminant)).toBeCloseTo(3, 13);
  });
  it("names the pivot of a singular matrix", () => {
    expect(() =>
      solve(
        matrixFromRows([
          [1, 1],
          [1, 1],
        ]),
        zeros(2, 1),
      ),
    ).toThrow(/pivot 1 of 2 is 0/);
    expect(
      lu(
        matrixFromRows([
          [1, 1],
          [1, 1],
        ]),
      ).determinantSign,
    ).toBe(0);
  });
});
