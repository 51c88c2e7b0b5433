import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { identity, multiplyTransposedLeft, multiplyTransposedRight, thinSvd } from "../src/index.js";
import { randomMatrix, randomOrthogonal, uniforms } from "./matrices.ts";

/** m × n of a given rank, singular values falling by `fall` each. */
function ranked(m: number, n: number, rank: number, fall = 0.7) {
  const left = randomMatrix(m, rank, 1);
  const right = randomMatrix(n, rank, 2);
  return multiplyTransposedRight({ data: left.data.map((x, k) => x * fall ** (k % rank)), shape: left.shape }, right);
}

const cases = [
  ["tall", ranked(7, 4, 4)],
  ["wide", ranked(3, 8, 3)],
  ["square", ranked(5, 5, 5)],
  ["rank deficient by one", ranked(6, 4, 3)],
  ["rank deficient by three", ranked(9, 5, 2)],
  ["wide and rank deficient by four", ranked(5, 9, 1)],
  ["graded over twelve decades", ranked(6, 5, 5, 1e-3)],
  ["a column of zeros between others", { data: Float64Array.of(1, 0, 2, -3, 0, 1, 0.5, 0, 4), shape: [3, 3] as const }],
  ["two columns of zeros beside a full one", { data: Float64Array.of(1, 0, 0, 2, 0, 0, -1, 0, 0, 1, 0, 0), shape: [4, 3] as const }],
  [
    "columns that depend on each other above a row of zeros",
    { data: Float64Array.of(1, 0, 2, 0.5, 2, -1, 0, 0, 0), shape: [3, 3] as const },
  ],
  ["rank one, rows of zeros", { data: Float64Array.of(0, 0, 0, 3, -1, 0.7, 0, 0, 0, 0, 0, 0), shape: [4, 3] as const }],
  ["zero", { data: new Float64Array(12), shape: [4, 3] as const }],
  ["one number", { data: Float64Array.of(-2), shape: [1, 1] as const }],
] as const;

describe("thin singular value decomposition", () => {
  it.each(cases)("%s: factors multiply to the matrix, their columns are orthonormal, values descend", (_, a) => {
    const { left, values, right } = thinSvd(a);
    const k = Math.min(...a.shape);
    expect([left.shape, values.length, right.shape]).toEqual([[a.shape[0], k], k, [a.shape[1], k]]);
    expect([...values].every((value, i) => value >= 0 && (i === 0 || value <= values[i - 1]!))).toBe(true);
    const scaled = { data: left.data.map((x, i) => x * values[i % k]!), shape: left.shape };
    const size = Math.max(values[0]!, 1e-300);
    expectClose(multiplyTransposedRight(scaled, right), a, { relative: 0, absolute: 1e-14 * 8 * size }, "U Σ Vᵀ");
    for (const factor of [left, right])
      expectClose(multiplyTransposedLeft(factor, factor), identity(k), { relative: 0, absolute: 1e-13 }, "orthonormal");
  });

  it("small values of graded matrices keep their digits: those of diagonal times orthogonal", () => {
    const scales = [1, 1e-4, 1e-8, 1e-11, 1e-13];
    const a = { data: randomOrthogonal(5).data.map((x, i) => x * scales[i % 5]!), shape: [5, 5] as const };
    expectClose(thinSvd(a).values, scales, { relative: 1e-12 });
  });

  it("small whole numbers, whose rows and columns often depend on each other exactly", () => {
    const uniform = uniforms(5);
    const below = (n: number): number => Math.min(n - 1, Math.floor(Math.abs(uniform()) * n));
    for (let trial = 0; trial < 600; trial++) {
      const [m, n] = [1 + below(6), 1 + below(6)];
      const a = { data: Float64Array.from({ length: m * n }, () => 0.3 * (below(5) - 2)), shape: [m, n] as const };
      const { left, values, right } = thinSvd(a);
      const k = Math.min(m, n);
      const scaled = { data: left.data.map((x, i) => x * values[i % k]!), shape: left.shape };
      expectClose(multiplyTransposedRight(scaled, right), a, { absolute: 1e-13 * Math.max(values[0]!, 1e-300) }, "U Σ Vᵀ");
      for (const factor of [left, right])
        expectClose(multiplyTransposedLeft(factor, factor), identity(k), { absolute: 1e-13 }, "orthonormal");
    }
  });

  it("refuses what is not finite", () => {
    expect(() => thinSvd({ data: Float64Array.of(1, Number.NaN, 0, 1), shape: [2, 2] })).toThrow(/finite/);
  });
});
