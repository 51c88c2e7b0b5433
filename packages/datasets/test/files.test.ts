import { execFileSync } from "node:child_process";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { matrixFromRows } from "@finitewidth/core";
import { encodeNpz } from "@finitewidth/core/npz";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadDataFile, openIdx, readDataFile } from "../src/index.js";

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-files-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const write = async (name: string, content: string | Uint8Array): Promise<string> => {
  const file = join(folder, name);
  await writeFile(file, content);
  return file;
};

describe.skipIf(process.platform === "win32")("what is not a file is refused at once", () => {
  it.each([
    ["a named pipe", (file: string) => void execFileSync("mkfifo", [file])],
    ["a folder", (file: string) => void execFileSync("mkdir", [file])],
    ["a device", (file: string) => symlink("/dev/zero", file)],
    ["a device", (file: string) => symlink("/dev/tty", file)],
  ])("%s (%#)", async (kind, make) => {
    const file = join(folder, `${Math.floor(performance.now() * 1000)}.csv`);
    await make(file);
    await expect(loadDataFile(file)).rejects.toThrow(
      new RegExp(`^data\\.file: cannot read .*\\.csv \\((it is ${kind}, not a file|ENXIO)\\)$`),
    );
  });
});

describe("columns of a CSV file", () => {
  it.each([
    ["x,split,y\n1,0,5\n2,0.5,6\n", /: line 3, column 2: expected 0 or train, 1 or test, got "0\.5"$/],
    ["# note\nx,split,y\n1,train,5\n\n2,validation,6\n", /: line 5, column 2: expected 0 or train, 1 or test, got "validation"$/],
    ["x,split,y\n1,train,5\n2,,6\n", /: line 3, column 2: expected 0 or train, 1 or test, got ""$/],
    ["x,y\n1,cat\n2,dog\n3,cat\n4,\n5,dog\n", /: line 5, column 2: expected a name, as in other rows of this column, got ""$/],
    ["x,y\n1,cat\n2,7\n3,cat\n", /: line 3, column 2: expected a name, as in other rows of this column, got "7"$/],
    ["x,y\n1,2\n2,cat\n3,4\n", /: line 3, column 2: expected a finite number, got "cat"$/],
    ["x,split,y\n1,test,5\n", /: no training rows/],
    ["x,split,y\n1,train,cat\n2,train,dog\n3,test,cow\n", /: line 4, column y: expected one of the classes cat, dog of .*, got "cow"$/],
    ["x,split,y\n1,1,5\n", /: no training rows/],
    ["x,split,Split,y\n1,1,0,5\n", /: two columns are named split$/],
    ["y\n1\n", /: expected at least one column of inputs beside 1 of targets, got none$/],
    ["split,y\n0,1\n", /: expected at least one column of inputs/],
    ["split\n0\n", /: expected at least one column of inputs/],
  ])("are refused when they make no sense (%#)", async (text, message) => {
    await expect(loadDataFile(await write("columns.csv", text))).rejects.toThrow(message);
  });

  it("names of targets, split and features may stand in any order, in any case", async () => {
    const split = await loadDataFile(await write("order.csv", "Y1,a,SPLIT,target_b,b\n1,2,0,3,4\n5,6,1,7,8\n"));
    expect(split).toEqual({
      train: { inputs: matrixFromRows([[2, 4]]), targets: matrixFromRows([[1, 3]]) },
      test: { inputs: matrixFromRows([[6, 8]]), targets: matrixFromRows([[5, 7]]) },
    });
  });

  it("split may be words", async () => {
    const [numbers, words] = ["0,1", "train,Test"].map((pair) => pair.split(","));
    const text = ([train, test]: readonly string[]): string => `constructor,split,y\n1,${train},5\n2,${test},6\n3,0,7\n`;
    const split = await loadDataFile(await write("words.csv", text(words!)));
    expect(split).toEqual(await loadDataFile(await write("numbers.csv", text(numbers!))));
    expect(split.test?.inputs).toEqual(matrixFromRows([[2]]));
  });

  it("UTF-16 and binary files are named", async () => {
    const utf16 = new Uint8Array(Uint16Array.from("\ufeffx,y\n1,2\n", (character) => character.charCodeAt(0)).buffer);
    for (const content of [utf16, utf16.subarray(2), Uint8Array.of(1, 0, 2)])
      await expect(loadDataFile(await write("wide.csv", content))).rejects.toThrow(
        /wide\.csv: expected UTF-8 text, got UTF-16 or a binary file/,
      );
  });
});

