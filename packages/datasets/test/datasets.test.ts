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

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

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

  it("chooses the same images for a seed in every version, test images by a stream of their own", async () => {
    const { train, test } = await loadDataset({ dataset: "mnist", classes: [3, 8], train: 5, test: 5, seed: 1 });
    const sums = ({ data, shape: [rows, columns] }: typeof train.inputs) =>
      Array.from({ length: rows }, (_, i) => data.subarray(i * columns, (i + 1) * columns).reduce((a, b) => a + b, 0));
    [86.643, -98.017, 5.3, -95.675, 101.749].forEach((sum, i) => expect(sums(train.inputs)[i]).toBeCloseTo(sum, 2));
    [107.294, 211.059, -190.401, 15.371, -103.173].forEach((sum, i) => expect(sums(test!.inputs)[i]).toBeCloseTo(sum, 2));
    expect([...test!.targets!.data]).toEqual([-1, -1, -1, 1, 1]);
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
    [{ dataset: "constructor" }, /^data\.dataset: expected one of "mnist", "iris", got "constructor"/],
    [{ dataset: "__proto__" }, /^data\.dataset: expected one of "mnist", "iris", got "__proto__"/],
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

  it("training and test rows are each flower once; both are standardised by the training rows", async () => {
    const { train, test } = await loadDataset({ dataset: "iris", train: 100, test: 50, seed: 7 });
    const { inputs, labels } = loadIris();
    const moments = Array.from({ length: 4 }, (_, j) => {
      const column = rowsOf(train.inputs).map((row) => row[j]!);
      const mean = column.reduce((sum, x) => sum + x, 0) / 100;
      return [mean, column.reduce((sum, x) => sum + (x - mean) ** 2, 0) / 100];
    });
    for (const [mean, variance] of moments) {
      expect(mean).toBeCloseTo(0, 12);
      expect(variance).toBeCloseTo(1, 12);
    }
    // Undoing one affine map for both parts gives the 150 flowers, measurements and species, each once.
    const all = [...rowsOf(train.inputs), ...rowsOf(test!.inputs)];
    const species = [...rowsOf(train.targets), ...rowsOf(test!.targets!)].map((row) => row.indexOf(1));
    const raw = rowsOf(inputs);
    const scale = [0, 1, 2, 3].map((j) => {
      const range = (rows: number[][]) => Math.max(...rows.map((row) => row[j]!)) - Math.min(...rows.map((row) => row[j]!));
      const slope = range(raw) / range(all);
      return [slope, Math.min(...raw.map((row) => row[j]!)) - slope * Math.min(...all.map((row) => row[j]!))] as const;
    });
    const key = (row: readonly number[], label: number) => `${row.map((value) => value.toFixed(6)).join(" ")} ${label}`;
    const restored = all.map((row, i) =>
      key(
        row.map((value, j) => value * scale[j]![0] + scale[j]![1]),
        species[i]!,
      ),
    );
    expect(restored.toSorted()).toEqual(raw.map((row, i) => key(row, labels[i]!)).toSorted());
  });

  it("MNIST's test rows come from its test images, standardised by the training images", async () => {
    const request = { dataset: "mnist", classes: [3, 8], train: 40, test: 30, size: [28, 28], seed: 5 };
    const { train, test } = await loadDataset(request);
    const images = await loadMnist("test");
    const known = new Set<string>();
    for (let i = 0; i < images.labels.length; i++)
      if ([3, 8].includes(images.labels[i]!)) known.add(`${images.labels[i]} ${images.pixels.subarray(784 * i, 784 * (i + 1)).join()}`);
    // Background pixels are 0 and the brightest are 255 in both parts, so one affine map restores the bytes of both.
    const [low, high] = train.inputs.data.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, -Infinity]);
    rowsOf(test!.inputs).forEach((row, i) => {
      const bytes = row.map((value) => Math.round((255 * (value - low)) / (high - low)));
      expect(known.has(`${test!.targets!.data[i] === -1 ? 3 : 8} ${bytes.join()}`)).toBe(true);
    });
  });
});

