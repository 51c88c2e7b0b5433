import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { createThreadedWasmBackend, createWasmBackend, type Backend, type ThreadedBackend } from "../src/index.js";
import { startThreadPool } from "../src/wasm/thread-pool.js";
import { maxDifference, randomMatrix, randomPositive, randomSymmetric } from "./matrices.js";

describe("threaded backend", () => {
  const one = createWasmBackend()!;
  const threaded: ThreadedBackend[] = [];
  beforeAll(async () => {
    for (const count of [2, 3]) threaded.push((await createThreadedWasmBackend(count))!);
  });
  afterAll(() => {
    for (const { close } of threaded) close();
  });
  it("gives the numbers of one thread, bit for bit", () => {
    // Sizes on either side of every one from which work is shared, or shared in more pieces
    const [a, b] = [randomMatrix(403, 331, 1), randomMatrix(331, 275, 2)];
    const [wide, flat] = [randomMatrix(37, 1100, 3), randomMatrix(1100, 1030, 4)];
    const positive = randomPositive(451, 451, 1, 5);
    const symmetric = randomSymmetric(330, 6);
    const large = randomSymmetric(661, 7);
    const results = (kernels: Backend) => {
      const factorised = kernels.cholesky(positive);
      const factor = "factor" in factorised ? factorised.factor : positive;
      const { values, vectors } = kernels.symmetricEigen(symmetric);
      const reduced = kernels.tridiagonalise(large);
      return [
        kernels.multiply(a, b, "none").data,
        kernels.multiply(a, a, "left").data,
        kernels.multiply(a, a, "right").data,
        kernels.multiply(wide, flat, "none").data,
        kernels.gram(a).data,
        factor.data,
        kernels.solveTriangular(factor, randomMatrix(451, 201, 8), false).data,
        kernels.solveTriangular(factor, randomMatrix(451, 201, 8), true).data,
        values,
        vectors.data,
        reduced.diagonal,
        reduced.offDiagonal,
        reduced.reflectors.data,
        kernels.applyReflectors(reduced, randomMatrix(661, 150, 9), true).data,
      ];
    };
    const expected = results(one);
    for (const { backend } of threaded)
      results(backend).forEach((numbers, i) => expect(maxDifference(numbers, expected[i]!), `result ${i}`).toBe(0));
  });
  it("is done with small jobs many times over", () => {
    const a = randomMatrix(110, 100, 10);
    const expected = one.gram(a).data;
    for (const { backend } of threaded) for (let i = 0; i < 300; i++) expect(maxDifference(backend.gram(a).data, expected)).toBe(0);
  });
  it("does every chunk once, and throws when one has stopped, but not for the next job", async () => {
    const taken: number[] = [];
    const runChunk = (chunk: number): void => {
      taken.push(chunk);
      if (taken.length === 2) throw new Error("unreachable");
    };
    const pool = (await startThreadPool(undefined as never, undefined as never, { runChunk } as never, 1))!;
    expect(() => pool.fork(3)).toThrow("a WebAssembly kernel stopped");
    pool.fork(4);
    expect(taken).toEqual([0, 1, 2, 0, 1, 2, 3]);
    pool.close();
  });
  it("refuses a number of threads that is none", async () => {
    await expect(createThreadedWasmBackend(0)).rejects.toThrow(/threads: expected an integer from 1 to 64, got 0/);
  });
  it("is undefined where memory cannot be shared", async () => {
    const original = globalThis.SharedArrayBuffer;
    Reflect.deleteProperty(globalThis, "SharedArrayBuffer");
    try {
      expect(await createThreadedWasmBackend(2)).toBeUndefined();
    } finally {
      globalThis.SharedArrayBuffer = original;
    }
  });
  it("is undefined where the memory cannot be had or the kernels may not be compiled", async () => {
    for (const error of [new RangeError("no memory"), new WebAssembly.CompileError("forbidden")]) {
      const compile = vi.spyOn(WebAssembly, "compile").mockRejectedValue(error);
      expect(await createThreadedWasmBackend(2)).toBeUndefined();
      compile.mockRestore();
    }
  });
});
