import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRegistry, rowsOf, validate, type DataSplit, type Matrix } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeLabels, loadDataset, loadIris, loadMnist, plugin, readCifar, readIdx, standardisation, standardise } from "../src/index.js";

const registry = createRegistry([plugin]);
const load = async (request: { readonly dataset: string; readonly [key: string]: unknown }): Promise<DataSplit> => {
  const { schema, load: read } = registry.dataset(request.dataset);
  return read(validate(schema!, request, "data"), "data");
};
const sum = (count: number, of: (i: number) => number): number => Array.from({ length: count }, (_, i) => of(i)).reduce((a, b) => a + b, 0);
const close = (got: ArrayLike<number>, expected: readonly number[]): void => {
  expect(got.length).toBe(expected.length);
  expected.forEach((value, i) => expect(got[i], `entry ${i}`).toBeCloseTo(value, 10));
};

describe("targets of teachers, worked out again from their formula", () => {
  const inputsOf = (seed: number, part: number, count: number, features: number) =>
    Array.from({ length: count }, (_, mu) => {
      const random = stream(seed, part, mu);
      return { x: [...random.normals(new Float64Array(features))], noise: random.normal() };
    });

  it("y = w·x/√N0, noise on the training targets", async () => {
    const [seed, features, noise] = [9, 3, 0.7];
    const { train, test } = await load({ dataset: "linear-teacher", train: 4, test: 3, features, noise, seed });
    const w = stream(seed, 2).normals(new Float64Array(features));
    for (const [part, set, spread] of [
      [0, train, noise],
      [1, test!, 0],
    ] as const) {
      const points = inputsOf(seed, part, set.inputs.shape[0], features);
      close(
        set.inputs.data,
        points.flatMap(({ x }) => x),
      );
      close(
        set.targets!.data,
        points.map(({ x, noise: e }) => sum(features, (i) => w[i]! * x[i]!) / Math.sqrt(features) + spread * e),
      );
    }
  });

  it.each([
    ["tanh", Math.tanh],
    ["relu", (h: number) => (h > 0 ? h : 0)],
  ] as const)("y = Σ a φ(w·x/√N0)/√H for %s", async (activation, phi) => {
    const [seed, features, hidden] = [5, 4, 3];
    const { train } = await load({ dataset: "hidden-layer-teacher", train: 5, features, hidden, activation, seed });
    const random = stream(seed, 2);
    const w = random.normals(new Float64Array(hidden * features));
    const a = random.normals(new Float64Array(hidden));
    const answer = (x: readonly number[]): number =>
      sum(hidden, (k) => a[k]! * phi(sum(features, (i) => w[k * features + i]! * x[i]!) / Math.sqrt(features))) / Math.sqrt(hidden);
    close(
      train.targets.data,
      inputsOf(seed, 0, 5, features).map(({ x }) => answer(x)),
    );
  });

  it("defaults: 20 features, 3 tanh units, no noise, values, no test rows, seed 1", async () => {
    const short = await load({ dataset: "hidden-layer-teacher", train: 2 });
    const long = await load({
      dataset: "hidden-layer-teacher",
      train: 2,
      test: 0,
      features: 20,
      hidden: 3,
      activation: "tanh",
      noise: 0,
      labels: "value",
      seed: 1,
    });
    expect(short).toEqual(long);
    expect(short.test).toBeUndefined();
    const linear = await load({ dataset: "linear-teacher", train: 40, labels: "sign", noise: 0.1, seed: 3 });
    const values = await load({ dataset: "linear-teacher", train: 40, noise: 0.1, seed: 3 });
    expect([...linear.train.targets.data]).toEqual([...values.train.targets.data].map((y) => (y < 0 ? -1 : 1)));
  });
});

