import type { Matrix } from "@finitewidth/core";
import { referenceBackend as reference, transpose } from "@finitewidth/linalg";
import { describe, expect, it, vi } from "vitest";
import { createOpenBlasBackend } from "../src/openblas/index.js";
import { addon, agrees, at, product, solve, symmetric, wide } from "./stand-ins.js";

const threads: number[] = [];
const opened: unknown[] = [];
const is = (value: unknown, letter: string): boolean => (value as Uint8Array)[0] === letter.codePointAt(0);
const int = (value: unknown): number => (value as Int32Array)[0]!;
/** Whole from the lower triangle. */
const mirrored = (n: number, data: Float64Array): Matrix =>
  at(
    data.map((value, e) => (e % n > Math.floor(e / n) ? data[(e % n) * n + Math.floor(e / n)]! : value)),
    n,
    n,
  );
const enough = (array: unknown, length: unknown, least: number): void => {
  expect(int(length)).toBeGreaterThanOrEqual(least);
  expect((array as Float64Array).length).toBe(int(length));
};
vi.mock("../src/openblas/library.js", () => ({
  loadOpenBlas: (paths?: readonly string[]) => {
    opened.push(paths);
    return blas;
  },
}));
type Routine = (...values: never[]) => void;
const blas: Record<string, Routine> = {
  setThreads: (count: number) => void threads.push(count),
  dgemm: (
    order: number,
    left: number,
    right: number,
    m: number,
    n: number,
    k: number,
    alpha: number,
    a: Float64Array,
    lda: number,
    b: Float64Array,
    ldb: number,
    beta: number,
    c: Float64Array,
    ldc: number,
  ) => {
    expect([order, lda, ldb, ldc]).toEqual([101, left === 112 ? m : k, right === 112 ? k : n, n]);
    product(m, n, k, alpha, a, b, beta, c, left === 112, right === 112);
  },
  dsyrk: (
    order: number,
    triangle: number,
    op: number,
    m: number,
    k: number,
    alpha: number,
    x: Float64Array,
    ldx: number,
    beta: number,
    c: Float64Array,
    ldc: number,
  ) => {
    expect([order, triangle, op, ldx, ldc]).toEqual([101, 122, 111, k, m]);
    const full = new Float64Array(m * m);
    product(m, m, k, alpha, x, x, beta, full, false, true);
    full.forEach((value, e) => e % m <= Math.floor(e / m) && (c[e] = value));
  },
  dtrsm: (
    order: number,
    side: number,
    triangle: number,
    op: number,
    diagonal: number,
    n: number,
    m: number,
    alpha: number,
    l: Float64Array,
    ldl: number,
    b: Float64Array,
    ldb: number,
  ) => {
    expect([order, side, triangle, diagonal, alpha, ldl, ldb]).toEqual([101, 141, 122, 131, 1, n, m]);
    solve(n, m, l, b, op === 112);
  },
  dpotrf: (triangle: unknown, size: unknown, a: Float64Array, lda: unknown, status: Int32Array) => {
    const n = int(size);
    expect([is(triangle, "U"), int(lda)]).toEqual([true, n]);
    // columns' upper triangle is rows' lower one
    const found = reference.cholesky(at(a.slice(), n, n));
    if ("pivot" in found) status[0] = found.pivot + 1;
    else found.factor.data.forEach((value, e) => e % n <= Math.floor(e / n) && (a[e] = value));
  },
  dsytrd: (
    triangle: unknown,
    size: unknown,
    a: Float64Array,
    lda: unknown,
    d: Float64Array,
    e: Float64Array,
    tau: Float64Array,
    work: unknown,
    length: unknown,
    status: Int32Array,
  ) => {
    const n = int(size);
    expect([is(triangle, "L"), int(lda), status[0]]).toEqual([true, n, 0]);
    enough(work, length, n);
    for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) expect(a[j * n + i]).toBe(a[i * n + j]);
    const form = reference.tridiagonalise(at(a, n, n));
    d.set(form.diagonal);
    e.set(form.offDiagonal);
    tau.set(form.scales);
    // the rest of a row of reflectors is left over from the reduction
    form.reflectors.data.forEach((value, k) => (a[k] = k % n > Math.floor(k / n) + 1 ? value : 7));
  },
  dormtr: (
    side: unknown,
    triangle: unknown,
    op: unknown,
    rows: unknown,
    columns: unknown,
    reflectors: Float64Array,
    lda: unknown,
    tau: Float64Array,
    c: Float64Array,
    ldc: unknown,
    work: unknown,
    length: unknown,
  ) => {
    const [m, n] = [int(rows), int(columns)];
    expect([is(side, "R"), is(triangle, "L"), int(lda), int(ldc)]).toEqual([true, true, n, m]);
    enough(work, length, m);
    // columns of Bᵀ are rows of B: (Bᵀ Q)ᵀ = QᵀB
    addon.applyReflectors(n, m, reflectors, tau, c, is(op, "N"));
  },
  dsterf: (size: unknown, d: Float64Array, e: Float64Array) => {
    expect([int(size), e.length]).toEqual([d.length, d.length - 1]);
    d.set(reference.tridiagonalEigenvalues({ diagonal: d.slice(), offDiagonal: e.slice() }));
  },
  dstedc: (
    job: unknown,
    size: unknown,
    d: Float64Array,
    e: Float64Array,
    z: Float64Array,
    ldz: unknown,
    work: unknown,
    length: unknown,
    integers: unknown,
    count: unknown,
  ) => {
    const n = int(size);
    expect([is(job, "I"), int(ldz)]).toEqual([true, n]);
    enough(work, length, 1 + 4 * n + n * n);
    enough(integers, count, 3 + 5 * n);
    const { values, vectors } = reference.tridiagonalEigen({ diagonal: d.slice(), offDiagonal: e.slice() });
    d.set(values);
    z.set(transpose(vectors).data);
  },
  dsyevd: (
    job: unknown,
    triangle: unknown,
    size: unknown,
    a: Float64Array,
    lda: unknown,
    w: Float64Array,
    work: unknown,
    length: unknown,
    integers: unknown,
    count: unknown,
  ) => {
    const n = int(size);
    expect([is(job, "V"), is(triangle, "U"), int(lda)]).toEqual([true, true, n]);
    enough(work, length, 1 + 6 * n + 2 * n * n);
    enough(integers, count, 3 + 5 * n);
    const { values, vectors } = reference.symmetricEigen(mirrored(n, a));
    w.set(values);
    a.set(transpose(vectors).data);
  },
};

