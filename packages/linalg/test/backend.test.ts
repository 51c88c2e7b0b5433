import { assert, integer, property } from "fast-check";
import { matrix, zeros, type Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import {
  backend,
  cholesky,
  createWasmBackend,
  diagonalMatrix,
  gram,
  identity,
  multiply,
  multiplyTransposedRight,
  referenceBackend,
  setBackend,
  symmetricEigen,
  transpose,
} from "../src/index.js";
import { availableBackends } from "./backends.js";
import { eigenResidual, maxDifference, orthogonalityError, randomMatrix, randomPositive, randomSymmetric } from "./matrices.js";

const epsilon = Number.EPSILON;
const [, ...compiled] = availableBackends();

/** Sum over p of |a_ip||b_pj|, largest entry: the scale of rounding in a product. */
function productScale(a: Matrix, b: Matrix): number {
  const magnitude = (m: Matrix) => ({ data: m.data.map(Math.abs), shape: m.shape });
  return Math.max(0, ...referenceBackend.multiply(magnitude(a), magnitude(b), "none").data);
}

describe("the default backend", () => {
  it("is WebAssembly here, and can be replaced", () => {
    expect(backend().name).toMatch(/^wasm-/);
    const previous = setBackend(referenceBackend);
    expect(backend()).toBe(referenceBackend);
    setBackend(previous);
  });
  it("is the reference where WebAssembly is missing or has no SIMD", () => {
    const { validate } = WebAssembly;
    WebAssembly.validate = () => false;
    expect(createWasmBackend()).toBeUndefined();
    WebAssembly.validate = validate;
    const original = globalThis.WebAssembly;
    Reflect.deleteProperty(globalThis, "WebAssembly");
    expect(createWasmBackend()).toBeUndefined();
    globalThis.WebAssembly = original;
  });
  it("refuses what does not fit, with the bytes, before allocating", () => {
    const small = createWasmBackend({ memoryLimitBytes: 16 * 2 ** 20 })!;
    expect(() => small.gram(randomMatrix(1500, 4))).toThrow(/1500 × 1500 Gram matrix needs \d{8} bytes .* 16777216 bytes can be had/);
    expect(() => small.symmetricEigen(zeros(1000, 1000))).toThrow(/eigenvectors of a 1000 × 1000 matrix needs 4\d{7} bytes/);
    const column = { data: new Float64Array(30_000), shape: [30_000, 1] } as const;
    expect(() => gram(column)).toThrow(/30000 × 30000 matrix needs 7200000000 bytes \(6.7 GiB\)/);
    expect(() => multiplyTransposedRight(column, column)).toThrow(/7200000000 bytes/);
    expect(small.gram(randomMatrix(20, 4)).shape).toEqual([20, 20]);
  });
});

for (const kernels of compiled) {
  describe(`${kernels.name} against the reference`, () => {
    const size = integer({ min: 1, max: 90 });
    const seed = integer({ min: 1, max: 1e6 });

    it("products of every shape and transposition", () => {
      assert(
        property(size, size, integer({ min: 1, max: 300 }), seed, (m, n, k, s) => {
          const [a, b] = [randomMatrix(m, k, s), randomMatrix(k, n, s + 1)];
          const expected = referenceBackend.multiply(a, b, "none").data;
          const tolerance = 2 * k * epsilon * productScale(a, b);
          expect(maxDifference(kernels.multiply(a, b, "none").data, expected)).toBeLessThanOrEqual(tolerance);
          expect(maxDifference(kernels.multiply(transpose(a), b, "left").data, expected)).toBeLessThanOrEqual(tolerance);
          expect(maxDifference(kernels.multiply(a, transpose(b), "right").data, expected)).toBeLessThanOrEqual(tolerance);
          const g = kernels.gram(a);
          expect(maxDifference(g.data, referenceBackend.gram(a).data)).toBeLessThanOrEqual(2 * k * epsilon * k);
          expect(g.data).toEqual(transpose(g).data);
        }),
        { numRuns: 40 },
      );
    });

    it("products beyond one cache block", () => {
      const [a, b] = [randomMatrix(401, 530, 1), randomMatrix(530, 1100, 2)];
      expect(maxDifference(kernels.multiply(a, b, "none").data, referenceBackend.multiply(a, b, "none").data)).toBeLessThan(
        530 * epsilon * 20,
      );
    });

    it("Cholesky factors and triangular solves", () => {
      assert(
        property(integer({ min: 16, max: 220 }), integer({ min: 1, max: 30 }), seed, (n, m, s) => {
          const a = randomPositive(n, n, 0.5, s);
          const outcome = kernels.cholesky(a);
          if ("pivot" in outcome) throw new Error(`pivot ${outcome.pivot}`);
          const { factor } = outcome;
          expect(maxDifference(multiplyTransposedRight(factor, factor).data, a.data)).toBeLessThan(20 * n * epsilon);
          for (let i = 0; i < n; i++)
            for (let j = i + 1; j < n; j++) if (factor.data[i * n + j] !== 0) throw new Error(`entry (${i}, ${j}) above the diagonal`);
          const b = randomMatrix(n, m, s + 1);
          for (const transposed of [false, true]) {
            const x = kernels.solveTriangular(factor, b, transposed);
            expect(maxDifference(multiply(transposed ? transpose(factor) : factor, x).data, b.data)).toBeLessThan(100 * n * epsilon);
          }
        }),
        { numRuns: 25 },
      );
    });

    it("reads the lower triangle only and changes no input", () => {
      const a = randomPositive(70, 70, 1, 5);
      const dirty = matrix(70, 70, a.data.slice());
      for (let i = 0; i < 70; i++) for (let j = i + 1; j < 70; j++) dirty.data[i * 70 + j] = 77;
      const before = dirty.data.slice();
      expect(kernels.cholesky(dirty)).toEqual(kernels.cholesky(a));
      expect(kernels.symmetricEigen(dirty)).toEqual(kernels.symmetricEigen(a));
      expect(kernels.tridiagonalise(dirty)).toEqual(kernels.tridiagonalise(a));
      expect(dirty.data).toEqual(before);
    });

    it("names the first pivot that is not positive, wherever it is", () => {
      for (const at of [0, 5, 23, 24, 100, 149]) {
        const a = diagonalMatrix(new Float64Array(150).fill(2));
        a.data[at * 150 + at] = -3;
        expect(kernels.cholesky(a)).toEqual({ pivot: at, value: -3 });
        a.data[at * 150 + at] = Number.NaN;
        expect(kernels.cholesky(a)).toEqual({ pivot: at, value: Number.NaN });
      }
    });

    it("large Cholesky factors: in place, the lower triangle alone, pivots in any part", () => {
      const n = 1100;
      const a = randomPositive(n, 40, 1, 3);
      const dirty = a.data.map((value, at) => (at % n > Math.floor(at / n) ? Number.NaN : value));
      const outcome = kernels.cholesky(matrix(n, n, dirty), dirty);
      if ("pivot" in outcome) throw new Error(`pivot ${outcome.pivot}`);
      expect(outcome.factor.data).toBe(dirty);
      expect(maxDifference(multiplyTransposedRight(outcome.factor, outcome.factor).data, a.data)).toBeLessThan(20 * n * epsilon);
      expect(dirty.findIndex((value, at) => at % n > Math.floor(at / n) && value !== 0)).toBe(-1);
      for (const at of [300, 600, n - 1]) {
        const broken = a.data.slice();
        broken[at * n + at] = -3;
        const found = kernels.cholesky(matrix(n, n, broken)) as { pivot: number; value: number };
        const expected = referenceBackend.cholesky(matrix(n, n, broken)) as { pivot: number; value: number };
        expect(found.pivot).toBe(at);
        expect(found.value).toBeCloseTo(expected.value, 10);
        broken[at * n + 7] = Infinity;
        expect(kernels.cholesky(matrix(n, n, broken))).toMatchObject({ pivot: at });
      }
    });

    it("tridiagonal forms and reflectors", () => {
      for (const n of [16, 33, 34, 35, 66, 67, 131, 200]) {
        const a = randomSymmetric(n, n);
        const mine = kernels.tridiagonalise(a);
        const q = referenceBackend.applyReflectors(mine, identity(n), false);
        const t = zeros(n, n);
        for (let i = 0; i < n; i++) t.data[i * n + i] = mine.diagonal[i]!;
        for (let i = 0; i + 1 < n; i++) t.data[i * n + i + 1] = t.data[(i + 1) * n + i] = mine.offDiagonal[i]!;
        expect(orthogonalityError(q)).toBeLessThan(100 * epsilon);
        expect(maxDifference(multiplyTransposedRight(multiply(q, t), q).data, a.data)).toBeLessThan(100 * epsilon);
        const b = randomMatrix(n, 9, 1);
        for (const transposed of [false, true])
          expect(
            maxDifference(kernels.applyReflectors(mine, b, transposed).data, referenceBackend.applyReflectors(mine, b, transposed).data),
          ).toBeLessThan(1e-13);
      }
    });

    it("eigenvectors of random symmetric matrices", () => {
      assert(
        property(integer({ min: 16, max: 200 }), integer({ min: 1, max: 200 }), seed, (n, k, s) => {
          const a = s % 2 === 0 ? randomSymmetric(n, s) : randomPositive(n, k, 0, s);
          const { values, vectors } = kernels.symmetricEigen(a);
          expect(orthogonalityError(vectors)).toBeLessThan(100 * epsilon);
          expect(eigenResidual(a, values, vectors)).toBeLessThan(100 * epsilon);
          const scale = Math.max(...values.map(Math.abs));
          expect(maxDifference(values, referenceBackend.symmetricEigen(a).values)).toBeLessThan(100 * epsilon * scale);
        }),
        { numRuns: 25 },
      );
    });

    it("the same numbers when called again, in any order", () => {
      const a = randomPositive(120, 120, 0.1, 3);
      const first = kernels.symmetricEigen(a);
      kernels.multiply(randomMatrix(300, 200, 1), randomMatrix(200, 50, 2), "none");
      kernels.cholesky(randomPositive(333, 50, 1, 1));
      expect(kernels.symmetricEigen(a)).toEqual(first);
    });
  });
}

describe("symmetricEigen at n = 600", () => {
  it("keeps residual and orthogonality within 100 ε", () => {
    const a = randomSymmetric(600, 8);
    const { values, vectors } = symmetricEigen(a);
    expect(orthogonalityError(vectors)).toBeLessThan(100 * epsilon);
    expect(eigenResidual(a, values, vectors)).toBeLessThan(100 * epsilon);
    expect(cholesky(randomPositive(600, 600, 1, 2)).factor.shape).toEqual([600, 600]);
  });
});