describe("hidden Markov sequences, drawn again", () => {
  it.each([true, false])("state, noise, position, class (positions: %s)", async (positions) => {
    const [seed, tokens, features, noise, switching] = [4, 5, 3, 0.6, [0.15, 0.9]];
    const { train, test } = await load({
      dataset: "hidden-markov",
      train: 6,
      test: 4,
      seed,
      tokens,
      features,
      noise,
      switching,
      positions,
    });
    for (const [part, set] of [train, test!].entries()) {
      const rows = rowsOf(set.inputs);
      rows.forEach((row, mu) => {
        const random = stream(seed, part, mu);
        const label = random.uniform() < 0.5 ? 0 : 1;
        expect(set.targets!.data[mu]).toBe(label === 0 ? -1 : 1);
        let state = random.uniform() < 0.5 ? 0 : 1;
        const expected: number[] = [];
        for (let i = 0; i < tokens; i++) {
          if (i > 0 && random.uniform() < switching[label]!) state = 1 - state;
          for (let f = 0; f < features; f++) expected.push((f === state ? 1 : 0) + (noise * random.normal()) / Math.sqrt(features));
          if (positions) for (let k = 0; k < tokens; k++) expected.push(k === i ? 1 : 0);
        }
        close(row, expected);
      });
    }
  });

  it("class 1 switches with the second probability; one-hot labels have a column a class", async () => {
    const request = { dataset: "hidden-markov", train: 40, tokens: 6, features: 2, switching: [0, 1], noise: 0, seed: 2 };
    const [signs, columns] = [await load(request), await load({ ...request, labels: "one-hot" })];
    rowsOf(signs.train.inputs).forEach((row, mu) => {
      const states = Array.from({ length: 6 }, (_, i) => row[i * 8]!);
      const alternates = states.every((state, i) => i === 0 || state !== states[i - 1]);
      expect(signs.train.targets.data[mu]).toBe(alternates ? 1 : -1);
      expect(rowsOf(columns.train.targets)[mu]).toEqual(alternates ? [0, 1] : [1, 0]);
    });
  });
});

/** x ↦ (x − mean)/sd of all entries of the training rows, or of each column. */
function standardised(train: number[][], rows: number[][], perColumn: boolean): number[] {
  const columns = train[0]!.map((_, j) => j);
  const of = (j: number): number[] => (perColumn ? train.map((row) => row[j]!) : train.flat());
  const moments = columns.map((j) => {
    const values = of(j);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    return [mean, Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length)] as const;
  });
  return rows.flatMap((row) => row.map((value, j) => (value - moments[j]![0]) / moments[j]![1]));
}
/** The seeded choice, written down again: Fisher–Yates over the candidates in the order of the file. */
function chosen(labels: ArrayLike<number>, classes: readonly number[], count: number, seed: number, index: number): number[] {
  const pool = Array.from(labels, (label, i) => [label, i] as const).flatMap(([label, i]) => (classes.includes(label) ? [i] : []));
  const random = stream(seed, index);
  const out: number[] = [];
  for (let k = 0; k < count; k++) {
    const j = k + Math.floor(random.uniform() * (pool.length - k));
    [pool[k], pool[j]] = [pool[j]!, pool[k]!];
    out.push(pool[k]!);
  }
  return out;
}

