import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRegistry, matrixFromRows, rowsOf, validate, type DataSplit, type Matrix } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadDataFile, loadDataset, plugin, readCsv, readDataFile, resizeByArea } from "../src/index.js";

const registry = createRegistry([plugin]);
const load = async (request: { readonly dataset: string; readonly [key: string]: unknown }): Promise<DataSplit> => {
  const { schema, load: read } = registry.dataset(request.dataset);
  return read(schema ? validate(schema, request, "data") : request, "data");
};
let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-requests-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("what a request leaves out", () => {
  it("hidden-markov: 8 tokens, 4 features, switching 0.2 and 0.8, noise 0.3, positions, signs, seed 1, no test rows", async () => {
    const long = { tokens: 8, features: 4, switching: [0.2, 0.8], noise: 0.3, positions: true, labels: "sign", seed: 1, test: 0 };
    const short = await load({ dataset: "hidden-markov", train: 3 });
    expect(short).toEqual(await load({ dataset: "hidden-markov", train: 3, ...long }));
    expect(short.train.inputs.shape).toEqual([3, 8 * 12]);
    for (const [key, value] of Object.entries({ noise: 0.4, switching: [0.7, 0.3], seed: 2, features: 5, tokens: 7, positions: false }))
      expect((await load({ dataset: "hidden-markov", train: 9, ...long, [key]: value })).train.inputs, key).not.toEqual(
        (await load({ dataset: "hidden-markov", train: 9, ...long })).train.inputs,
      );
  });

  it("digit-patches: 8 × 8 in patches of 4 × 4, all ten digits, named", async () => {
    const short = await load({ dataset: "digit-patches", train: 4, test: 2 });
    expect(short).toEqual(await load({ dataset: "digit-patches", train: 4, test: 2, size: [8, 8], patch: [4, 4], labels: "one-hot", seed: 1 })); // prettier-ignore
    expect([short.train.inputs.shape, short.train.targets.shape, short.test!.inputs.shape]).toEqual([
      [4, 64],
      [4, 10],
      [2, 64],
    ]);
    expect((await load({ dataset: "digit-patches", train: 4, classes: [7, 1] })).classes).toEqual(["7", "1"]);
  });

  it("iris and MNIST by the registry are those of the library, errors named by the path", async () => {
    const request = { classes: [2, 1], train: 5, test: 3, seed: 4 };
    expect(await load({ dataset: "iris", ...request })).toEqual(await loadDataset({ dataset: "iris", ...request }));
    await expect(registry.dataset("mnist").load({ dataset: "mnist", classes: [1], train: 1, test: 0, seed: 1 } as never, "x")).rejects.toThrow(/^x\.classes: /); // prettier-ignore
    await expect(loadDataset({ dataset: "iris", ...request, size: [2, 2] })).rejects.toThrow(/^data\.size: expected no size/);
    await expect(loadDataset({ dataset: "iris", ...request, train: 98 })).rejects.toThrow(/^data\.train: expected at most 100 points/);
    await expect(loadDataset({ dataset: "iris", ...request, classes: [1, 1] })).rejects.toThrow(/^data\.classes\[1\]: expected different classes 0 … 2, got 1/); // prettier-ignore
    await expect(loadDataset({ dataset: "mnist", ...request, test: 99_999 })).rejects.toThrow(/^data\.test: expected at most 2167 points/);
    const columns = await loadDataset({ dataset: "iris", ...request, labels: "one-hot" });
    const signs = await loadDataset({ dataset: "iris", ...request });
    expect(rowsOf(columns.train.targets)).toEqual([...signs.train.targets.data].map((y) => (y < 0 ? [1, 0] : [0, 1])));
  });
});

