import { matrix, matrixFromRows, zeros, type Matrix } from "@finitewidth/core";
import { gram, multiply, symmetricEigen, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it, test } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { conditionGaussianProcess, independentRows, respondToTargets, spanConstant, spectrumOf } from "../src/index.js";

const normals = (rows: number, columns: number, index: number): Matrix => normalMatrix(stream(11, index), rows, columns);
const pick = (m: Matrix, rows: readonly number[]): Matrix =>
  matrixFromRows(rows.map((i) => Array.from(m.data.subarray(i * m.shape[1], (i + 1) * m.shape[1]))));

describe("independent rows of a singular kernel", () => {
  it.each([
    [7, 3, 1],
    [12, 5, 2],
    [20, 19, 1],
    [6, 1, 3],
  ])("%i points of rank %i determine each other", (points, rank, outputs) => {
    const features = normals(points, rank, points);
    const kernel = gram(features);
    const targets = multiply(features, normals(rank, outputs, 1));
    const { rows, combinations, logVolume } = independentRows(kernel, targets)!;
    expect(rows.length).toBe(rank);
    expect(rows).toEqual([...new Set(rows)].sort((a, b) => a - b));
    expectClose(multiply(combinations, pick(targets, rows)), targets, { relative: 1e-9, absolute: 1e-9 }, "targets");
    expectClose(multiply(combinations, pick(features, rows)), features, { relative: 1e-9, absolute: 1e-9 }, "features");
    const { values } = symmetricEigen(gram(transpose(combinations)));
    expect(logVolume).toBeCloseTo(
      values.reduce((sum, value) => sum + 0.5 * Math.log(value), 0),
      8,
    );
    // the density on the range of the kernel, by the spectrum and by the independent points
    const own = pick(features, rows);
    const regular = conditionGaussianProcess(gram(own), pick(targets, rows), 0).logEvidence;
    expect(conditionGaussianProcess(kernel, targets, 0).logEvidence).toBeCloseTo(regular - outputs * logVolume, 6);
  });

  it("takes one of several equal points, with combinations 0 and 1", () => {
    const once = matrixFromRows([
      [1, 0.3],
      [-0.2, 2],
    ]);
    const order = [1, 0, 1, 1, 0];
    const { rows, combinations, logVolume } = independentRows(gram(pick(once, order)), zeros(5, 1))!;
    expectClose(pick(combinations, rows), matrix(2, 2, Float64Array.of(1, 0, 0, 1)), { absolute: 1e-13 }, "themselves");
    expectClose(multiply(combinations, pick(pick(once, order), rows)), pick(once, order), { absolute: 1e-13 }, "others");
    expect(logVolume).toBeCloseTo(0.5 * Math.log(2 * 3), 12);
  });

  it("leaves regular kernels and kernels of nothing alone, and refuses targets outside the range", () => {
    expect(independentRows(gram(normals(4, 6, 3)), normals(4, 1, 4))).toBeUndefined();
    expect(independentRows(zeros(3, 3), zeros(3, 1))).toBeUndefined();
    // small, but above rounding: of full rank, though no plain factorisation says so
    expect(independentRows(matrix(2, 2, Float64Array.of(1, 0, 0, 1e-14)), normals(2, 1, 4))).toBeUndefined();
    expect(() => independentRows(zeros(3, 3), matrixFromRows([[0], [1e-3], [0]]))).toThrow("targets: expected no component outside");
    const features = normals(6, 2, 5);
    const targets = multiply(features, normals(2, 1, 6));
    targets.data[3]! += 1e-6;
    expect(() => independentRows(gram(features), targets)).toThrow("targets: expected no component outside the range of the kernel");
  });
});

test("the constant vector is spanned however small its part outside the range", () => {
  const nearly = spectrumOf(gram(matrixFromRows([[1], [1], [1], [1.01]])));
  const { values, vectors } = spanConstant(nearly);
  expect(values).toHaveLength(2);
  expect(values[0]).toBe(0);
  const ones = matrixFromRows([[1], [1], [1], [1]]);
  expectClose(multiply(vectors, multiply(transpose(vectors), ones)), ones, { absolute: 1e-12 }, "projection");
  expect(spanConstant(spectrumOf(gram(ones))).values).toHaveLength(1);
});

describe("targets under a singular kernel with little noise", () => {
  it("respond as by the eigenvectors, beyond the digits that Cholesky keeps", () => {
    const features = normals(8, 3, 7);
    const kernel = gram(features);
    const targets = multiply(features, normals(3, 2, 8));
    const T = 1e-14;
    const { weights, logDensity } = respondToTargets(kernel, targets, T);
    expectClose(multiply(kernel, weights), targets, { relative: 1e-8, absolute: 1e-8 }, "fit");
    const onRange = conditionGaussianProcess(kernel, targets, 0).logEvidence;
    expect(logDensity).toBeCloseTo(onRange - 0.5 * 2 * 5 * Math.log(2 * Math.PI * T), 3);
  });
});
