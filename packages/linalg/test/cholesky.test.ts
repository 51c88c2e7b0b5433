import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { cholesky, multiplyTransposedRight } from "../src/index.js";

describe("cholesky", () => {
  it("reproduces the matrix", () => {
    const a = matrixFromRows([
      [4, 1],
      [1, 3],
    ]);
    const { factor, logDeterminant } = cholesky(a);
    expect(Array.from(multiplyTransposedRight(factor, factor).data)).toEqual(Array.from(a.data));
    expect(logDeterminant).toBeCloseTo(Math.log(11), 14);
  });
});
