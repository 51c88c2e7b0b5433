import { zeros } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import {
  addDiagonal,
  affine,
  cholesky,
  evaluateShifted,
  identity,
  fusedKernelMap,
  gram,
  lanczos,
  multiply,
  multiplyVector,
  solveCholesky,
  stochasticLogDeterminant,
  symmetricEigen,
  symmetricEigenvalues,
} from "../src/index.js";
import { randomMatrix, uniforms } from "./matrices.js";

const n = 200;
const kernel = fusedKernelMap("erf", affine(0.1, gram(randomMatrix(n, 30, 1))));
const apply = (x: Float64Array) => multiplyVector(kernel, x);
const y = randomMatrix(n, 1, 2);

describe("lanczos", () => {
  it("gives the quadratic form for every shift from one reduction", () => {
    const { tridiagonal, norm } = lanczos(apply, y.data, 60);
    const start = new Float64Array(60);
    start[0] = norm;
    for (const [q, t] of [
      [0.1, 0.1],
      [1, 0.1],
      [5, 0.2],
    ] as const) {
      const exact = multiply({ data: y.data, shape: [1, n] }, solveCholesky(cholesky(addDiagonal(affine(q, kernel), t)), y)).data[0]!;
      const estimate = evaluateShifted(tridiagonal, q, t, start).quadratic;
      expect(Math.abs(estimate / exact - 1)).toBeLessThan(1e-8);
      expect(estimate).toBeLessThan(exact * (1 + 1e-12));
    }
  });
  it("stops when the Krylov space is exhausted: identity, zero matrix, zero vector", () => {
    const one = lanczos((x) => multiplyVector(identity(n), x), y.data, 50);
    expect([one.tridiagonal.diagonal.length, one.residual]).toEqual([1, 0]);
    expect(lanczos((x) => multiplyVector(zeros(n, n), x), y.data, 50).tridiagonal.diagonal).toEqual(new Float64Array(1));
    expect(lanczos(apply, new Float64Array(n), 50)).toEqual({
      tridiagonal: { diagonal: new Float64Array(0), offDiagonal: new Float64Array(0) },
      norm: 0,
      residual: 0,
    });
  });
  it("refuses NaN", () => {
    expect(() =>
      lanczos(
        apply,
        y.data.map(() => Number.NaN),
        5,
      ),
    ).toThrow(/b: expected finite/);
    expect(() => lanczos((x) => x.map(() => Number.NaN), y.data, 5)).toThrow(/apply/);
  });
});

describe("stochasticLogDeterminant", () => {
  it("agrees with Cholesky within its standard error, for several shifts", () => {
    const next = uniforms(7);
    const probes = Array.from({ length: 40 }, () => Float64Array.from({ length: n }, () => Math.sign(next())));
    const shifts = [
      { q: 1, t: 0.1 },
      { q: 3, t: 1 },
    ];
    stochasticLogDeterminant(apply, probes, 60, shifts).forEach(({ value, standardError }, i) => {
      const { q, t } = shifts[i]!;
      const exact = cholesky(addDiagonal(affine(q, kernel), t)).logDeterminant;
      expect(Math.abs(value - exact) / standardError).toBeLessThan(4);
      expect(standardError).toBeLessThan(0.05 * Math.abs(exact));
    });
  });
  it("names a negative Ritz value and asks for probes", () => {
    expect(() => stochasticLogDeterminant(apply, [y.data, y.data], 20, [{ q: -1, t: 0 }])).toThrow(/Ritz value -/);
    expect(() => stochasticLogDeterminant(apply, [y.data], 20, [])).toThrow(/at least two/);
  });
  it("is the mean of zᵀ log(qA + t) z over the probes where the Krylov space is the whole, with its standard error", () => {
    const size = 6;
    const small = gram(randomMatrix(size, 9, 3));
    const { values, vectors } = symmetricEigen(small);
    const probes = [1, 2, 3].map((seed) => randomMatrix(size, 1, 20 + seed).data);
    const shifts = [{ q: 0.7, t: 0.2 }, { q: 2, t: 0 }]; // prettier-ignore
    const found = stochasticLogDeterminant((x) => multiplyVector(small, x), probes, size, shifts);
    shifts.forEach(({ q, t }, s) => {
      const exact = probes.map((z) =>
        values.reduce((sum, value, k) => {
          const overlap = z.reduce((total, entry, i) => total + entry * vectors.data[i * size + k]!, 0);
          return sum + overlap ** 2 * Math.log(q * value + t);
        }, 0),
      );
      const mean = exact.reduce((sum, value) => sum + value / 3, 0);
      const error = Math.sqrt(exact.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 2 / 3);
      expect(found[s]!.value / mean).toBeCloseTo(1, 8);
      expect(found[s]!.standardError / error).toBeCloseTo(1, 8);
    });
  });
  it("neither overflows nor ends too early: huge vectors, fewer steps than numbers, more steps than numbers", () => {
    const size = 5;
    const small = gram(randomMatrix(size, 7, 3));
    const b = randomMatrix(size, 1, 4).data;
    const plain = lanczos((x) => multiplyVector(small, x), b, 50);
    const huge = lanczos((x) => multiplyVector(small, x), b.map((value) => 1e200 * value), 50); // prettier-ignore
    expect(huge.norm / plain.norm / 1e200).toBeCloseTo(1, 14);
    expect([plain.tridiagonal.diagonal.length, plain.tridiagonal.offDiagonal.length]).toEqual([5, 4]);
    expect(plain.norm).toBeCloseTo(Math.hypot(...b), 14);
    const part = lanczos((x) => multiplyVector(small, x), b, 3);
    expect([...part.tridiagonal.diagonal]).toEqual([...plain.tridiagonal.diagonal.subarray(0, 3)]);
    expect(part.residual).toBe(plain.tridiagonal.offDiagonal[2]);
    const dense = zeros(5, 5);
    plain.tridiagonal.diagonal.forEach((value, i) => (dense.data[6 * i] = value));
    plain.tridiagonal.offDiagonal.forEach((value, i) => (dense.data[5 * i + i + 1] = dense.data[5 * i + i + 5] = value));
    symmetricEigenvalues(dense).forEach((value, i) => expect(value).toBeCloseTo(symmetricEigenvalues(small)[i]!, 11));
    expect(() => lanczos(() => new Float64Array(4), b, 2)).toThrow("apply(x): expected 5 numbers, got 4");
  });
});
