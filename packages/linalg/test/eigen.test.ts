import { EigenvalueDecomposition, Matrix as MlMatrix } from "ml-matrix";
import { matrixFromRows, zeros } from "@finitewidth/core";
import { beforeEach, describe, expect, it } from "vitest";
import { identity, multiply, setBackend, symmetricEigen, symmetricEigenvalues, symmetricSquareRoot } from "../src/index.js";
import { availableBackends } from "./backends.js";
import { eigenResidual, maxDifference, orthogonalityError, randomPositive, randomSymmetric, withSpectrum } from "./matrices.js";

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const hardCases = {
  random: randomSymmetric(90, 3),
  "rank-deficient Gram": randomPositive(80, 20, 0, 4),
  clustered: withSpectrum(range(70).map((i) => 1 + (i % 2) * 1e-14 * i)),
  repeated: withSpectrum(range(66).map((i) => Math.floor(i / 22))),
  graded: withSpectrum(range(60).map((i) => 10 ** (-i / 4))),
  tiny: withSpectrum(range(40).map((i) => 1e-200 * (i + 1))),
  huge: withSpectrum(range(40).map((i) => 1e200 * (i - 20))),
  "one large": withSpectrum([1e12, ...range(49).map((i) => 1e-6 * i)]),
  zero: zeros(50, 50),
  identity: identity(50),
};

for (const kernels of availableBackends())
  describe(`symmetricEigen, ${kernels.name}`, () => {
    beforeEach(() => {
      setBackend(kernels);
    });
    for (const [name, a] of Object.entries(hardCases)) {
      it(`${name}: residual and orthogonality within 100 ε`, () => {
        const { values, vectors } = symmetricEigen(a);
        expect(orthogonalityError(vectors)).toBeLessThan(100 * Number.EPSILON);
        expect(eigenResidual(a, values, vectors)).toBeLessThan(100 * Number.EPSILON);
        expect(Array.from(values)).toEqual(Array.from(values).sort((x, y) => x - y));
        const scale = Math.max(...Array.from(values, Math.abs), 1e-300);
        expect(maxDifference(symmetricEigenvalues(a), values) / scale).toBeLessThan(100 * Number.EPSILON);
      });
    }
    it("agrees with ml-matrix", () => {
      const a = hardCases.random;
      const theirs = new EigenvalueDecomposition(MlMatrix.from1DArray(a.shape[0], a.shape[1], a.data), { assumeSymmetric: true })
        .realEigenvalues;
      expect(maxDifference(symmetricEigenvalues(a), theirs)).toBeLessThan(1e-13);
    });
    it("handles n = 0, 1 and 2", () => {
      expect(symmetricEigen(zeros(0, 0)).values.length).toBe(0);
      expect(symmetricEigen(matrixFromRows([[-3]]))).toEqual({ values: Float64Array.of(-3), vectors: matrixFromRows([[1]]) });
      expect(
        maxDifference(
          symmetricEigenvalues(
            matrixFromRows([
              [0, 1],
              [1, 0],
            ]),
          ),
          [-1, 1],
        ),
      ).toBeLessThan(1e-15);
    });
    it("names the entry that is not a number and refuses rectangles", () => {
      expect(() =>
        symmetricEigen(
          matrixFromRows([
            [1, 0],
            [Number.NaN, 1],
          ]),
        ),
      ).toThrow(/a\[1\]\[0\]: expected a finite number, got NaN/);
      expect(() => symmetricEigenvalues(matrixFromRows([[Infinity]]))).toThrow(/a\[0\]\[0\]/);
      expect(() => symmetricEigen(zeros(2, 3))).toThrow(/square/);
    });
  });

describe("symmetricSquareRoot", () => {
  it("squares to the matrix, also when it is singular", () => {
    const a = hardCases["rank-deficient Gram"];
    const root = symmetricSquareRoot(a);
    expect(maxDifference(multiply(root, root).data, a.data)).toBeLessThan(1e-14);
  });
  it("refuses a negative eigenvalue and names it", () => {
    expect(() =>
      symmetricSquareRoot(
        matrixFromRows([
          [0, 1],
          [1, 0],
        ]),
      ),
    ).toThrow(/smallest eigenvalue is -(1|0\.9{14})/);
  });
});
