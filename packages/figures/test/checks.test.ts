import { describe, expect, it } from "vitest";
import { agree, falling, near, reject, rising } from "../src/shared/checks.js";
import { histogram } from "../src/shared/draws.js";
import { slope } from "../src/shared/numbers.js";
import { sampledShift } from "../src/shared/shift.js";

describe("checks", () => {
  it("near, rising and falling decide by their bounds, and fail on NaN", () => {
    expect(near("a", 1.1, 1, 0.2).holds).toBe(true);
    expect(near("a", 1.3, 1, 0.2).holds).toBe(false);
    expect(near("a", Number.NaN, 1, 0.2).holds).toBe(false);
    expect(rising("a", [1, 2, 3]).holds).toBe(true);
    expect(rising("a", [1, 1]).holds).toBe(false);
    expect(rising("a", [1, Number.NaN]).holds).toBe(false);
    expect(falling("a", [3, 2]).holds).toBe(true);
  });
  it("agreement has the false alarm of the normal law, shared by all comparisons", () => {
    expect(agree("a", [0], [3.28], [1]).holds).toBe(true);
    expect(agree("a", [0], [3.3], [1]).holds).toBe(false);
    expect(agree("a", [0, 0], [3.3, 0], [1, 1]).holds).toBe(true);
    expect(agree("a", [10], [14], [1], 0.1).holds).toBe(true);
    expect(agree("a", [0], [5], [1], 0, 7).holds).toBe(true);
    expect(reject("a", [0], [5], [1]).holds).toBe(true);
    expect(agree("a", [0], [Number.NaN], [1]).holds).toBe(false);
  });
  it("agreement within the tolerance tells how far apart the numbers are, beyond it by how many standard errors", () => {
    expect(agree("a", [10, 20, 0], [10.3, 20.5, 0], [1, 1, 1], 0.05)).toMatchObject({ found: "3 % apart at most", holds: true });
    expect(agree("a", [10, -20], [10.3, -22], [1, 1], 0.05).found).toBe("1 standard errors at most");
    expect(agree("a", [10], [10], [1]).found).toBe("0 standard errors at most");
  });
  it("the slope is that of a power law", () => expect(slope([1, 2, 4], [3, 1.5, 0.75])).toBeCloseTo(-1, 12));
  it("noise is taken from the size of a sampled shift", () => {
    const matrix = (value: number) => ({ data: new Float64Array(4).fill(value), shape: [2, 2] as const });
    const shift = sampledShift(matrix(0.5), matrix(0.3), matrix(1));
    expect(shift.value).toBeCloseTo(0.4, 12);
    expect(shift.standardError).toBeCloseTo(0.3, 12);
  });
});

it("a histogram has the density of the draws in equal bins, those outside counted, with the errors of counts", () => {
  const drawn = [
    [0.1, 0.2, 0.3, 0.4, 0.6],
    [0.45, 0.9, -1, 7, 0.05],
  ].map((values) => ({ outputs: Float64Array.from(values), kernels: new Float64Array(0) }));
  const { centres, density, standardError } = histogram(drawn, 0, 2, 4);
  expect(centres).toEqual([0.25, 0.75, 1.25, 1.75]);
  expect(density).toEqual([6, 2, 0, 0].map((count) => count / 5));
  // Poisson: the root of a count, of one where there is none
  standardError.forEach((error, k) => expect(error).toBeCloseTo(Math.sqrt([6, 2, 1, 1][k]!) / 5, 14));
});
