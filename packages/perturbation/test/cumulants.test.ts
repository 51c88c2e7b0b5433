import { stream } from "@finitewidth/random";
import { expect, it } from "vitest";
import { pairCount, pairIndex } from "../src/kernel-flow/index-pairs.js";
import { fourthCumulantTensor, kernelCovarianceTensor } from "../src/prior/cumulants.js";

it("the fourth cumulant is the sum over the three pairings: by hand for four different inputs, the same in any order", () => {
  const n = 4;
  const pairs = pairCount(n);
  const half = stream(3).normals(new Float64Array(pairs * pairs));
  const sigma = {
    data: half.map((value, k) => value + half[(k % pairs) * pairs + Math.floor(k / pairs)]!),
    shape: [pairs, pairs] as const,
  };
  const of = (a: number, b: number, c: number, d: number): number => sigma.data[pairIndex(n, a, b) * pairs + pairIndex(n, c, d)]!;
  const { data } = fourthCumulantTensor(kernelCovarianceTensor(sigma, n));
  const at = (a: number, b: number, c: number, d: number): number => data[((a * n + b) * n + c) * n + d]!;
  expect(at(0, 1, 2, 3)).toBeCloseTo(of(0, 1, 2, 3) + of(0, 2, 1, 3) + of(0, 3, 1, 2), 12);
  for (const [a, b, c, d] of [
    [1, 0, 2, 3],
    [0, 2, 1, 3],
    [3, 1, 2, 0],
    [2, 3, 0, 1],
    [1, 2, 3, 0],
  ] as const)
    expect(at(a, b, c, d)).toBeCloseTo(at(0, 1, 2, 3), 12);
  expect(at(1, 1, 2, 2)).toBeCloseTo(of(1, 1, 2, 2) + 2 * of(1, 2, 1, 2), 12);
});
