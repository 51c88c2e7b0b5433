import { fileURLToPath } from "node:url";
import {
  createWasmBackend,
  createWorkspace,
  diagonalMatrix,
  identity,
  multiplyTransposedRight,
  referenceBackend,
  setBackend,
  type Backend,
  type KernelMap,
} from "@finitewidth/linalg";
import { zeros, type Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  eigenResidual,
  maxDifference,
  orthogonalityError,
  randomMatrix,
  randomOrthogonal,
  randomPositive,
  withSpectrum,
} from "../../linalg/test/matrices.js";
import { loadAddon } from "../src/addon.js";
import { createNativeBackend, nativeProblem } from "../src/index.js";

const native = createNativeBackend();
const epsilon = Number.EPSILON;

describe("without an add-on", () => {
  it("there is no backend, and a reason", () => {
    const path = "/nowhere/linalg.node";
    expect(createNativeBackend({ path })).toBeUndefined();
    expect(nativeProblem({ path })).toMatch(/nowhere\/linalg.node is not installed/);
    const notOne = fileURLToPath(import.meta.url);
    expect(nativeProblem({ path: notOne })).toMatch(/does not load/);
  });
});

describe.skipIf(native === undefined)(`add-on (${native?.name ?? `skipped: ${nativeProblem()}`})`, () => {
  const kernels = native!;
  const wasm = createWasmBackend()!;
  const sizes = [...Array.from({ length: 40 }, (_, i) => i + 1), 47, 63, 64, 65, 66, 67, 97, 127, 128, 129, 130];

  // Symmetric matrices that are hard for one reason or another, largest eigenvalue about 1.
  const families: Record<string, (n: number) => Matrix> = {
    "graded over 12 decades": (n) =>
      withSpectrum(
        Array.from({ length: n }, (_, i) => 10 ** ((-12 * i) / n)),
        n,
      ),
    "graded by rows": (n) => {
      const a = randomPositive(n, n, 0.5, n);
      return { data: a.data.map((value, at) => value * 10 ** (-(at % n) / 10 - Math.floor(at / n) / 10)), shape: a.shape };
    },
    "two clusters": (n) =>
      withSpectrum(
        Array.from({ length: n }, (_, i) => (i % 2 === 0 ? 1 : 1e-3) * (1 + 1e-14 * i)),
        n,
      ),
    "the identity": (n) => identity(n),
    "rank 3": (n) =>
      withSpectrum(
        Array.from({ length: n }, (_, i) => (i < 3 ? 1 / (i + 1) : 0)),
        n,
      ),
    zero: (n) => zeros(n, n),
    "all ones": (n) => ({ data: new Float64Array(n * n).fill(1), shape: [n, n] }),
    huge: (n) => ({ data: randomPositive(n, n, 0.5, n).data.map((value) => value * 1e290), shape: [n, n] }),
    tiny: (n) => ({ data: randomPositive(n, n, 0.5, n).data.map((value) => value * 1e-290), shape: [n, n] }),
  };
  const largest = ({ data }: Matrix) => data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const scaled = (a: Matrix, by: number): Matrix => ({ data: a.data.map((value) => value * by), shape: a.shape });

  describe.each(Object.entries(families))("%s, n = 1 … 130", (_, family) => {
    it("is reduced to a tridiagonal form that gives it back, with eigenvalues like WebAssembly's", () => {
      for (const n of sizes) {
        const a = family(n);
        const unit = 1 / (largest(a) || 1);
        const form = kernels.tridiagonalise(a);
        const q = referenceBackend.applyReflectors(form, identity(n), false);
        expect(orthogonalityError(q)).toBeLessThan(100 * epsilon);
        const t = zeros(n, n);
        form.diagonal.forEach((value, i) => (t.data[i * n + i] = value * unit));
        form.offDiagonal.forEach((value, i) => (t.data[i * n + i + 1] = t.data[(i + 1) * n + i] = value * unit));
        const rebuilt = referenceBackend.multiply(referenceBackend.multiply(q, t, "none"), q, "right");
        expect(maxDifference(rebuilt.data, scaled(a, unit).data)).toBeLessThan(n * 20 * epsilon);
        const values = (on: Backend) => on.tridiagonalEigenvalues(on.tridiagonalise(a)).map((value) => value * unit);
        expect(maxDifference(values(kernels), values(wasm))).toBeLessThan(n * 20 * epsilon);
        for (let k = 0; k < n; k++) {
          const row = form.reflectors.data.subarray(k * n, (k + 1) * n);
          const head = k + 1 < n && form.scales[k] !== 0 ? 1 : 0;
          if (row.subarray(0, k + 1).some((value) => value !== 0) || (row[k + 1] ?? 0) !== head)
            throw new Error(`row ${k} of ${n} reflectors`);
        }
        expect(form.scales.subarray(Math.max(n - 2, 0)).every((value) => value === 0)).toBe(true);
      }
    });

    it("has eigenvectors that are orthogonal and belong to the eigenvalues", () => {
      for (const n of [1, 2, 3, 17, 64, 130]) {
        const a = family(n);
        const { values, vectors } = kernels.symmetricEigen(a);
        const unit = 1 / (largest(a) || 1);
        expect(orthogonalityError(vectors)).toBeLessThan(100 * epsilon);
        const residual = eigenResidual(
          scaled(a, unit),
          values.map((value) => value * unit),
          vectors,
        );
        expect(residual).toBeLessThan(200 * epsilon);
      }
    });

    it("has a Cholesky factor that gives it back, or fails at a pivot that is zero to rounding", () => {
      for (const n of sizes) {
        const a = family(n);
        const mine = kernels.cholesky(a);
        if ("factor" in mine) {
          // Backward stable, whether or not WebAssembly finds a pivot that is lost in rounding.
          const rebuilt = multiplyTransposedRight(mine.factor, mine.factor);
          let worst = 0;
          for (let i = 0; i < n; i++)
            for (let j = 0; j <= i; j++) {
              const size = Math.sqrt(a.data[i * n + i]!) * Math.sqrt(a.data[j * n + j]!);
              const error = Math.abs(rebuilt.data[i * n + j]! - a.data[i * n + j]!) / size;
              if (!(error <= worst)) worst = error;
            }
          expect(worst).toBeLessThanOrEqual((n + 2) * 2 * epsilon);
        } else expect(mine.value).toBeLessThanOrEqual(20 * n * epsilon * largest(a));
      }
    });
  });

  it("multiplies like WebAssembly, thin and wide, every transposition", () => {
    for (const [m, k, n] of [
      [1, 1, 1],
      [1, 130, 1],
      [130, 1, 130],
      [3, 0, 4],
      [0, 3, 4],
      [17, 129, 5],
      [128, 64, 1],
      [1, 64, 128],
      [97, 98, 99],
      [300, 2, 301],
    ] as const) {
      const [a, b] = [randomMatrix(m, k, 1), randomMatrix(k, n, 2)];
      const [at, bt] = [randomMatrix(k, m, 3), randomMatrix(n, k, 4)];
      const tolerance = 4 * (k + 1) * epsilon;
      expect(maxDifference(kernels.multiply(a, b, "none").data, wasm.multiply(a, b, "none").data)).toBeLessThan(tolerance);
      expect(maxDifference(kernels.multiply(at, b, "left").data, wasm.multiply(at, b, "left").data)).toBeLessThan(tolerance);
      expect(maxDifference(kernels.multiply(a, bt, "right").data, wasm.multiply(a, bt, "right").data)).toBeLessThan(tolerance);
      expect(maxDifference(kernels.gram(a).data, wasm.gram(a).data)).toBeLessThan(tolerance);
    }
  });

  it("solves like WebAssembly, also ill-conditioned systems", () => {
    for (const n of sizes)
      for (const m of [1, 2, 9]) {
        const outcome = wasm.cholesky(
          withSpectrum(
            Array.from({ length: n }, (_, i) => 10 ** ((-8 * i) / n)),
            n,
          ),
        );
        if ("pivot" in outcome) throw new Error("positive definite by construction");
        const { factor } = outcome;
        const b = randomMatrix(n, m, n);
        for (const transposed of [false, true]) {
          const x = kernels.solveTriangular(factor, b, transposed);
          // Backward error, row by row: |L x − b| ≤ n ε |L||x|
          const back = referenceBackend.multiply(factor, x, transposed ? "left" : "none");
          const absolute = (a: Matrix) => ({ data: a.data.map(Math.abs), shape: a.shape });
          const bound = referenceBackend.multiply(absolute(factor), absolute(x), transposed ? "left" : "none");
          const worst = back.data.reduce((most, value, i) => Math.max(most, Math.abs(value - b.data[i]!) / bound.data[i]!), 0);
          expect(worst).toBeLessThanOrEqual((n + 2) * epsilon);
        }
      }
  });

  it("applies reflectors like the reference", () => {
    for (const n of sizes) {
      const form = wasm.tridiagonalise(randomPositive(n, n, 0.1, n));
      for (const m of [1, 2, 9, 70]) {
        const b = randomMatrix(n, m, m);
        for (const transposed of [false, true])
          expect(
            maxDifference(kernels.applyReflectors(form, b, transposed).data, referenceBackend.applyReflectors(form, b, transposed).data),
          ).toBeLessThan(1e-13);
      }
    }
  });

  it("maps kernels like the reference: zero variances, perfect correlations, one input", () => {
    for (const kind of ["erf", "relu", "step", "sign"] satisfies KernelMap[])
      for (const n of [1, 2, 7, 8, 9, 130, 257]) {
        const features = randomMatrix(n, 3, n);
        features.data.fill(0, 0, 3);
        if (n > 2) features.data.copyWithin(3, 6, 9);
        const covariance = wasm.gram(features);
        const [mine, theirs] = [new Float64Array(n * n), new Float64Array(n * n)];
        expect(kernels.symmetricKernel(kind, covariance, mine)).toBe(true);
        expect(referenceBackend.symmetricKernel(kind, covariance, theirs)).toBe(true);
        // arcsin near 1 has a square root's derivative
        expectClose(mine, theirs, { absolute: 1e-7 }, `${kind} ${n}`);
        const close = mine.filter((value, i) => Math.abs(value - theirs[i]!) > 1e-14).length;
        expect(close).toBeLessThanOrEqual(n > 2 ? 2 : 0);
        covariance.data[n - 1] = Number.NaN;
        expect(kernels.symmetricKernel(kind, covariance, mine)).toBe(false);
        covariance.data[n - 1] = -Infinity;
        expect(kernels.symmetricKernel(kind, covariance, mine)).toBe(false);
      }
  });

  it("works on shared memory and on that of WebAssembly where they are", () => {
    const n = 40;
    const a = randomPositive(n, n, 1, 1);
    const expected = kernels.cholesky(a);
    const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: true });
    for (const buffer of [new SharedArrayBuffer(8 * (n * n + 1)), new WebAssembly.Memory({ initial: 2 }).buffer, memory.buffer]) {
      const data = new Float64Array(buffer, 8, n * n);
      data.set(a.data);
      const found = loadAddon();
      if ("problem" in found) throw new Error(found.problem);
      expect(found.addon.cholesky(n, data, data)).toBe(-1);
      expect({ factor: { data: Float64Array.from(data), shape: [n, n] } }).toEqual(expected);
    }
  });

  it("refuses arrays that are too short, or none, instead of reading beyond them", () => {
    const found = loadAddon();
    if ("problem" in found) throw new Error(found.problem);
    const { addon } = found;
    expect(() => addon.cholesky(4, new Float64Array(15), new Float64Array(16))).toThrow(/a: expected 16 numbers, got 15/);
    expect(() => addon.multiply(2, 2, 2, 1, new Float64Array(4), new Float64Array(3), 0, new Float64Array(4), 0)).toThrow(/b: expected 4/);
    expect(() => addon.cholesky(2, new Float32Array(4) as never, new Float64Array(4))).toThrow(/Float64Array/);
    expect(() => addon.cholesky(2, [4, 0, 0, 4] as never, new Float64Array(4))).toThrow(/Float64Array/);
    expect(() => addon.map(7, new Float64Array(3))).toThrow(/kind/);
  });

  it("names pivots, NaN and infinity included", () => {
    for (const n of [1, 2, 31, 130])
      for (const wrong of [-1, 0, Number.NaN, Infinity]) {
        const a = diagonalMatrix(new Float64Array(n).fill(2));
        a.data[n * n - 1] = wrong;
        expect(kernels.cholesky(a)).toEqual({ pivot: n - 1, value: wrong });
      }
    // A pivot that is what the elimination has left of it
    for (const n of [3, 20, 64, 65, 129])
      for (const at of [2, n >> 1, n - 1]) {
        const a = randomPositive(n, n, 0.5, n);
        a.data[at * n + at]! -= 2 * n;
        const [mine, theirs] = [kernels.cholesky(a), wasm.cholesky(a)];
        if ("factor" in mine || "factor" in theirs) throw new Error("a negative entry on the diagonal");
        expect(mine.pivot).toBe(theirs.pivot);
        expect(mine.value / theirs.value).toBeCloseTo(1, 10);
      }
  });

  it("gives workspaces of its own, operands checked", () => {
    const previous = setBackend(kernels);
    try {
      const workspace = createWorkspace([[3, 3]]);
      expect(workspace.name).toBe(kernels.name);
      expect(() => workspace.multiply(randomMatrix(2, 2), randomMatrix(2, 2), randomMatrix(3, 3))).toThrow(/out/);
    } finally {
      setBackend(previous);
    }
  });

  it("rotates random orthogonal matrices without losing orthogonality", () => {
    const form = kernels.tridiagonalise(randomPositive(300, 300, 0.5, 2));
    expect(orthogonalityError(kernels.applyReflectors(form, randomOrthogonal(300, 3), true))).toBeLessThan(100 * epsilon);
  });
});
