import { matrixFromRows, zeros, type Matrix } from "@finitewidth/core";
import { gram, identity, multiply, multiplyTransposedLeft, symmetricEigen, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import {
  checkKernel,
  conditionTargets,
  firstPositive,
  isClearlyOfRank,
  logDeterminantOf,
  lowRankSpectrum,
  positiveSpectrum,
  projectTargets,
  randomlyPivotedCholesky,
  rankWarnings,
  requireInRange,
  spectrumOf,
} from "../src/index.js";
import { pivotedCholesky } from "../src/gaussian/pivoted-cholesky.js";

const normals = (rows: number, columns: number, index: number): Matrix => normalMatrix(stream(71, index), rows, columns);
/** Features of very different sizes, so that the order of eigenvalues and of pivots is seen. */
const graded = (rows: number, rank: number, index: number): Matrix => {
  const m = normals(rows, rank, index);
  return { data: m.data.map((value, e) => value * 3 ** -(e % rank)), shape: m.shape };
};
const close = { relative: 1e-9, absolute: 1e-12 };

describe("the positive part of a spectrum", () => {
  it.each([
    [9, 3],
    [12, 5],
    [6, 6],
  ])("of %i points, rank %i, by all eigenvectors and through a pivoted factor", (points, rank) => {
    const kernel = gram(graded(points, rank, points));
    // the other eigenvalues, from the Gram matrix of the features
    const { values: known } = symmetricEigen(gram(transpose(graded(points, rank, points))));
    const found = [spectrumOf(kernel), spectrumOf(kernel, { lowRank: true })];
    if (2 * rank <= points) found.push(lowRankSpectrum(kernel, rank)!);
    for (const { values, vectors } of found) {
      expectClose(values, known, close, "values");
      expect(vectors.shape).toEqual([points, rank]);
      expectClose(multiplyTransposedLeft(vectors, vectors), identity(rank), { absolute: 1e-10 }, "orthonormal");
      const scaled = { data: vectors.data.map((v, e) => v * values[e % rank]!), shape: vectors.shape };
      expectClose(multiply(scaled, transpose(vectors)), kernel, { absolute: 1e-12 }, "K");
    }
    expect(lowRankSpectrum(kernel, rank - 1)).toBeUndefined();
  });

  it("of nothing is nothing; what is negative beyond rounding is refused", () => {
    expect(spectrumOf(zeros(3, 3)).vectors.shape).toEqual([3, 0]);
    expect(lowRankSpectrum(zeros(4, 4), 2)!.vectors.shape).toEqual([4, 0]);
    expect(firstPositive(Float64Array.of(0, 0))).toBe(2);
    expect(firstPositive(Float64Array.of(-1e-9, 4 * 2 ** -52, 3 * 2 ** -51, 1))).toBe(2);
    expect(() => firstPositive(Float64Array.of(-2e-8, 1))).toThrow("smallest eigenvalue is -2e-8, its largest 1");
    expect(firstPositive(Float64Array.of(-0.9e-8, 1))).toBe(1);
    const { values, vectors } = positiveSpectrum({
      values: Float64Array.of(0, 2, 3),
      vectors: matrixFromRows([
        [1, 2, 3],
        [4, 5, 6],
        [7, 8, 9],
      ]),
    });
    expect([...values, ...vectors.data]).toEqual([2, 3, 2, 3, 5, 6, 8, 9]);
  });

  it("is of kernels that are square, finite and symmetric to 1e-8 of the largest entry", () => {
    expect(() => checkKernel(zeros(2, 3))).toThrow(/kernel.*square.*2 × 3/);
    expect(() => checkKernel(zeros(0, 0), "own")).toThrow(/^own: expected at least one input/);
    expect(() =>
      checkKernel(
        matrixFromRows([
          [1, NaN],
          [0, 1],
        ]),
      ),
    ).toThrow("kernel: expected finite entries, got NaN");
    const almost = (difference: number): Matrix =>
      matrixFromRows([
        [-4, 1],
        [1 + difference, 2],
      ]);
    expect(() => checkKernel(almost(4.1e-8))).toThrow("kernel[1][0]: expected the same value as kernel[0][1]");
    expect(() => checkKernel(almost(-4.1e-8))).toThrow("kernel[1][0]");
    expect(() => checkKernel(almost(3.9e-8))).not.toThrow();
  });

  it("targets: their part in it, and what is outside, per entry and in all", () => {
    const features = normals(5, 2, 3);
    const spectrum = spectrumOf(gram(features));
    const inside = multiply(features, normals(2, 3, 4));
    // a direction outside the range, in one output
    const outside = spectrumOfComplement(spectrum.vectors);
    const targets = { data: inside.data.map((y, e) => y + (e % 3 === 1 ? 0.5 * outside[Math.floor(e / 3)]! : 0)), shape: inside.shape };
    const { projected, residualSquare, residualLargest } = projectTargets(spectrum, targets);
    expectClose(multiply(spectrum.vectors, projected), inside, close);
    expect(residualSquare).toBeCloseTo(0.25, 12);
    expect(residualLargest).toBeCloseTo(0.5 * Math.max(...outside.map(Math.abs)), 12);
    const largest = Math.max(...targets.data.map(Math.abs));
    expect(() => requireInRange({ projected, residualSquare, residualLargest: 1.1e-10 * largest }, targets, "own")).toThrow(/^own/);
    expect(() => requireInRange({ projected, residualSquare, residualLargest: 0.9e-10 * largest }, targets)).not.toThrow();
    expect(() => projectTargets(spectrum, zeros(4, 1))).toThrow("targets: expected 5 rows, like inputs, got 4");
    expect(() => projectTargets(spectrum, matrixFromRows([[1], [2], [Infinity], [0], [0]]))).toThrow("expected finite numbers");
    expect(projectTargets(spectrumOf(identity(2)), zeros(2, 1))).toMatchObject({ residualSquare: 0, residualLargest: 0 });
    expect([rankWarnings(3, 3).length, rankWarnings(2, 3)[0]]).toEqual([
      0,
      "kernel has rank 2 of 3: the log evidence is the density on its range",
    ]);
  });
});

/** A unit vector orthogonal to the columns. */
function spectrumOfComplement(vectors: Matrix): Float64Array {
  const [n] = vectors.shape;
  const left = gram(vectors).data.map((value, e) => (e % (n + 1) === 0 ? 1 : 0) - value);
  const column = Float64Array.from({ length: n }, (_, i) => left[i * n]!);
  const norm = Math.hypot(...column);
  return column.map((value) => value / norm);
}

describe("factors of low rank", () => {
  it("largest remaining diagonal first, as many columns as the rank, none beyond the limit", () => {
    const features = graded(8, 4, 9);
    const kernel = gram(features);
    const { factor, pivots } = pivotedCholesky(kernel, 6)!;
    expect(factor.shape).toEqual([8, 4]);
    expectClose(gram(factor), kernel, { absolute: 1e-13 });
    // by Schur complements
    const rest = kernel.data.slice();
    for (const [k, pivot] of pivots.entries()) {
      const diagonal = Array.from({ length: 8 }, (_, i) => rest[9 * i]!);
      expect(pivot).toBe(diagonal.indexOf(Math.max(...diagonal)));
      const column = Array.from({ length: 8 }, (_, i) => rest[8 * i + pivot]! / Math.sqrt(diagonal[pivot]!));
      column.forEach((value, i) => expect(factor.data[4 * i + k]).toBeCloseTo(value, 12));
      for (let i = 0; i < 8; i++) for (let j = 0; j < 8; j++) rest[8 * i + j]! -= column[i]! * column[j]!;
    }
    expect(pivotedCholesky(kernel, 3)).toBeUndefined();
    expect(pivotedCholesky(kernel, 4)!.pivots).toEqual(pivots);
    // what is left of the largest diagonal entry is below the share asked for
    const coarse = pivotedCholesky(kernel, 4, 0.2)!;
    expect(coarse.pivots).toEqual(pivots.slice(0, coarse.pivots.length));
    const left = kernel.data.map((value, e) => value - gram(coarse.factor).data[e]!);
    const most = (m: Float64Array): number => Math.max(...Array.from({ length: 8 }, (_, i) => m[9 * i]!));
    expect(most(left)).toBeLessThanOrEqual(0.2 * most(kernel.data));
    expect(coarse.pivots.length).toBeLessThan(4);
  });

  it("a plain factorisation tells whether pivots are far above rounding", () => {
    expect(isClearlyOfRank(gram(normals(5, 7, 1)), 5)).toBe(true);
    expect(isClearlyOfRank(gram(normals(5, 3, 1)), 5)).toBe(false);
    const almost = matrixFromRows([
      [4, 0, 0],
      [0, 1, 0],
      [0, 0, 1e-14],
    ]);
    expect([2, 3].map((rank) => isClearlyOfRank(almost, rank))).toEqual([true, false]);
    expect(
      isClearlyOfRank(
        matrixFromRows([
          [1, 2],
          [2, 1],
        ]),
        1,
      ),
    ).toBe(false);
  });

  it("randomly pivoted ones of more columns than a group reproduce the kernel, and say how far they are", () => {
    const [points, rank] = [130, 90];
    const kernel = gram(normals(points, rank, 2));
    const diagonal = Float64Array.from({ length: points }, (_, i) => kernel.data[i * (points + 1)]!);
    const asked: number[] = [];
    const columns = (pivots: readonly number[]): Matrix => {
      asked.push(...pivots);
      const out = zeros(points, pivots.length);
      pivots.forEach((p, k) => {
        for (let i = 0; i < points; i++) out.data[i * pivots.length + k] = kernel.data[i * points + p]!;
      });
      return out;
    };
    const fractions: number[] = [];
    const g = randomlyPivotedCholesky(diagonal, columns, 120, stream(3, 1), (fraction) => fractions.push(fraction));
    expect(g.shape[1]).toBe(rank);
    expectClose(gram(g), kernel, { absolute: 1e-8 });
    expect(new Set(asked).size).toBe(asked.length);
    expect(fractions[0]).toBe(0);
    expect(fractions.every((fraction, k) => fraction < 1 && (k === 0 || fraction >= fractions[k - 1]!))).toBe(true);
    // cut short it is a lower bound: what is left has no negative diagonal and vanishes at the pivots
    asked.length = 0;
    const part = randomlyPivotedCholesky(diagonal, columns, 70, stream(4, 1));
    expect(part.shape[1]).toBeLessThanOrEqual(70);
    const left = diagonal.map(
      (value, i) => value - part.data.subarray(i * part.shape[1], (i + 1) * part.shape[1]).reduce((s, x) => s + x * x, 0),
    );
    expect(Math.min(...left)).toBeGreaterThan(-1e-10);
    for (const pivot of asked) expect(Math.abs(left[pivot]!)).toBeLessThan(1e-9 * diagonal[pivot]! + 1e-9);
  });

  it("one probe's log determinant is n times the spectral mean of its first vector", () => {
    // eigenvalues 1 and 3, first entries 1/√2 each
    expect(logDeterminantOf({ diagonal: Float64Array.of(2, 2), offDiagonal: Float64Array.of(1) }, 10)).toBeCloseTo(5 * Math.log(3), 12);
  });
});

describe("conditions of what a resolvent holds", () => {
  it("by eigenvalues on the range, by pivots of the factor otherwise", () => {
    const kernel = matrixFromRows([
      [9, 0, 0],
      [0, 4, 0],
      [0, 0, 0],
    ]);
    const targets = matrixFromRows([[1], [2], [0]]);
    expect(conditionTargets(kernel, targets, 0).condition()).toBeCloseTo(9 / 4, 12);
    expect(conditionTargets(kernel, targets, 1).condition()).toBeCloseTo(10, 12);
    expect(conditionTargets(kernel, targets, 1, { littleNoise: 1 }).form).toBe("range");
    expect(conditionTargets(kernel, targets, 1, { littleNoise: 1 }).condition()).toBeCloseTo(2, 12);
    expect(conditionTargets(zeros(2, 2), zeros(2, 1), 0).condition()).toBe(1);
  });
});