describe("OpenBLAS", () => {
  it("is handed every matrix with its sizes, its order and its letters, and the threads that it may use", () => {
    const kernels = createOpenBlasBackend()!;
    expect(kernels.name).toBe("openblas");
    agrees(kernels);
    createOpenBlasBackend({ threads: 3, path: "/x.so" });
    expect([threads, opened]).toEqual([
      [1, 3],
      [undefined, ["/x.so"]],
    ]);
    for (const name of ["map", "symmetricKernel", "crossKernel", "normalBlock"] as const) expect(kernels[name]).toBeTypeOf("function");
  });

  it("that reports a failure is not believed", () => {
    const kernels = createOpenBlasBackend()!;
    const real = blas.dsyevd!;
    blas.dsyevd = ((...values: unknown[]) => ((values[10] as Int32Array)[0] = 4)) as Routine;
    expect(() => kernels.symmetricEigen(symmetric)).toThrow("LAPACK dsyevd reports 4");
    blas.dsyevd = real;
    // sizes of nothing are not asked about
    expect(kernels.multiply(at(new Float64Array(0), 0, 3), wide, "none").shape).toEqual([0, 7]);
    expect(kernels.gram(at(new Float64Array(0), 3, 0))).toEqual(at(new Float64Array(9), 3, 3));
  });
});
