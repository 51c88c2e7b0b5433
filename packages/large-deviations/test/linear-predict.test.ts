import { matrix, type Matrix } from "@finitewidth/core";
import { addDiagonal, affine, combine, diagonalOf, gram, multiply, multiplyTransposedRight, solve, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import { predictLinear } from "../src/forward-backward/linear-predict.js";

const draw = (index: number, n: number, m: number): Matrix => matrix(n, m, stream(21, index).normals(new Float64Array(n * m)));

it.each([
  [0.3, 2],
  [1e-4, 0.5],
  [40, 1.7],
])("full-rank kernels, T = %d, gain %d: the formulas with inverses", (temperature, gain) => {
  const [P, N0] = [4, 9];
  const [x, test, targets] = [draw(1, P, N0), draw(2, 3, N0), draw(3, P, 2)];
  const firstKernel = gram(x);
  const [cross, joint] = [multiplyTransposedRight(test, x), gram(test)];
  // any readout kernel in the range of K¹
  const readoutKernel = combine(1, affine(gain, firstKernel), 0.7, gram(draw(4, P, P)));
  const found = predictLinear({ firstKernel, readoutKernel, targets, temperature, gain }, { cross, variances: diagonalOf(joint), joint });
  const pull = transpose(solve(firstKernel, transpose(cross)));
  const above = multiply(pull, readoutKernel);
  const outside = combine(gain, joint, -gain, multiplyTransposedRight(pull, cross));
  const prior = combine(1, outside, 1, multiplyTransposedRight(above, pull));
  const shifted = addDiagonal(readoutKernel, temperature);
  expectClose(found.mean.data, multiply(above, solve(shifted, targets)).data, { relative: 1e-9, absolute: 1e-10 });
  const covariance = combine(1, prior, -1, multiply(above, solve(shifted, transpose(above))));
  expectClose(found.joint!.data, covariance.data, { relative: 1e-8, absolute: 1e-9 });
  expectClose(found.variance, diagonalOf(covariance), { relative: 1e-8, absolute: 1e-9 });
  const alone = predictLinear({ firstKernel, readoutKernel, targets, temperature, gain }, { cross, variances: diagonalOf(joint) });
  expectClose(alone.variance, found.variance, { relative: 1e-12 });
  expect(alone.joint).toBeUndefined();
});

it("a first kernel of zeros explains nothing", () => {
  const none = matrix(2, 2, new Float64Array(4));
  const { mean, variance } = predictLinear(
    { firstKernel: none, readoutKernel: none, targets: draw(5, 2, 1), temperature: 0.1, gain: 3 },
    { cross: matrix(1, 2, new Float64Array(2)), variances: Float64Array.of(2) },
  );
  expect([...mean.data, ...variance]).toEqual([0, 6]);
});
