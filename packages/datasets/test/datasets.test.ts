import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FinitewidthError, matrixFromRows, rowsOf } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  encodeLabels,
  loadDataFile,
  loadDataset,
  loadIris,
  loadMnist,
  readCsv,
  readIdx,
  resizeByArea,
  standardisation,
  standardise,
} from "../src/index.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-data-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("MNIST", () => {
  it("has the known numbers of digits", async () => {
    const { labels, height, width, pixels } = await loadMnist("train");
    expect([height, width, pixels.length, labels.length]).toEqual([28, 28, 47_040_000, 60_000]);
    const counts = Array.from({ length: 10 }, () => 0);
    labels.forEach((label) => counts[label]!++);
    expect(counts).toEqual([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
  });

  it("gives seeded splits with ±1 labels, standardised over the training pixels", async () => {
    const request = { dataset: "mnist", classes: [0, 1], train: 60, test: 10, size: [7, 7], seed: 3 };
    const [a, b, longer] = [await loadDataset(request), await loadDataset(request), await loadDataset({ ...request, train: 80 })];
    expect(a).toEqual(b);
    expect(a.train.inputs.shape).toEqual([60, 49]);
    expect(new Set(a.train.targets.data)).toEqual(new Set([-1, 1]));
    expect(a.train.inputs.data.reduce((sum, x) => sum + x, 0) / 2940).toBeCloseTo(0, 12);
    expect(a.train.inputs.data.reduce((sum, x) => sum + x * x, 0) / 2940).toBeCloseTo(1, 12);
    expect(longer.train.targets.data.slice(0, 60)).toEqual(a.train.targets.data);
    expect((await loadDataset({ ...request, seed: 4 })).train.inputs.data).not.toEqual(a.train.inputs.data);
  });

  it("gives one output per class for more than two classes", async () => {
    const { train } = await loadDataset({ dataset: "mnist", classes: [2, 5, 7], train: 30, test: 0, seed: 1 });
    expect(train.targets.shape).toEqual([30, 3]);
    for (const row of rowsOf(train.targets)) expect(row.toSorted()).toEqual([0, 0, 1]);
  });

  it.each([
    [{ dataset: "cifar" }, /^data\.dataset: expected one of "mnist", "iris", got "cifar"/],
    [{ classes: [0] }, /^data\.classes: expected at least two classes/],
    [{ classes: [0, 12] }, /^data\.classes\[1\]: expected different classes 0 … 9, got 12/],
    [{ train: 100_000 }, /^data\.train: expected at most 12665 points of these classes/],
    [{ classes: [0, 1, 2], labels: "sign" as const }, /^data\.labels: expected "one-hot" for 3 classes/],
  ])("names what is wrong (%#)", async (change, message) => {
    await expect(loadDataset({ dataset: "mnist", classes: [0, 1], train: 5, test: 0, seed: 1, ...change })).rejects.toThrow(message);
  });
});

describe("iris", () => {
  it("holds 50 flowers of each species", async () => {
    const { inputs, labels } = loadIris();
    expect(inputs.shape).toEqual([150, 4]);
    expect([0, 1, 2].map((species) => labels.filter((label) => label === species).length)).toEqual([50, 50, 50]);
    const split = await loadDataset({ dataset: "iris", train: 100, test: 50, seed: 1 });
    expect(split.test?.targets?.shape).toEqual([50, 3]);
  });
});

describe("images", () => {
  it("area averaging keeps the mean and is exact for whole blocks", () => {
    const image = Float64Array.from({ length: 28 * 28 }, (_, i) => Math.sin(i) + 2);
    const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
    for (const [h, w] of [
      [7, 7],
      [10, 10],
      [28, 28],
      [3, 5],
      [1, 1],
      [40, 40],
    ] as const)
      expect(mean(resizeByArea(image, 28, 28, h, w))).toBeCloseTo(mean(image), 12);
    expect([...resizeByArea([1, 2, 3, 4], 2, 2, 1, 2)]).toEqual([2, 3]);
  });

  it("idx files that are cut short are refused", () => {
    expect(readIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9))).toEqual({ shape: [2], data: Uint8Array.of(7, 9) });
    expect(() => readIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 3, 7, 9), "x")).toThrow("x: truncated: 3 bytes announced, 2 present");
    expect(() => readIdx(Uint8Array.of(1, 2, 3, 4), "x")).toThrow("x: not an idx file");
  });
});

describe("preprocessing", () => {
  it("standardises by feature and leaves constant features finite", () => {
    const x = matrixFromRows([
      [1, 5],
      [3, 5],
    ]);
    expect(rowsOf(standardise(x, standardisation(x, "feature")))).toEqual([
      [-1, 0],
      [1, 0],
    ]);
  });
  it("encodes labels", () => {
    expect([...encodeLabels([3, 8, 3], [3, 8], "sign").data]).toEqual([-1, 1, -1]);
    expect(rowsOf(encodeLabels([8, 3], [3, 8], "one-hot"))).toEqual([
      [0, 1],
      [1, 0],
    ]);
  });
});

describe("data files", () => {
  const write = async (name: string, content: string | Uint8Array): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, content);
    return file;
  };

  it("reads npz", async () => {
    const [x, y] = [
      matrixFromRows([
        [1, 2],
        [3, 4],
      ]),
      matrixFromRows([[1], [0]]),
    ];
    const split = await loadDataFile(await write("a.npz", encodeNpz({ x_train: x, y_train: { data: y.data, shape: [2] }, x_test: x })));
    expect(split).toEqual({ train: { inputs: x, targets: y }, test: { inputs: x } });
  });

  it("reads csv with targets and a split column", async () => {
    const split = await loadDataFile(await write("a.csv", "a,split,y\n1,0,5\n2,1,6\n3,0,7\n"));
    expect(split.train).toEqual({ inputs: matrixFromRows([[1], [3]]), targets: matrixFromRows([[5], [7]]) });
    expect(split.test).toEqual({ inputs: matrixFromRows([[2]]), targets: matrixFromRows([[6]]) });
    expect(readCsv("1;2\n3;4").values).toEqual(
      matrixFromRows([
        [1, 2],
        [3, 4],
      ]),
    );
  });

  it("names the file and the place when something is wrong", async () => {
    await expect(loadDataFile(join(folder, "missing.npz"))).rejects.toThrow(/^data\.file: cannot read .*missing\.npz \(ENOENT\)/);
    await expect(loadDataFile(await write("b.npz", "not a zip"))).rejects.toThrow(/^data\.file: not a readable \.npz file/);
    await expect(loadDataFile(await write("c.npz", encodeNpz({ x_train: matrixFromRows([[1]]) })))).rejects.toThrow(
      /has no array "y_train"/,
    );
    await expect(
      loadDataFile(await write("d.npz", encodeNpz({ x_train: matrixFromRows([[Number.NaN]]), y_train: matrixFromRows([[1]]) }))),
    ).rejects.toThrow("data.file:x_train[0][0]: expected a finite number, got NaN");
    await expect(loadDataFile(await write("b.csv", "a,y\n1,2\n3,x\n"))).rejects.toThrow(
      /line 3, column 2: expected a finite number, got "x"/,
    );
    await expect(loadDataFile(join(folder, "a.csv").replace("a.csv", "a.txt"))).rejects.toBeInstanceOf(FinitewidthError);
  });
});
