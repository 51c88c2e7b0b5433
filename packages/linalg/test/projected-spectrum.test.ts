import { matrixFromRows, zeros, type Matrix } from "@finitewidth/core";
import { beforeEach, describe, expect, it } from "vitest";
import {
  eigenFromTridiagonal,
  identity,
  multiply,
  multiplyTransposedLeft,
  projectedSpectrum,
  setBackend,
  symmetricEigen,
  tridiagonalise,
  type Tridiagonalisation,
} from "../src/index.js";
import { availableBackends } from "./backends.js";
import {
  eigenResidual,
  maxDifference,
  orthogonalityError,
  randomMatrix,
  randomPositive,
  randomSymmetric,
  uniforms,
  withSpectrum,
} from "./matrices.js";

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const blockDiagonal = (n: number): Matrix => {
  const a = identity(n);
  for (let i = 0; i < n; i += 2) a.data[i * n + i + 1] = a.data[(i + 1) * n + i] = 0.5;
  return a;
};
const dense = {
  random: randomSymmetric(90, 3),
  "rank-deficient Gram": randomPositive(80, 20, 0, 4),
  clustered: withSpectrum(range(70).map((i) => 1 + (i % 2) * 1e-14 * i)),
  repeated: withSpectrum(range(66).map((i) => Math.floor(i / 22))),
  graded: withSpectrum(range(60).map((i) => 10 ** (-i / 4))),
  "graded downwards": {
    data: Float64Array.from({ length: 3600 }, (_, at) => 10 ** (-(Math.floor(at / 60) + (at % 60)) / 10)),
    shape: [60, 60],
  } as Matrix,
  tiny: withSpectrum(range(40).map((i) => 1e-200 * (i + 1))),
  huge: withSpectrum(range(40).map((i) => 1e200 * (i - 20))),
  "one large": withSpectrum([1e12, ...range(49).map((i) => 1e-6 * i)]),
  "zero couplings": blockDiagonal(64),
  zero: zeros(50, 50),
  identity: identity(50),
};

/** T itself as a reduction without reflectors. */
const bare = (n: number, d: (i: number) => number, e: (i: number) => number): Tridiagonalisation => ({
  diagonal: Float64Array.from({ length: n }, (_, i) => d(i)),
  offDiagonal: Float64Array.from({ length: n - 1 }, (_, i) => e(i)),
  reflectors: zeros(n, n),
  scales: new Float64Array(n),
});
const next = uniforms(3);
const n = 97;
const tridiagonal = {
  "negligible couplings": bare(
    n,
    (i) => i,
    () => 1e-17,
  ),
  "nearly the identity": bare(
    n,
    () => 1,
    () => 1e-9 * next(),
  ),
  "Wilkinson, pairs equal to rounding": bare(
    n,
    (i) => Math.abs(i - (n - 1) / 2),
    () => 1,
  ),
  "glued Wilkinson": bare(
    n,
    (i) => Math.abs((i % 21) - 10),
    (i) => (i % 21 === 20 ? 1e-8 : 1),
  ),
  "zero diagonal": bare(
    n,
    () => 0,
    () => 1,
  ),
  "graded upwards": bare(
    n,
    (i) => 10 ** ((i - n) / 20),
    (i) => 0.3 * 10 ** ((i - n) / 20),
  ),
  "thirty decades": bare(
    n,
    () => next() * 10 ** (15 * next()),
    () => next() * 10 ** (15 * next()),
  ),
  "low rank": bare(
    n,
    (i) => (i < 5 ? 1 : 0),
    (i) => (i < 4 ? 0.1 : 0),
  ),
  huge: bare(
    n,
    () => 1e300 * next(),
    () => 1e300 * next(),
  ),
  tiny: bare(
    n,
    () => 1e-300 * next(),
    () => 1e-300 * next(),
  ),
};

/** bᵀ f(A) c for every pair of columns, from eigenvalues and projections: does not depend on signs or on bases within clusters. */
function forms(values: Float64Array, projections: Matrix, f: (x: number) => number): Float64Array {
  const [rows, columns] = projections.shape;
  const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
  const weighted = {
    data: projections.data.map((value, at) => value * f(values[Math.floor(at / columns)]! / scale)),
    shape: [rows, columns],
  } as Matrix;
  return multiplyTransposedLeft(projections, weighted).data;
}
const functions: Record<string, (x: number) => number> = {
  one: () => 1,
  linear: (x) => x,
  square: (x) => x * x,
  resolvent: (x) => 1 / (x + 1.1),
  bump: (x) => Math.exp(-((x - 0.3) ** 2) / 0.02),
};

