import { describe, expect, it } from "vitest";
import type { SymmetricTridiagonal } from "../src/index.js";
import { availableBackends } from "./backends.js";
import { maxDifference, orthogonalityError, uniforms } from "./matrices.js";

const next = uniforms(3);
const tridiagonal = (n: number, d: (i: number) => number, e: (i: number) => number): SymmetricTridiagonal => ({
  diagonal: Float64Array.from({ length: n }, (_, i) => d(i)),
  offDiagonal: Float64Array.from({ length: n - 1 }, (_, i) => e(i)),
});
const glued = (glue: number) => (n: number) =>
  tridiagonal(
    n,
    (i) => Math.abs((i % 21) - 10),
    (i) => (i % 21 === 20 ? glue : 1),
  );

const families: Record<string, (n: number) => SymmetricTridiagonal> = {
  zero: (n) =>
    tridiagonal(
      n,
      () => 0,
      () => 0,
    ),
  identity: (n) =>
    tridiagonal(
      n,
      () => 1,
      () => 0,
    ),
  "nearly the identity": (n) =>
    tridiagonal(
      n,
      () => 1,
      () => 1e-9 * next(),
    ),
  "negligible couplings": (n) =>
    tridiagonal(
      n,
      (i) => i,
      () => 1e-17,
    ),
  Toeplitz: (n) =>
    tridiagonal(
      n,
      () => 2,
      () => -1,
    ),
  "zero diagonal": (n) =>
    tridiagonal(
      n,
      () => 0,
      () => 1,
    ),
  Clement: (n) =>
    tridiagonal(
      n,
      () => 0,
      (i) => Math.sqrt((i + 1) * (n - 1 - i)),
    ),
  Legendre: (n) =>
    tridiagonal(
      n,
      () => 0,
      (i) => (i + 1) / Math.sqrt(4 * (i + 1) ** 2 - 1),
    ),
  "Wilkinson, pairs equal to rounding": (n) =>
    tridiagonal(
      n,
      (i) => Math.abs(i - (n - 1) / 2),
      () => 1,
    ),
  "glued Wilkinson 1e-3": glued(1e-3),
  "glued Wilkinson 1e-8": glued(1e-8),
  "glued Wilkinson 1e-14": glued(1e-14),
  "graded downwards": (n) =>
    tridiagonal(
      n,
      (i) => 10 ** (-i / 20),
      (i) => 0.3 * 10 ** (-i / 20),
    ),
  "graded upwards": (n) =>
    tridiagonal(
      n,
      (i) => 10 ** ((i - n) / 20),
      (i) => 0.3 * 10 ** ((i - n) / 20),
    ),
  "thirty decades": (n) =>
    tridiagonal(
      n,
      () => next() * 10 ** (15 * next()),
      () => next() * 10 ** (15 * next()),
    ),
  "low rank": (n) =>
    tridiagonal(
      n,
      (i) => (i < 5 ? 1 : 0),
      (i) => (i < 4 ? 0.1 : 0),
    ),
  "small integers": (n) =>
    tridiagonal(
      n,
      () => Math.round(next()),
      () => Math.round(next()),
    ),
  huge: (n) =>
    tridiagonal(
      n,
      () => 1e300 * next(),
      () => 1e300 * next(),
    ),
  tiny: (n) =>
    tridiagonal(
      n,
      () => 1e-300 * next(),
      () => 1e-300 * next(),
    ),
};

/** Largest entry of |T V − V diag(values)|, relative to the largest |value|. */
function residual(t: SymmetricTridiagonal, values: Float64Array, vectors: Float64Array, scale: number): number {
  const n = values.length;
  const difference = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      let sum = (t.diagonal[i]! / scale - values[j]! / scale) * vectors[i * n + j]!;
      if (i > 0) sum += (t.offDiagonal[i - 1]! / scale) * vectors[(i - 1) * n + j]!;
      if (i + 1 < n) sum += (t.offDiagonal[i]! / scale) * vectors[(i + 1) * n + j]!;
      difference[i * n + j] = sum;
    }
  }
  return maxDifference(difference, new Float64Array(n * n));
}

for (const kernels of availableBackends()) {
  describe(`tridiagonal eigenproblems, ${kernels.name}`, () => {
    for (const [name, family] of Object.entries(families)) {
      it(`${name}: residual and orthogonality within 100 ε, values like QL`, () => {
        for (const n of kernels.name === "reference" ? [97] : [33, 97, 200]) {
          const t = family(n);
          const { values, vectors } = kernels.tridiagonalEigen(t);
          const scale = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
          expect(orthogonalityError(vectors)).toBeLessThan(100 * Number.EPSILON);
          expect(residual(t, values, vectors.data, scale)).toBeLessThan(100 * Number.EPSILON);
          expect(values.every((value, i) => i === 0 || values[i - 1]! <= value)).toBe(true);
          expect(maxDifference(kernels.tridiagonalEigenvalues(t), values) / scale).toBeLessThan(100 * Number.EPSILON);
        }
      });
    }
  });
}
