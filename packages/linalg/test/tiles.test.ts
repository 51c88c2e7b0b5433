import { describe, expect, test } from "vitest";
import { zeros, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  addTiledDiagonal,
  cholesky,
  fillTiles,
  gram,
  inverseDiagonal,
  multiply,
  multiplyTiled,
  solveLower,
  solveLowerTransposed,
  solveTiled,
  storedTiles,
  streamedTiles,
  streamNormals,
  tiledCholesky,
  tiledDiagonal,
  tiledInverseDiagonal,
  tiledLength,
  type LowerTiles,
  type TilePart,
} from "../src/index.js";

const normals = (rows: number, columns: number, seed: number): Matrix => ({
  data: streamNormals(rows * columns, [seed, 0, 0]),
  shape: [rows, columns],
});

/** A Gram matrix of graded columns: condition number about `condition`. */
function graded(n: number, condition: number): Matrix {
  const x = normals(n, n, n);
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) x.data[i * n + j]! *= condition ** (-0.5 * (j / Math.max(1, n - 1)));
  return gram(x);
}

const partOf =
  (a: Matrix): TilePart =>
  (from, to, first, last) => {
    const part = zeros(to - from, last - first);
    for (let i = from; i < to; i++)
      for (let j = first; j < last; j++) part.data[(i - from) * (last - first) + j - first] = a.data[i * a.shape[0] + j]!;
    return part;
  };
const tilesOf = (a: Matrix, block: number): LowerTiles => fillTiles(a.shape[0], partOf(a), block);

const apart = (a: Float64Array, b: Float64Array): number => {
  let [worst, size] = [0, 0];
  for (let i = 0; i < a.length; i++) [worst, size] = [Math.max(worst, Math.abs(a[i]! - b[i]!)), Math.max(size, Math.abs(b[i]!))];
  return worst / Math.max(size, 1e-300);
};

describe("tiles of a lower triangle", () => {
  test.each([1, 2, 7, 8, 9, 31, 32, 33, 64, 65, 130])("n = %i: products, factor, solutions and inverse are those of the whole", (n) => {
    for (const block of [8, 32])
      for (const condition of [10, 1e6]) {
        const a = graded(n, condition);
        const v = normals(n, 3, 5);
        const tiles = tilesOf(a, block);
        expect(apart(multiplyTiled(storedTiles(tiles), v).data, multiply(a, v).data)).toBeLessThan(1e-13);
        expect(multiplyTiled(streamedTiles(n, partOf(a), block), v)).toEqual(multiplyTiled(storedTiles(tiles), v));
        addTiledDiagonal(tiles, 0.3);
        const whole = cholesky(addDiagonal(a, 0.3));
        expect(Math.abs(tiledCholesky(tiles) - whole.logDeterminant)).toBeLessThan(1e-11 * Math.max(1, Math.abs(whole.logDeterminant)));
        expect(
          apart(
            tiledDiagonal(tiles),
            Float64Array.from({ length: n }, (_, i) => whole.factor.data[i * n + i]!),
          ),
        ).toBeLessThan(1e-12);
        expect(apart(solveTiled(tiles, v).data, solveLower(whole.factor, v).data)).toBeLessThan(1e-11);
        expect(apart(solveTiled(tiles, v, true).data, solveLowerTransposed(whole.factor, v).data)).toBeLessThan(1e-11);
        expect(apart(tiledInverseDiagonal(tiles), inverseDiagonal(whole.factor))).toBeLessThan(1e-11);
      }
  });

  test("more columns than are solved for together, and how far the work is", () => {
    const a = addDiagonal(graded(9, 10), 0.5);
    const fractions: number[] = [];
    const tiles = fillTiles(9, partOf(a), 4, (fraction) => fractions.push(fraction));
    expect(fractions).toEqual([1 / 9, 4 / 9, 1]);
    fractions.length = 0;
    tiledCholesky(tiles, (fraction) => fractions.push(fraction));
    expect(fractions).toEqual([1 - 8 / 27, 1 - 1 / 27, 1].map((value) => expect.closeTo(value, 12)));
    const b = normals(9, 515, 3);
    const kept = b.data.slice();
    const { factor } = cholesky(a);
    expect(apart(solveTiled(tiles, b).data, solveLower(factor, b).data)).toBeLessThan(1e-12);
    expect(apart(solveTiled(tiles, b, true).data, solveLowerTransposed(factor, b).data)).toBeLessThan(1e-12);
    expect(b.data).toEqual(kept);
    expect(() => multiplyTiled({ ...storedTiles(tiles), size: 10 }, b)).toThrow("v: expected 10 rows of 515");
  });

  test("take half the numbers of the whole", () => {
    expect(tiledLength(20_000) * 8).toBeLessThan(1.75e9);
    expect(tiledLength(512)).toBe(512 * 512);
  });

  test("a matrix that is not positive definite is named with its pivot", () => {
    const a = graded(20, 10);
    a.data[11 * 21] = -1;
    expect(() => tiledCholesky(tilesOf(a, 8))).toThrow(/pivot 11 of 20/);
    expect(() => tiledCholesky(tilesOf(gram(normals(20, 3, 1)), 8))).toThrow(/not positive definite/);
  });

  test("sizes that disagree are refused", () => {
    const tiles = tilesOf(graded(9, 10), 4);
    expect(() => multiplyTiled(storedTiles(tiles), zeros(8, 1))).toThrow(/9 rows/);
    expect(() => solveTiled(tiles, zeros(8, 1))).toThrow(/9 rows/);
    expect(() => fillTiles(9, () => zeros(1, 1), 4)).toThrow(/4 × 4/);
    expect(() => fillTiles(9, () => zeros(1, 1), 0)).toThrow(/block/);
  });
});