describe("points that are chosen, with their labels", () => {
  it("iris: standardised by feature, classes in the order of the request", async () => {
    const { inputs, labels } = loadIris();
    const raw = rowsOf(inputs);
    const { train, test } = await loadDataset({ dataset: "iris", classes: [2, 0], train: 12, test: 5, seed: 3 });
    const indices = chosen(labels, [2, 0], 17, 3, 0);
    const [first, rest] = [indices.slice(0, 12), indices.slice(12)];
    close(
      train.inputs.data,
      standardised(
        first.map((i) => raw[i]!),
        first.map((i) => raw[i]!),
        true,
      ),
    );
    close(
      test!.inputs.data,
      standardised(
        first.map((i) => raw[i]!),
        rest.map((i) => raw[i]!),
        true,
      ),
    );
    expect([...train.targets.data]).toEqual(first.map((i) => (labels[i] === 2 ? -1 : 1)));
    expect([...test!.targets!.data]).toEqual(rest.map((i) => (labels[i] === 2 ? -1 : 1)));
    const columns = await loadDataset({ dataset: "iris", classes: [2, 0, 1], train: 9, test: 0, seed: 3 });
    const three = chosen(labels, [2, 0, 1], 9, 3, 0);
    expect(rowsOf(columns.train.targets)).toEqual(three.map((i) => [2, 0, 1].map((label) => (labels[i] === label ? 1 : 0))));
    // measured once by hand: the first flower of the table, and one in the middle
    expect(raw[0]).toEqual([5.1, 3.5, 1.4, 0.2]);
    expect(raw[100]).toEqual([6.3, 3.3, 6, 2.5]);
    expect([labels[0], labels[50], labels[149]]).toEqual([0, 1, 2]);
  });

  it("MNIST: halves from their own files and streams, standardised by all training pixels", async () => {
    const [training, testing] = [await loadMnist("train"), await loadMnist("test")];
    const { train, test } = await loadDataset({ dataset: "mnist", classes: [7, 2, 5], train: 6, test: 4, seed: 8 });
    const pixels = (from: typeof training, i: number): number[] => [...from.pixels.subarray(784 * i, 784 * (i + 1))].map((v) => v / 255);
    const [own, others] = [chosen(training.labels, [7, 2, 5], 6, 8, 0), chosen(testing.labels, [7, 2, 5], 4, 8, 1)];
    const rows = own.map((i) => pixels(training, i));
    close(train.inputs.data, standardised(rows, rows, false));
    close(
      test!.inputs.data,
      standardised(
        rows,
        others.map((i) => pixels(testing, i)),
        false,
      ),
    );
    const column = (label: number): number[] => [7, 2, 5].map((one) => (one === label ? 1 : 0));
    expect(rowsOf(train.targets)).toEqual(own.map((i) => column(training.labels[i]!)));
    expect(rowsOf(test!.targets!)).toEqual(others.map((i) => column(testing.labels[i]!)));
  });
});

