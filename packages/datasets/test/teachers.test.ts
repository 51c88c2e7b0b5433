import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRegistry, validate, type DataSplit } from "@finitewidth/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { plugin } from "../src/index.js";

const registry = createRegistry([plugin]);
const load = async (request: { readonly dataset: string; readonly [key: string]: unknown }): Promise<DataSplit> => {
  const { schema, load: read } = registry.dataset(request.dataset);
  return read(validate(schema!, request, "data"), "data");
};

describe("teachers", () => {
  it("the linear one is linear, of variance about 1, the same for any number of points", async () => {
    const { train, test } = await load({ dataset: "linear-teacher", train: 300, test: 20, features: 4, seed: 2 });
    // normal equations: residual of the best linear map
    const [n, f] = train.inputs.shape;
    const X = train.inputs.data;
    const A = Array.from({ length: f }, (_, i) => Array.from({ length: f }, (_, j) => sum(n, (mu) => X[mu * f + i]! * X[mu * f + j]!)));
    const b = Array.from({ length: f }, (_, i) => sum(n, (mu) => X[mu * f + i]! * train.targets.data[mu]!));
    const w = solve(A, b);
    const fitted = (data: Float64Array, mu: number): number => sum(f, (i) => w[i]! * data[mu * f + i]!);
    for (let mu = 0; mu < 20; mu++) expect(fitted(test!.inputs.data, mu)).toBeCloseTo(test!.targets!.data[mu]!, 9);
    const mean = sum(f, (i) => w[i]! ** 2);
    // |w|²/N0 of 4 standard normals: between the 0.01 % quantiles of χ²/4
    expect(mean).toBeGreaterThan(0.01);
    expect(mean).toBeLessThan(6);
    const fewer = await load({ dataset: "linear-teacher", train: 3, features: 4, seed: 2 });
    expect(fewer.train.targets.data).toEqual(train.targets.data.slice(0, 3));
  });

  it("that of one hidden layer is not, and odd for tanh; noise is on the training targets only", async () => {
    const request = { dataset: "hidden-layer-teacher", features: 3, hidden: 2, test: 50, seed: 4 };
    const clean = await load({ ...request, train: 2000 });
    const noisy = await load({ ...request, train: 2000, noise: 0.5 });
    expect(noisy.test!.targets).toEqual(clean.test!.targets);
    const variance = sum(2000, (mu) => (noisy.train.targets.data[mu]! - clean.train.targets.data[mu]!) ** 2) / 2000;
    expect(Math.abs(variance / 0.25 - 1)).toBeLessThan(4 * Math.sqrt(2 / 2000));
    const signs = await load({ ...request, train: 50, labels: "sign" });
    expect([...signs.train.targets.data]).toEqual(Array.from(clean.train.targets.data.slice(0, 50), (y) => (y < 0 ? -1 : 1)));
    await expect(load({ ...request, train: 5, activation: "sine" })).rejects.toThrow(/data\.activation/);
  });
});

describe("images from files", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "finitewidth-images-"));
    const record = (label: number, shade: number): Uint8Array => {
      const bytes = new Uint8Array(3073).fill(shade);
      bytes[0] = label;
      bytes.fill(255, 1, 1 + 1024); // red
      return bytes;
    };
    const batch = Buffer.concat([record(0, 10), record(1, 200), record(2, 90)]);
    for (let k = 1; k <= 5; k++) await writeFile(join(folder, `data_batch_${k}.bin`), batch);
    await writeFile(join(folder, "test_batch.bin"), batch);
    const images = Buffer.alloc(16 + 4 * 6);
    images.set([0, 0, 8, 3]);
    [4, 2, 3].forEach((n, k) => images.writeUInt32BE(n, 4 + 4 * k));
    for (let i = 0; i < 24; i++) images[16 + i] = 10 * Math.floor(i / 6) + (i % 6);
    await writeFile(join(folder, "images"), images);
    await writeFile(join(folder, "labels"), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 0, 1));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("CIFAR-10: channels one after the other, resized each by itself", async () => {
    const { train, test } = await load({ dataset: "cifar10", folder, classes: [0, 1], train: 10, test: 2, size: [2, 2], seed: 1 });
    expect(train.inputs.shape).toEqual([10, 12]);
    expect(test!.inputs.shape).toEqual([2, 12]);
    for (let mu = 0; mu < 10; mu++) {
      const row = train.inputs.data.subarray(12 * mu, 12 * (mu + 1));
      const [red, green, blue] = [0, 4, 8].map((c) => row.subarray(c, c + 4));
      for (const channel of [red!, green!, blue!]) expect(new Set(channel).size).toBe(1);
      expect(red![0]).toBeGreaterThan(green![0]!);
      expect(green![0]).toBe(blue![0]);
      // class 1 is the brighter one
      expect(green![0]! > 0).toBe(train.targets.data[mu]! > 0);
    }
  });

  it("CIFAR-10: says what is wrong", async () => {
    await expect(load({ dataset: "cifar10", folder: join(folder, "no"), train: 1 })).rejects.toThrow(/data\.folder/);
    await writeFile(join(folder, "test_batch.bin"), new Uint8Array(100));
    await expect(load({ dataset: "cifar10", folder, train: 1, test: 1 })).rejects.toThrow(/expected records of 3073 bytes/);
  });

  it("idx: any resolution", async () => {
    const files = { images: join(folder, "images"), imageLabels: join(folder, "labels") };
    const { train } = await load({ dataset: "idx", ...files, train: 4, seed: 1 });
    expect(train.inputs.shape).toEqual([4, 6]);
    expect([...train.targets.data].sort()).toEqual([-1, -1, 1, 1]);
    expect((await load({ dataset: "idx", ...files, train: 4, size: [1, 3] })).train.inputs.shape).toEqual([4, 3]);
    await expect(load({ dataset: "idx", ...files, train: 4, test: 1 })).rejects.toThrow(/data\.test: expected 0 without testImages/);
    await expect(load({ dataset: "idx", images: files.imageLabels, imageLabels: files.imageLabels, train: 1 })).rejects.toThrow(
      /data\.images: expected images × height × width/,
    );
  });
});

const sum = (count: number, of: (i: number) => number): number => Array.from({ length: count }, (_, i) => of(i)).reduce((a, b) => a + b, 0);

/** Gaussian elimination, for a few unknowns. */
function solve(matrix: number[][], right: number[]): number[] {
  const a = matrix.map((row, i) => [...row, right[i]!]);
  const n = a.length;
  for (let k = 0; k < n; k++)
    for (let i = 0; i < n; i++) {
      if (i === k) continue;
      const factor = a[i]![k]! / a[k]![k]!;
      for (let j = k; j <= n; j++) a[i]![j]! -= factor * a[k]![j]!;
    }
  return a.map((row, i) => row[n]! / row[i]!);
}
