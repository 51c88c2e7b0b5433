import { columnVector, zeros } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import {
  addDiagonal,
  affine,
  applyReflectors,
  cholesky,
  evaluateShifted,
  factorShifted,
  identity,
  multiply,
  multiplyTransposedRight,
  shiftedQuadratic,
  solveCholesky,
  solveShifted,
  tridiagonalise,
} from "../src/index.js";
import { maxDifference, orthogonalityError, randomMatrix, randomPositive, randomSymmetric } from "./matrices.js";

describe("tridiagonalise", () => {
  for (const n of [1, 2, 3, 4, 5, 17, 64, 65, 130]) {
    it(`A = Q T Qᵀ, n = ${n}`, () => {
      const a = randomSymmetric(n, n);
      const t = tridiagonalise(a);
      const q = applyReflectors(t, identity(n));
      expect(orthogonalityError(q)).toBeLessThan(1e-14);
      const dense = zeros(n, n);
      for (let i = 0; i < n; i++) dense.data[i * n + i] = t.diagonal[i]!;
      for (let i = 0; i + 1 < n; i++) dense.data[i * n + i + 1] = dense.data[(i + 1) * n + i] = t.offDiagonal[i]!;
      expect(maxDifference(multiplyTransposedRight(multiply(q, dense), q).data, a.data)).toBeLessThan(1e-14 * n);
      const b = randomMatrix(n, 7, 5);
      expect(maxDifference(applyReflectors(t, applyReflectors(t, b, { transposed: true })).data, b.data)).toBeLessThan(1e-14);
    });
  }
});

describe("evaluateShifted", () => {
  const n = 40;
  const kernel = randomPositive(n, 15, 0, 2);
  const y = randomMatrix(n, 1, 9);
  const t = tridiagonalise(kernel);
  const rotated = applyReflectors(t, y, { transposed: true }).data;
  const dense = (q: number, shift: number) => cholesky(addDiagonal(affine(q, kernel), shift));
  it("agrees with dense Cholesky and with central differences", () => {
    for (const [q, shift] of [
      [1, 0.1],
      [0.01, 2],
      [30, 1e-3],
    ] as const) {
      const values = evaluateShifted(t, q, shift, rotated);
      const factor = dense(q, shift);
      const solution = solveCholesky(factor, y);
      const relative = (x: number, expected: number) => expect(Math.abs(x / expected - 1)).toBeLessThan(1e-9);
      relative(values.logDeterminant, factor.logDeterminant);
      relative(values.quadratic, multiply({ data: y.data, shape: [1, n] }, solution).data[0]!);
      expect(maxDifference(applyReflectors(t, columnVector(values.solution)).data, solution.data)).toBeLessThan(1e-10 / shift);
      expect(solveShifted(factorShifted(t, q, shift), rotated)).toEqual(values.solution);
      const h = 1e-3 * q; // truncation h²/q² and rounding ε·quadratic/(h·derivative) both stay below 1e-5 here
      const [up, down] = [factorShifted(t, q + h, shift), factorShifted(t, q - h, shift)];
      expect(values.logDeterminantDerivative / ((up.logDeterminant - down.logDeterminant) / (2 * h))).toBeCloseTo(1, 5);
      expect(values.quadraticDerivative / ((shiftedQuadratic(up, rotated) - shiftedQuadratic(down, rotated)) / (2 * h))).toBeCloseTo(1, 5);
    }
  });
  it("names the pivot of a singular matrix", () => {
    expect(() => evaluateShifted(t, -1, 0.1, rotated)).toThrow(/pivot \d+ of 40 is -/);
    expect(() => factorShifted(t, Number.NaN, 1)).toThrow(/NaN/);
  });
});