for (const kernels of availableBackends()) {
  describe(`projectedSpectrum, ${kernels.name}`, () => {
    beforeEach(() => {
      setBackend(kernels);
    });
    const check = (t: Tridiagonalisation): void => {
      const size = t.diagonal.length;
      const vectors = randomMatrix(size, 5, 11);
      const expected = eigenFromTridiagonal(t);
      const reference = multiplyTransposedLeft(expected.vectors, vectors);
      const { values, projections } = projectedSpectrum(t, vectors);
      const scale = expected.values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
      expect(projections.shape).toEqual([size, 5]);
      expect(values.every((value, i) => i === 0 || values[i - 1]! <= value)).toBe(true);
      expect(maxDifference(values, expected.values) / scale).toBeLessThan(100 * Number.EPSILON);
      for (const f of Object.values(functions))
        expect(maxDifference(forms(values, projections, f), forms(expected.values, reference, f)) / size).toBeLessThan(
          100 * Number.EPSILON,
        );
    };
    for (const [name, a] of Object.entries(dense)) it(`${name}: forms bᵀf(A)c like those of eigenvectors`, () => check(tridiagonalise(a)));
    for (const [name, t] of Object.entries(tridiagonal)) it(`${name} (tridiagonal): forms like those of eigenvectors`, () => check(t));
    it("agrees with eigenvectors entry by entry, up to sign, where eigenvalues are far apart", () => {
      const a = withSpectrum(range(40).map((i) => i + 1));
      const b = randomMatrix(40, 3, 2);
      const { projections } = projectedSpectrum(tridiagonalise(a), b);
      const reference = multiplyTransposedLeft(symmetricEigen(a).vectors, b);
      for (let i = 0; i < 40; i++) {
        const sign = Math.sign(projections.data[3 * i]! * reference.data[3 * i]!);
        for (let j = 0; j < 3; j++) expect(Math.abs(sign * projections.data[3 * i + j]! - reference.data[3 * i + j]!)).toBeLessThan(1e-13);
      }
    });
    it("keeps the relative accuracy of small quadratic forms of a graded tridiagonal matrix", () => {
      const t = bare(
        60,
        (i) => 10 ** (-i / 4),
        () => 0,
      );
      const { values, projections } = projectedSpectrum(t, { data: new Float64Array(60).fill(1), shape: [60, 1] });
      values.forEach((value, i) => expect(Math.abs(value / 10 ** (-(59 - i) / 4) - 1)).toBeLessThan(1e-14));
      expect(projections.data.every((value) => Math.abs(value) === 1)).toBe(true);
    });
    it("handles n = 0, 1 and 2, and no vectors", () => {
      expect(projectedSpectrum(tridiagonalise(zeros(0, 0)), zeros(0, 2)).values.length).toBe(0);
      expect(projectedSpectrum(tridiagonalise(matrixFromRows([[-3]])), matrixFromRows([[2]]))).toEqual({
        values: Float64Array.of(-3),
        projections: matrixFromRows([[2]]),
      });
      const { values, projections } = projectedSpectrum(
        tridiagonalise(
          matrixFromRows([
            [0, 1],
            [1, 0],
          ]),
        ),
        matrixFromRows([[1], [1]]),
      );
      expect(maxDifference(values, [-1, 1])).toBeLessThan(1e-15);
      expect(maxDifference(projections.data.map(Math.abs), [0, Math.SQRT2])).toBeLessThan(1e-15);
      expect(projectedSpectrum(tridiagonalise(dense.random), zeros(90, 0)).projections.shape).toEqual([90, 0]);
    });
    it("names wrong shapes and numbers", () => {
      const t = tridiagonalise(dense.random);
      expect(() => projectedSpectrum(t, zeros(89, 1))).toThrow(/b: expected 90 rows/);
      const bad = zeros(90, 1);
      bad.data[4] = Number.NaN;
      expect(() => projectedSpectrum(t, bad)).toThrow(/b\[4\]\[0\]/);
    });
    it("many columns, for which eigenvectors are made, give the same forms", () => {
      const t = tridiagonalise(dense.random);
      const b = randomMatrix(90, 40, 12);
      const few = {
        data: Float64Array.from({ length: 180 }, (_, at) => b.data[Math.floor(at / 2) * 40 + (at % 2)]!),
        shape: [90, 2],
      } as const;
      const [all, some] = [projectedSpectrum(t, b), projectedSpectrum(t, few)];
      const first = forms(all.values, all.projections, functions["resolvent"]!);
      const expected = forms(some.values, some.projections, functions["resolvent"]!);
      expect(maxDifference([first[0]!, first[1]!, first[40]!, first[41]!], expected)).toBeLessThan(1e-12);
    });
    it("leaves its arguments as they were", () => {
      const t = tridiagonalise(dense.graded);
      const b = randomMatrix(60, 2);
      const before = structuredClone({ t, b });
      projectedSpectrum(t, b);
      expect({ t, b }).toEqual(before);
    });
    it("completes a reduction to the eigenvectors of the matrix", () => {
      for (const a of [dense.random, dense.repeated, dense.graded, dense.tiny, dense.zero]) {
        const { values, vectors } = eigenFromTridiagonal(tridiagonalise(a));
        expect(orthogonalityError(vectors)).toBeLessThan(100 * Number.EPSILON);
        expect(eigenResidual(a, values, vectors)).toBeLessThan(100 * Number.EPSILON);
        const b = randomMatrix(a.shape[0], 1);
        expect(maxDifference(multiply(vectors, multiplyTransposedLeft(vectors, b)).data, b.data)).toBeLessThan(1e-13);
      }
    });
  });
}
