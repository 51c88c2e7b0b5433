import { diagonalMatrix, identity, multiply, multiplyTransposedRight, referenceBackend, transpose } from "@finitewidth/linalg";
import { zeros } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import {
  maxDifference,
  orthogonalityError,
  eigenResidual,
  randomMatrix,
  randomPositive,
  randomSymmetric,
} from "../../linalg/test/matrices.js";
import { createOpenBlasBackend } from "../src/openblas/index.js";

const openBlas = createOpenBlasBackend();
const epsilon = Number.EPSILON;

it("is undefined where the library is missing", () => {
  expect(createOpenBlasBackend({ path: "/nowhere/libopenblas.so" })).toBeUndefined();
});

describe.skipIf(openBlas === undefined)("OpenBLAS (skipped where OpenBLAS is not installed)", () => {
  const kernels = openBlas!;
  const n = 83;

  it("multiplies in every transposition", () => {
    const [a, b] = [randomMatrix(31, 47, 1), randomMatrix(47, 23, 2)];
    const expected = referenceBackend.multiply(a, b, "none").data;
    const [at, bt] = [transpose(a), transpose(b)];
    expect(maxDifference(kernels.multiply(a, b, "none").data, expected)).toBeLessThan(1e-14);
    expect(maxDifference(kernels.multiply(at, b, "left").data, expected)).toBeLessThan(1e-14);
    expect(maxDifference(kernels.multiply(a, bt, "right").data, expected)).toBeLessThan(1e-14);
    expect(maxDifference(kernels.gram(a).data, referenceBackend.gram(a).data)).toBeLessThan(1e-14);
  });

  it("factorises and solves", () => {
    const a = randomPositive(n, n, 0.5, 3);
    const [mine, theirs] = [kernels.cholesky(a), referenceBackend.cholesky(a)];
    if ("pivot" in mine || "pivot" in theirs) throw new Error("not positive definite");
    expect(maxDifference(mine.factor.data, theirs.factor.data)).toBeLessThan(1e-14);
    const b = randomMatrix(n, 5, 4);
    for (const transposed of [false, true])
      expect(
        maxDifference(
          kernels.solveTriangular(mine.factor, b, transposed).data,
          referenceBackend.solveTriangular(mine.factor, b, transposed).data,
        ),
      ).toBeLessThan(1e-12);
    const broken = diagonalMatrix(Float64Array.of(1, -2, 3));
    expect(kernels.cholesky(broken)).toEqual({ pivot: 1, value: -2 });
    broken.data[4] = Number.NaN;
    expect(kernels.cholesky(broken)).toEqual({ pivot: 1, value: Number.NaN });
  });

  it("reduces to tridiagonal form with the reflectors of the reference", () => {
    const a = randomSymmetric(n, 5);
    const t = kernels.tridiagonalise(a);
    const q = referenceBackend.applyReflectors(t, identity(n), false);
    const dense = zeros(n, n);
    for (let i = 0; i < n; i++) dense.data[i * n + i] = t.diagonal[i]!;
    for (let i = 0; i + 1 < n; i++) dense.data[i * n + i + 1] = dense.data[(i + 1) * n + i] = t.offDiagonal[i]!;
    expect(maxDifference(multiplyTransposedRight(multiply(q, dense), q).data, a.data)).toBeLessThan(100 * epsilon);
    const b = randomMatrix(n, 7, 6);
    for (const transposed of [false, true])
      expect(
        maxDifference(kernels.applyReflectors(t, b, transposed).data, referenceBackend.applyReflectors(t, b, transposed).data),
      ).toBeLessThan(1e-13);
  });

  it("finds eigenvalues and eigenvectors", () => {
    const a = randomSymmetric(n, 7);
    const { values, vectors } = kernels.symmetricEigen(a);
    expect(orthogonalityError(vectors)).toBeLessThan(100 * epsilon);
    expect(eigenResidual(a, values, vectors)).toBeLessThan(100 * epsilon);
    const t = kernels.tridiagonalise(a);
    expect(maxDifference(kernels.tridiagonalEigenvalues(t), values)).toBeLessThan(1e-12);
    const inner = kernels.tridiagonalEigen(t);
    expect(eigenResidual(a, inner.values, kernels.applyReflectors(t, inner.vectors, false))).toBeLessThan(100 * epsilon);
  });

  it("handles empty matrices", () => {
    const empty = zeros(0, 0);
    expect(kernels.symmetricEigen(empty).values.length).toBe(0);
    expect(kernels.tridiagonalise(empty).diagonal.length).toBe(0);
    expect(kernels.multiply(zeros(3, 0), zeros(0, 2), "none").data).toEqual(new Float64Array(6));
  });
});
