import { matrixFromRows, zeros, type Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  addDiagonal,
  affine,
  block,
  combine,
  diagonalMatrix,
  diagonalOf,
  frobenius,
  gram,
  identity,
  innerProduct,
  lu,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  multiplyVector,
  setBackend,
  solve,
  solveLu,
  symmetricSquareRoot,
  symmetrise,
  thinSvd,
  trace,
  transpose,
} from "../src/index.js";
import { availableBackends } from "./backends.js";
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

  const permuted = (a: Matrix, order: ArrayLike<number>): Matrix =>
    matrixFromRows(Array.from(order, (i) => Array.from(a.data.subarray(i * a.shape[1], (i + 1) * a.shape[1]))));
  it.each([0, 1, 2, 3, 6, 9])("P A = L U with multipliers at most 1, several right-hand sides, n = %i", (n) => {
    const a = randomMatrix(n, n, 40 + n);
    // rows that have to move in a cycle
    for (let i = 0; i < n; i++) a.data[i * n + ((i + 2) % n)]! += 5;
    const found = lu(a);
    const { factors, permutation, logAbsoluteDeterminant, determinantSign } = found;
    const part = (keep: (i: number, j: number) => number): Matrix => ({
      data: factors.data.map((value, e) => {
        const kept = keep(Math.floor(e / n), e % n);
        return kept === 2 ? 1 : kept * value;
      }),
      shape: [n, n],
    });
    const [l, u] = [part((i, j) => (i === j ? 2 : i > j ? 1 : 0)), part((i, j) => (i <= j ? 1 : 0))];
    expectClose(multiply(l, u), permuted(a, permutation), { absolute: 1e-13 }, "LU");
    expect(l.data.every((value) => Math.abs(value) <= 1)).toBe(true);
    expect(determinantSign * Math.exp(logAbsoluteDeterminant)).toBeCloseTo(determinantByMinors(a), 7);
    const x = randomMatrix(n, 3, 7);
    expectClose(solveLu(found, multiply(a, x)), x, { absolute: 1e-12 }, "x");
  });
  it("determinants of both signs, and of singular matrices", () => {
    const swapped = matrixFromRows([[0, 2], [3, 1]]); // prettier-ignore
    expect(lu(swapped)).toMatchObject({ determinantSign: -1, logAbsoluteDeterminant: expect.closeTo(Math.log(6), 13) });
    expect(lu(matrixFromRows([[-4]])).determinantSign).toBe(-1);
    expect(lu(zeros(3, 3))).toMatchObject({ determinantSign: 0, logAbsoluteDeterminant: -Infinity });
    expect(() => solveLu(lu(identity(3)), zeros(2, 1))).toThrow("b: expected 3 rows, got 2 × 1");
    expect(() => lu(matrixFromRows([[1, NaN], [0, 1]]))).toThrow("a[0][1]"); // prettier-ignore
    expect(() => lu(zeros(2, 3))).toThrow(/square/);
  });
});

/** By expansion along the first row. */
function determinantByMinors({ data, shape: [n] }: Matrix): number {
  if (n === 0) return 1;
  let sum = 0;
  for (let k = 0; k < n; k++) {
    if (data[k] === 0) continue;
    const minor = data.filter((_, e) => e >= n && e % n !== k);
    sum += (k % 2 === 0 ? 1 : -1) * data[k]! * determinantByMinors({ data: minor, shape: [n - 1, n - 1] });
  }
  return sum;
}

describe("entries", () => {
  const a = matrixFromRows([[1, -2, 3], [4, 5, -6]]); // prettier-ignore
  const b = matrixFromRows([[7, 0, 1], [2, -3, 4]]); // prettier-ignore
  const square = matrixFromRows([[1, 2, -3], [4, 5, 6], [7, -8, 10]]); // prettier-ignore
  it("of sums, multiples, transposes and parts", () => {
    expect([...combine(2, a, -1, b).data]).toEqual([-5, -4, 5, 6, 13, -16]);
    expect([...affine(-2, a, 3).data]).toEqual([1, 7, -3, -5, -7, 15]);
    expect([...affine(-2, a).data]).toEqual([-2, 4, -6, -8, -10, 12]);
    expect(transpose(a)).toEqual(matrixFromRows([[1, 4], [-2, 5], [3, -6]])); // prettier-ignore
    expect(symmetrise(square)).toEqual(matrixFromRows([[1, 3, 2], [3, 5, -1], [2, -1, 10]])); // prettier-ignore
    expect(block(square, 1, 3, 0, 2)).toEqual(matrixFromRows([[4, 5], [7, -8]])); // prettier-ignore
    expect(addDiagonal(square, 0.5).data).toEqual(Float64Array.of(1.5, 2, -3, 4, 5.5, 6, 7, -8, 10.5));
    expect([square.data[0], trace(square), [...diagonalOf(square)]]).toEqual([1, 16, [1, 5, 10]]);
    expect(diagonalMatrix([2, -3])).toEqual(matrixFromRows([[2, 0], [0, -3]])); // prettier-ignore
    expect([innerProduct(a, b), frobenius(a)]).toEqual([7 + 3 + 8 - 15 - 24, Math.sqrt(91)]);
  });
  for (const kernels of availableBackends())
    it(`of products, whichever factor is turned, ${kernels.name}`, () => {
      const previous = setBackend(kernels);
      try {
        const product = [[10, 20], [22, -31]]; // prettier-ignore
        expect(multiplyTransposedRight(a, b)).toEqual(matrixFromRows(product));
        expect(multiply(a, transpose(b))).toEqual(matrixFromRows(product));
        expect(multiplyTransposedLeft(transpose(a), transpose(b))).toEqual(matrixFromRows(product));
        expect(multiplyTransposedLeft(a, b)).toEqual(matrixFromRows([[15, -12, 17], [-4, -15, 18], [9, 18, -21]])); // prettier-ignore
        expect(gram(a)).toEqual(matrixFromRows([[14, -24], [-24, 77]])); // prettier-ignore
        expect([...multiplyVector(a, Float64Array.of(1, 2, -1))]).toEqual([-6, 20]);
      } finally {
        setBackend(previous);
      }
    });
  it("products name the factor that does not fit", () => {
    expect(() => multiply(a, b)).toThrow("b: expected 3 rows, got 2 × 3");
    expect(() => multiplyTransposedLeft(a, square)).toThrow("b: expected 2 rows, got 3 × 3");
    expect(() => multiplyTransposedRight(a, transpose(b))).toThrow("b: expected 3 columns, got 3 × 2");
    expect(() => multiplyVector(a, new Float64Array(2))).toThrow("x: expected 3 numbers, got 2");
  });
  it("square roots take eigenvalues that rounding made negative for zero, and no others", () => {
    expectClose(symmetricSquareRoot(diagonalMatrix([4, -150 * Number.EPSILON, 1])), diagonalMatrix([2, 0, 1]), { absolute: 1e-14 });
    expect(() => symmetricSquareRoot(diagonalMatrix([1, -400 * Number.EPSILON, 1]))).toThrow("not positive semi-definite");
  });
});