describe("images", () => {
  it("area averaging keeps the mean and is exact for whole blocks", () => {
    const image = Float64Array.from({ length: 28 * 28 }, (_, i) => Math.sin(i) + 2);
    for (const [h, w] of [
      [7, 7],
      [10, 10],
      [28, 28],
      [3, 5],
      [1, 1],
      [40, 40],
    ] as const)
      expect(mean([...resizeByArea(image, 28, 28, h, w)])).toBeCloseTo(mean([...image]), 12);
    expect([...resizeByArea([1, 2, 3, 4], 2, 2, 1, 2)]).toEqual([2, 3]);
    expect([...resizeByArea([1, 2, 3, 4], 2, 2, 2, 1)]).toEqual([1.5, 3.5]);
    // height 2, width 3: [[0, 1, 2], [3, 4, 5]] to height 1, width 3 and to height 2, width 1
    expect([...resizeByArea([0, 1, 2, 3, 4, 5], 2, 3, 1, 3)]).toEqual([1.5, 2.5, 3.5]);
    [...resizeByArea([0, 1, 2, 3, 4, 5], 2, 3, 2, 1)].forEach((value, i) => expect(value).toBeCloseTo([1, 4][i]!, 12));
  });

  it("`size` is [height, width]: rows of an image stay rows", async () => {
    const request = { dataset: "mnist", classes: [1, 7], train: 20, test: 0, seed: 2 };
    const whole = rowsOf((await loadDataset(request)).train.inputs);
    const wide = rowsOf((await loadDataset({ ...request, size: [4, 28] })).train.inputs);
    // Block means of seven rows each; standardisation is one affine map over all pixels, fixed by two of them.
    const blocks = whole.map((image) =>
      Array.from({ length: 4 * 28 }, (_, k) =>
        mean(Array.from({ length: 7 }, (_, r) => image[(7 * Math.floor(k / 28) + r) * 28 + (k % 28)]!)),
      ),
    );
    const [flat, got] = [blocks.flat(), wide.flat()];
    const [a, b] = [flat.indexOf(Math.min(...flat)), flat.indexOf(Math.max(...flat))];
    const slope = (got[b]! - got[a]!) / (flat[b]! - flat[a]!);
    flat.forEach((value, k) => expect(got[k]).toBeCloseTo(got[a]! + slope * (value - flat[a]!), 9));
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

  it("reads sequences and one array of attention maps per head behind them", async () => {
    const tensor = (shape: number[], from: number) => ({
      data: Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => from + i),
      shape,
    });
    const arrays = {
      x_train: tensor([2, 2, 1], 1),
      y_train: tensor([2], 0),
      maps_train_2_1: tensor([2, 2], 50),
      maps_train_1_2: tensor([2, 2, 2], 20),
      maps_train_1_1: tensor([2, 2, 2], 10),
    };
    const { train } = await loadDataFile(await write("maps.npz", encodeNpz(arrays)));
    expect(train.inputs).toEqual(
      matrixFromRows([
        [1, 2, 10, 11, 12, 13, 20, 21, 22, 23, 50, 51, 52, 53],
        [3, 4, 14, 15, 16, 17, 24, 25, 26, 27, 50, 51, 52, 53],
      ]),
    );
    const { maps_train_1_1: _, ...missing } = arrays;
    await expect(loadDataFile(await write("gap.npz", encodeNpz(missing)))).rejects.toThrow(
      'data.file:maps_train_1_2: expected an array maps_train_1_1 before it, got "none"',
    );
    const short = { ...arrays, maps_train_1_1: tensor([1, 2, 2], 0) };
    await expect(loadDataFile(await write("short.npz", encodeNpz(short)))).rejects.toThrow(
      "data.file:maps_train_1_1: expected 2 × tokens × tokens, or tokens × tokens, numbers, got 1 × 2 × 2",
    );
  });

  it("reads csv with targets and a split column", async () => {
    const split = await loadDataFile(await write("a.csv", "a,split,y\n1,0,5\n2,1,6\n3,0,7\n"));
    expect(split.train).toEqual({ inputs: matrixFromRows([[1], [3]]), targets: matrixFromRows([[5], [7]]) });
    expect(split.test).toEqual({ inputs: matrixFromRows([[2]]), targets: matrixFromRows([[6]]) });
    // without a name for the target it is the last column, that of the split aside
    expect(await loadDataFile(await write("b.csv", "a,b,Split\n1,5,0\n2,6,1\n3,7,0\n"))).toEqual(split);
    expect(readCsv("1;2\n3;4").values).toEqual(
      matrixFromRows([
        [1, 2],
        [3, 4],
      ]),
    );
  });

  it("reads names of classes: ±1 for two, one-hot for more, in alphabetical order", async () => {
    const two = await loadDataFile(await write("two.csv", "a,y\n1,dog\n2,cat\n3,dog\n"));
    expect(two.train.targets).toEqual(matrixFromRows([[1], [-1], [1]]));
    expect(two.classes).toEqual(["cat", "dog"]);
    const three = await loadDataFile(
      await write("three.csv", "kind,a,split\neel,1,0\ncat,2,0\ndog,3,0\ncat,4,1\n".replace("kind", "target")),
    );
    expect(three.train.targets).toEqual(
      matrixFromRows([
        [0, 0, 1],
        [1, 0, 0],
        [0, 1, 0],
      ]),
    );
    expect(three.test!.targets).toEqual(matrixFromRows([[1, 0, 0]]));
    expect(three.classes).toEqual(["cat", "dog", "eel"]);
    const unseen = await write("unseen.csv", "a,y,split\n1,cat,0\n2,dog,0\n3,eel,1\n");
    await expect(loadDataFile(unseen)).rejects.toThrow(
      /line 4, column y: expected one of the classes cat, dog of the training rows, got "eel"/,
    );
    await expect(loadDataFile(await write("one.csv", "a,y\n1,cat\n2,cat\n"))).rejects.toThrow(
      /at least two classes to train on, got "cat" alone/,
    );
    await expect(loadDataFile(await write("text.csv", "a,y\nred,1\nblue,2\n"))).rejects.toThrow(/column a: expected numbers, got "blue"/);
    await expect(loadDataFile(await write("mixed.csv", "a,y\n1,cat\n2,3\n"))).rejects.toThrow(
      /line 2, column 2: expected a finite number, got "cat"/,
    );
  });

  it("names the file and the place when something is wrong", async () => {
    await expect(loadDataFile(join(folder, "missing.npz"))).rejects.toThrow(
      /^data\.file: cannot read .*missing\.npz \(no such file or folder\)/,
    );
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
