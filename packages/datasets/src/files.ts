import { FinitewidthError, inputError, toMatrix, type Matrix, type Tensor } from "@finitewidth/core";
import { decodeNpz } from "@finitewidth/core/npz";
import { isMapArray, withAttentionMaps } from "./attention-maps.js";
import type { DataSplit } from "./classification.js";
import { readCsv, type TableOptions } from "./csv.js";
import { encodeLabels } from "./preprocessing.js";
import { readRegularFile } from "./regular-file.js";

/**
 * Reads a data file: `.npz` with arrays x_train, y_train and optionally x_test, y_test (inputs of more than two indices are flattened,
 * last index fastest), and attention maps of heads, `maps_train_<layer>_<head>`, which follow the inputs in every row; or `.csv` whose
 * columns named y, y0, y1, … or target… (else the last column) are targets and whose optional column `split` (0 or train, 1 or test)
 * divides the rows. A single target column of texts holds names of classes: ±1 for two (the first in the alphabet is −1), one-hot for more.
 * @throws FinitewidthError (code "file" or "input") naming the file and what is missing.
 */
export async function loadDataFile(file: string, path = "data.file"): Promise<DataSplit> {
  const read = readerOf(file, path);
  return read(await readRegularFile(file, path), file, path);
}

/** The same of bytes that are there already, as of a file dropped on a page. @throws FinitewidthError as `loadDataFile`. */
export const readDataFile = (bytes: Uint8Array, file: string, path = "data.file"): DataSplit => readerOf(file, path)(bytes, file, path);

function readerOf(file: string, path: string): (bytes: Uint8Array, file: string, path: string) => DataSplit {
  if (/\.npz$/i.test(file)) return fromNpz;
  if (/\.csv$/i.test(file)) return fromCsv;
  throw new FinitewidthError(`${path}: expected a .npz or .csv file, got ${JSON.stringify(file)}`, { code: "input", path });
}

function fromNpz(bytes: Uint8Array, file: string, path: string): DataSplit {
  const names = ["x_train", "y_train", "x_test", "y_test"];
  const { arrays } = decodeNpz(bytes, path, (name) => names.includes(name) || isMapArray(name));
  const take = (name: string): Matrix | undefined => (arrays[name] === undefined ? undefined : toMatrix(arrays[name], `${path}:${name}`));
  const takeInputs = (split: "train" | "test"): Matrix | undefined => {
    const name = `x_${split}`;
    if (arrays[name] === undefined) return undefined;
    return withAttentionMaps(toMatrix(flattened(arrays[name]), `${path}:${name}`), arrays, split, path);
  };
  const [inputs, testInputs] = [takeInputs("train"), takeInputs("test")];
  const [targets, testTargets] = [take("y_train"), take("y_test")];
  if (!inputs || !targets) {
    throw new FinitewidthError(
      `${path}: ${file} has no array "${inputs ? "y_train" : "x_train"}"; expected x_train, y_train, optionally x_test, y_test`,
      { code: "input", path },
    );
  }
  return {
    train: { inputs, targets },
    ...(testInputs ? { test: { inputs: testInputs, ...(testTargets ? { targets: testTargets } : {}) } } : {}),
  };
}

/** An array of examples with one row each. */
function flattened({ data, shape }: Tensor): Tensor {
  const [examples, ...rest] = shape;
  return shape.length <= 2 ? { data, shape } : { data, shape: [examples!, rest.reduce((product, size) => product * size, 1)] };
}

const words: Required<TableOptions>["words"] = new Map([
  [
    "split",
    [
      [0, "train"],
      [1, "test"],
    ],
  ],
]);

function fromCsv(bytes: Uint8Array, file: string, path: string): DataSplit {
  const { columns, values, lines, classes } = readCsv(decodeText(bytes, file, path), file, { texts: true, words });
  const named = columns.flatMap((name, j) => (/^(y\d*|target.*)$/i.test(name) ? [j] : []));
  const [split = -1, another] = columns.flatMap((name, j) => (name.toLowerCase() === "split" ? [j] : []));
  const last = columns.length - 1;
  const targets = named.length > 0 ? named : [last === split ? last - 1 : last];
  const features = columns.flatMap((_, j) => (j === split || targets.includes(j) ? [] : [j]));
  const fail = (reason: string): FinitewidthError => new FinitewidthError(`${file}: ${reason}`, { code: "input", path });
  if (features.length === 0) throw fail(`expected at least one column of inputs beside ${targets.length} of targets, got none`);
  if (another !== undefined) throw fail("two columns are named split");
  for (const [j, names] of classes.entries()) {
    if (names === undefined || (targets.includes(j) && targets.length === 1)) continue;
    const expected = targets.includes(j) ? "numbers, or one column of class names as the only target" : "numbers";
    throw inputError(`${file}: column ${columns[j]}`, expected, names[0]);
  }
  const rows = Array.from({ length: values.shape[0] }, (_, i) => i);
  const part = (chosen: readonly number[], which: readonly number[]): Matrix => ({
    data: Float64Array.from(chosen.flatMap((i) => which.map((j) => values.data[i * columns.length + j]!))),
    shape: [chosen.length, which.length],
  });
  const isTest = (i: number): boolean => split >= 0 && values.data[i * columns.length + split] === 1;
  const [train, test] = [rows.filter((i) => !isTest(i)), rows.filter(isTest)];
  if (train.length === 0) throw fail("no training rows (every split is test)");
  const names = targets.length === 1 ? classes[targets[0]!] : undefined;
  const classOf = (i: number): number => values.data[i * columns.length + targets[0]!]!;
  const known = [...new Set(train.map(classOf))].toSorted((a, b) => a - b);
  if (names && known.length < 2) throw fail(`expected at least two classes to train on, got ${JSON.stringify(names[known[0]!])} alone`);
  const labels = (chosen: readonly number[]): Matrix => {
    if (names === undefined) return part(chosen, targets);
    const stranger = chosen.find((i) => !known.includes(classOf(i)));
    if (stranger !== undefined)
      throw inputError(
        `${file}: line ${lines[stranger]}, column ${columns[targets[0]!]}`,
        `one of the classes ${known.map((c) => names[c]).join(", ")} of the training rows`,
        names[classOf(stranger)],
      );
    return encodeLabels(chosen.map(classOf), known, known.length === 2 ? "sign" : "one-hot");
  };
  return {
    train: { inputs: part(train, features), targets: labels(train) },
    ...(test.length > 0 ? { test: { inputs: part(test, features), targets: labels(test) } } : {}),
    ...(names ? { classes: known.map((c) => names[c]!) } : {}),
  };
}

/** @throws FinitewidthError (code "input") for bytes that are no UTF-8 text: UTF-16 and binary files have zeros. */
function decodeText(bytes: Uint8Array, file: string, path: string): string {
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff) || bytes.subarray(0, 4096).includes(0))
    throw new FinitewidthError(`${file}: expected UTF-8 text, got UTF-16 or a binary file; save it as UTF-8`, { code: "input", path });
  return new TextDecoder().decode(bytes);
}