it("npz: arrays that nobody asked for are not read", async () => {
  const x = matrixFromRows([[1, 2]]);
  const bytes = encodeNpz({ x_train: x, y_train: matrixFromRows([[3]]), extra: x });
  const at = Buffer.from(bytes).indexOf("extra.npy");
  expect(at).toBeGreaterThan(0);
  bytes[at + 9 + 4]! ^= 255;
  expect(await loadDataFile(await write("extra.npz", bytes))).toEqual({ train: { inputs: x, targets: matrixFromRows([[3]]) } });
});

describe("an idx file that is read piece after piece", () => {
  const [count, size] = [2300, 1000];
  const entry = (i: number, k: number): number => (7 * i + k * k + (i >> 8)) % 251;
  let file: string;
  beforeAll(async () => {
    const bytes = new Uint8Array(16 + count * size);
    bytes.set([0, 0, 8, 3]);
    [count, 20, 50].forEach((n, k) => new DataView(bytes.buffer).setUint32(4 + 4 * k, n));
    for (let i = 0; i < count; i++) for (let k = 0; k < size; k++) bytes[16 + i * size + k] = entry(i, k);
    file = await write("large", bytes);
  });
  const all = Array.from({ length: count }, (_, i) => i);

  it.each<[string, number[]]>([
    ["all", all],
    ["one", [1234]],
    ["the last", [0, 1, count - 1]],
    // entries that are near each other come together: up to four of a thousand bytes are skipped by reading them
    ["some, nearer and nearer", all.filter((i) => i % (i < 600 ? 7 : i < 1200 ? 5 : i < 1800 ? 4 : 2) === 0)],
  ])("%s: every wanted entry once, whole and in its place, a megabyte at a time", async (_name, wanted) => {
    const { shape, eachPiece } = await openIdx(file, "x");
    expect(shape).toEqual([count, 20, 50]);
    const seen: number[] = [];
    let pieces = 0;
    await eachPiece(wanted, (first, piece) => {
      pieces += 1;
      expect(piece.length % size).toBe(0);
      expect(piece.length).toBeLessThanOrEqual(2 ** 20);
      let same = true;
      for (let k = 0; k < piece.length; k++) same &&= piece[k] === entry(first + Math.floor(k / size), k % size);
      expect(same).toBe(true);
      for (let i = first; i < first + piece.length / size; i++) if (wanted.includes(i)) seen.push(i);
    });
    expect(seen).toEqual(wanted);
    // nobody reads entry by entry what lies together
    expect(pieces).toBeLessThanOrEqual(Math.max(3, wanted.length / 3));
  });
});

it("attention maps are in the order of their numbers, ten after nine", () => {
  const one = (value: number) => ({ data: Float64Array.of(value), shape: [1, 1] });
  const names = [...Array.from({ length: 11 }, (_, h) => `maps_train_2_${h + 1}`), "maps_train_10_1", "maps_train_9_1", "maps_train_9_2"];
  const arrays = Object.fromEntries(
    names.toReversed().map((name) => [name, one(100 * Number(name.split("_")[2]) + Number(name.split("_")[3]))]),
  );
  const { train } = readDataFile(encodeNpz({ x_train: matrixFromRows([[1, 2]]), y_train: matrixFromRows([[3]]), ...arrays }), "maps.npz");
  const layer = (l: number, heads: number): number[] => Array.from({ length: heads }, (_, h) => 100 * l + h + 1);
  expect([...train.inputs.data]).toEqual([1, 2, ...layer(2, 11), ...layer(9, 2), ...layer(10, 1)]);
});
