import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createThreadedWasmBackend, createWasmBackend, type Backend, type ThreadedBackend } from "../src/index.js";
import { shareRows } from "../src/wasm/thread-pool.js";
import { maxDifference, randomMatrix, randomPositive, randomSymmetric } from "./matrices.js";

describe("shareRows", () => {
  it("covers all rows in multiples of the tile height, triangles by area", () => {
    for (const part of [0, 1, 2]) {
      for (const [m, count] of [[1000, 3], [7, 4], [2, 5], [0, 2]] as const) {
        const bounds = shareRows(m, count, part);
        expect([bounds[0], bounds.at(-1)]).toEqual([0, m]);
        expect(bounds.every((bound, i) => i === 0 || bound >= bounds[i - 1]!)).toBe(true);
        expect(bounds.slice(0, -1).every((bound) => bound % 4 === 0 || bound === m)).toBe(true);
      }
    }
    expect(shareRows(1000, 2, 1)).toEqual([0, 708, 1000]);
    expect(shareRows(1000, 2, 2)).toEqual([0, 292, 1000]);
  });
});

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
    const [a, b] = [randomMatrix(403, 331, 1), randomMatrix(331, 275, 2)];
    const positive = randomPositive(450, 450, 1, 3);
    const symmetric = randomSymmetric(330, 4);
    const results = (kernels: Backend) => {
      const factorised = kernels.cholesky(positive);
      const { values, vectors } = kernels.symmetricEigen(symmetric);
      return [kernels.multiply(a, b, "none").data, kernels.gram(a).data, "factor" in factorised ? factorised.factor.data : [], values, vectors.data];
    };
    const expected = results(one);
    for (const { backend } of threaded) results(backend).forEach((numbers, i) => expect(maxDifference(numbers, expected[i]!)).toBe(0));
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
});