describe("images in files", () => {
  it("CIFAR-10: five files in their order, then the test file, with the names of the classes that are asked for", async () => {
    // file k has records of the classes k and k + 1, shades by place and channel
    const record = (label: number, shade: number): Uint8Array =>
      Uint8Array.from({ length: 3073 }, (_, i) => (i === 0 ? label : (shade + Math.floor((i - 1) / 1024) * 20 + ((i - 1) % 3)) % 256));
    const halves = [1, 2, 3, 4, 5].map((k) => [record(k, 10 * k), record(k + 1, 10 * k + 5)]);
    for (const [k, records] of halves.entries()) await writeFile(join(folder, `data_batch_${k + 1}.bin`), Buffer.concat(records));
    await writeFile(join(folder, "test_batch.bin"), Buffer.concat([record(3, 100), record(5, 130), record(2, 160)]));
    const { train, test, classes } = await load({ dataset: "cifar10", folder, classes: [5, 2, 3], train: 6, test: 3, seed: 2 });
    expect(classes).toEqual(["dog", "bird", "cat"]);
    // rows by their first pixel and class: undo the standardisation by two known shades
    const label = (row: number[]): number => [5, 2, 3][row.indexOf(1)]!;
    const first = (set: { readonly inputs: Matrix }) => rowsOf(set.inputs).map((row) => row[0]!);
    const known = [[2, 15], [2, 20], [3, 25], [3, 30], [5, 45], [5, 50]]; // prettier-ignore
    const rows = first(train)
      .map((value, i) => [label(rowsOf(train.targets)[i]!), value] as const)
      .toSorted(([, a], [, b]) => a - b);
    const slope = (rows[5]![1] - rows[0]![1]) / 35;
    expect(rows.map(([own, value]) => [own, Math.round(15 + (value - rows[0]![1]) / slope)])).toEqual(known);
    const shown = first(test!).map((value, i) => [label(rowsOf(test!.targets!)[i]!), Math.round(15 + (value - rows[0]![1]) / slope)]);
    expect(shown.toSorted(([, a], [, b]) => a! - b!)).toEqual([[3, 100], [5, 130], [2, 160]]); // prettier-ignore
    // channels behind one another, each 20 brighter
    const [image] = rowsOf(train.inputs);
    expect(Math.round((image![1024]! - image![0]!) / slope)).toBe(20 + (1024 % 3));
    expect(Math.round((image![2]! - image![0]!) / slope)).toBe(2);
  });

  it("idx: files that do not fit are named by their field", async () => {
    const idx = (shape: readonly number[]): Buffer => {
      const head = Buffer.alloc(4 + 4 * shape.length);
      head.set([0, 0, 8, shape.length]);
      shape.forEach((n, k) => head.writeUInt32BE(n, 4 + 4 * k));
      return Buffer.concat([head, Buffer.alloc(shape.reduce((a, b) => a * b), 1)]); // prettier-ignore
    };
    const file = async (name: string, shape: readonly number[]) => (await writeFile(join(folder, name), idx(shape)), join(folder, name));
    const [images, labels] = [await file("images", [3, 2, 2]), await file("labels", [2])];
    await expect(load({ dataset: "idx", images, imageLabels: labels, train: 1 })).rejects.toThrow(
      /^data\.imageLabels: expected 3 labels, one for each image in .*labels, got 2$/,
    );
    const good = await file("good", [3]);
    await expect(load({ dataset: "idx", images, imageLabels: good, testImages: images, testLabels: labels, train: 1, test: 1 })).rejects.toThrow(/^data\.testLabels: /); // prettier-ignore
    await expect(load({ dataset: "idx", images, imageLabels: good, testImages: images, train: 1, test: 1 })).rejects.toThrow(
      /^data\.test: /,
    );
  });

  it("area averaging weighs partly covered pixels by the part, rows and columns each by their own", () => {
    // 3 × 5 pixels to 2 × 2: cells of 1.5 × 2.5 pixels
    const image = [1, 4, 9, 16, 25, 2, 8, 3, 7, 1, 5, 0, 6, 2, 11];
    const at = (y: number, x: number): number => image[5 * y + x]!;
    const cell = (rows: [number, number][], columns: [number, number][]): number =>
      rows.reduce((sum, [y, wy]) => sum + columns.reduce((part, [x, wx]) => part + wy * wx * at(y, x), 0), 0) / (1.5 * 2.5);
    const [top, bottom]: [number, number][][] = [[[0, 1], [1, 0.5]], [[1, 0.5], [2, 1]]]; // prettier-ignore
    const [left, right]: [number, number][][] = [[[0, 1], [1, 1], [2, 0.5]], [[2, 0.5], [3, 1], [4, 1]]]; // prettier-ignore
    const expected = [cell(top!, left!), cell(top!, right!), cell(bottom!, left!), cell(bottom!, right!)];
    [...resizeByArea(image, 3, 5, 2, 2)].forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 12));
  });
});