describe("image files", () => {
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-routes-"))));
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const idx = (shape: readonly number[], data: readonly number[]): Buffer => {
    const head = Buffer.alloc(4 + 4 * shape.length);
    head.set([0, 0, 8, shape.length]);
    shape.forEach((n, k) => head.writeUInt32BE(n, 4 + 4 * k));
    return Buffer.concat([head, Buffer.from(data)]);
  };
  const pixel = (image: number, y: number, x: number): number => 3 + 40 * image + 9 * y + 2 * x;
  const grey = (count: number, height: number, width: number): number[] =>
    Array.from({ length: count * height * width }, (_, k) =>
      pixel(Math.floor(k / (height * width)), Math.floor(k / width) % height, k % width),
    );

  it("idx: images and labels of the same place in both halves", async () => {
    const [labels, testLabels] = [
      [1, 0, 2, 1, 0],
      [2, 1, 0],
    ];
    const names = ["images", "imageLabels", "testImages", "testLabels"].map((name) => join(folder, name));
    const contents = [idx([5, 2, 3], grey(5, 2, 3)), idx([5], labels), idx([3, 2, 3], grey(3, 2, 3)), idx([3], testLabels)];
    await Promise.all(names.map((name, k) => writeFile(name, contents[k]!)));
    const [images, imageLabels, testImages, testImageLabels] = names;
    const { train, test } = await load({
      dataset: "idx",
      images,
      imageLabels,
      testImages,
      testLabels: testImageLabels,
      train: 5,
      test: 3,
      seed: 2,
    });
    const image = (i: number): number[] => [0, 1].flatMap((y) => [0, 1, 2].map((x) => pixel(i, y, x) / 255));
    const [own, others] = [chosen(labels, [0, 1, 2], 5, 2, 0), chosen(testLabels, [0, 1, 2], 3, 2, 1)];
    close(train.inputs.data, standardised(own.map(image), own.map(image), false));
    close(test!.inputs.data, standardised(own.map(image), others.map(image), false));
    expect(rowsOf(train.targets).map((row) => row.indexOf(1))).toEqual(own.map((i) => labels[i]));
    expect(rowsOf(test!.targets!).map((row) => row.indexOf(1))).toEqual(others.map((i) => testLabels[i]));
    // [height, width] = [1, 3]: means of columns
    const flat = await load({ dataset: "idx", images, imageLabels, train: 5, size: [1, 3], seed: 2 });
    const means = (i: number): number[] => [0, 1, 2].map((x) => (pixel(i, 0, x) + pixel(i, 1, x)) / 2 / 255);
    close(flat.train.inputs.data, standardised(own.map(means), own.map(means), false));
    expect(() => readIdx(Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 1), "x")).toThrow("x: truncated header");
    expect(() => readIdx(Uint8Array.of(0, 0, 9, 0), "x")).toThrow("not an idx file of unsigned bytes");
    expect(readIdx(idx([2, 3], [1, 2, 3, 4, 5, 6]))).toEqual({ shape: [2, 3], data: Buffer.from([1, 2, 3, 4, 5, 6]) });
  });

  it("CIFAR-10: records of a label and 3 × 32 × 32 bytes, files one after the other", () => {
    const record = (label: number, shift: number): Uint8Array =>
      Uint8Array.from({ length: 3073 }, (_, k) => (k === 0 ? label : (k * 7 + shift) % 251));
    const files = [
      { name: "a", bytes: Buffer.concat([record(3, 1), record(9, 2)]) },
      { name: "b", bytes: Buffer.from(record(0, 3)) },
    ];
    const { height, width, channels, labels, pixels } = readCifar(files);
    expect([height, width, channels]).toEqual([32, 32, 3]);
    expect([...labels]).toEqual([3, 9, 0]);
    expect([...pixels]).toEqual([...record(3, 1).subarray(1), ...record(9, 2).subarray(1), ...record(0, 3).subarray(1)]);
    expect(() => readCifar([{ name: "c", bytes: record(10, 0) }])).toThrow("c: record 0 has label 10; CIFAR-10 has 0 … 9");
    expect(() => readCifar([{ name: "d", bytes: new Uint8Array(0) }])).toThrow("d: expected records of 3073 bytes");
  });
});

it("standardisation: all entries together, or feature by feature, constants left at 0", () => {
  const x: Matrix = { data: Float64Array.of(1, 10, 5, 3, 30, 5), shape: [2, 3] };
  expect(standardisation(x, "feature")).toEqual({ mean: Float64Array.of(2, 20, 5), scale: Float64Array.of(1, 10, 1) });
  const { mean, scale } = standardisation(x, "global");
  const variance = [1, 10, 5, 3, 30, 5].reduce((total, value) => total + (value - 9) ** 2, 0) / 6;
  close([...mean, ...scale], [9, Math.sqrt(variance)]);
  const other: Matrix = { data: Float64Array.of(4, 40, 6), shape: [1, 3] };
  expect([...standardise(other, standardisation(x, "feature")).data]).toEqual([2, 2, 1]);
  close(
    standardise(other, standardisation(x, "global")).data,
    [-5, 31, -3].map((value) => value / Math.sqrt(variance)),
  );
  expect(rowsOf(encodeLabels([5, 2, 7, 5], [7, 5, 2], "one-hot"))).toEqual([
    [0, 1, 0],
    [0, 0, 1],
    [1, 0, 0],
    [0, 1, 0],
  ]);
  expect([...encodeLabels([5, 2], [5, 2], "sign").data]).toEqual([-1, 1]);
});