describe("data files", () => {
  it("npz: four arrays each in its place, targets of several columns, maps of both halves, names in capitals", async () => {
    const tensor = (shape: number[], from: number) => ({
      data: Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => from + i),
      shape,
    });
    const arrays = { x_train: tensor([3, 2], 1), y_train: tensor([3, 2], 20), x_test: tensor([2, 2], 30), y_test: tensor([2, 2], 40) };
    const name = join(folder, "four.NPZ");
    await writeFile(name, encodeNpz(arrays));
    const expected = {
      train: { inputs: arrays.x_train, targets: arrays.y_train },
      test: { inputs: arrays.x_test, targets: arrays.y_test },
    };
    expect(await loadDataFile(name)).toEqual(expected);
    expect(readDataFile(encodeNpz(arrays), "four.npz")).toEqual(expected);
    const { x_train: _x, ...missing } = arrays;
    expect(() => readDataFile(encodeNpz(missing), "m.npz")).toThrow('m.npz has no array "x_train"');
    const maps = { maps_train_1_1: tensor([2, 2], 100), maps_test_1_1: tensor([2, 2, 2], 200) };
    const { train, test } = readDataFile(encodeNpz({ ...arrays, ...maps }), "maps.npz");
    expect(rowsOf(train.inputs)).toEqual([0, 1, 2].map((i) => [1 + 2 * i, 2 + 2 * i, 100, 101, 102, 103]));
    expect(rowsOf(test!.inputs)).toEqual(
      [0, 1].map((i) => [30 + 2 * i, 31 + 2 * i, ...[200, 201, 202, 203].map((value) => value + 4 * i)]),
    );
    const bad = { ...maps, maps_train_1_1: { data: Float64Array.of(1, 2, Number.NaN, 4), shape: [2, 2] } };
    expect(() => readDataFile(encodeNpz({ ...arrays, ...bad }), "b.npz")).toThrow(
      "data.file:maps_train_1_1: expected finite numbers, got NaN",
    );
    const two = { ...maps, maps_train_2_2: tensor([2, 2], 5) };
    expect(() => readDataFile(encodeNpz({ ...arrays, ...two }), "t.npz")).toThrow("expected an array maps_train_2_1 before it");
  });

  it("csv: names of rows beside names of classes, the last column as targets, splits, and classes of the training rows alone", () => {
    const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
    const table = readCsv(",a,kind,b\nr1,1,owl,2\nr2,3,ant,4\nr3,5,owl,6\n", "t", { texts: true });
    expect(table).toEqual({
      columns: ["a", "kind", "b"],
      values: matrixFromRows([[1, 1, 2], [3, 0, 4], [5, 1, 6]]), // prettier-ignore
      lines: [2, 3, 4],
      classes: [undefined, ["ant", "owl"], undefined],
    });
    expect(readDataFile(bytes("a,b,c\n1,2,3\n4,5,6\n"), "n.CSV")).toEqual({
      train: { inputs: matrixFromRows([[1, 2], [4, 5]]), targets: matrixFromRows([[3], [6]]) }, // prettier-ignore
    });
    const text = "y0,a,y1,b,split\n1,2,3,4,test\n5,6,7,8,train\n9,10,11,12,0\n";
    expect(readDataFile(bytes(text), "s.csv")).toEqual({
      train: { inputs: matrixFromRows([[6, 8], [10, 12]]), targets: matrixFromRows([[5, 7], [9, 11]]) }, // prettier-ignore
      test: { inputs: matrixFromRows([[2, 4]]), targets: matrixFromRows([[1, 3]]) },
    });
    const labels = "a,split,y\n1,0,owl\n2,1,ant\n3,0,ant\n4,0,bee\n5,1,bee\n";
    const { train, test, classes } = readDataFile(bytes(labels), "l.csv");
    expect([rowsOf(train.targets), rowsOf(test!.targets!), classes]).toEqual([
      [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
      [[1, 0, 0], [0, 1, 0]],
      ["ant", "bee", "owl"],
    ]); // prettier-ignore
    expect(() => readDataFile(bytes("a,y0,y1\n1,cat,2\n2,dog,3\n"), "m.csv")).toThrow(
      /m\.csv: column y0: expected numbers, or one column of class names as the only target, got "cat"/,
    );
    expect(() => readDataFile(bytes(""), "x.txt")).toThrow('data.file: expected a .npz or .csv file, got "x.txt"');
  });
});
