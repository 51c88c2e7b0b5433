import { readFile } from "node:fs/promises";
import { FinitewidthError, toMatrix, type Matrix } from "@finitewidth/core";
import { decodeNpz } from "@finitewidth/core/npz";
import type { DataSplit } from "./classification.js";
import { readCsv } from "./csv.js";

/**
 * Reads a data file: `.npz` with arrays x_train, y_train and optionally x_test, y_test; or `.csv` whose columns named y, y0, y1, … or
 * target… (else the last column) are targets and whose optional column `split` (0 train, 1 test) divides the rows.
 * @throws FinitewidthError (code "file" or "input") naming the file and what is missing.
 */
export async function loadDataFile(file: string, path = "data.file"): Promise<DataSplit> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new FinitewidthError(
      `${path}: cannot read ${file} (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`,
      { code: "file", path },
      { cause },
    );
  }
  if (/\.npz$/i.test(file)) return fromNpz(bytes, file, path);
  if (/\.csv$/i.test(file)) return fromCsv(new TextDecoder().decode(bytes), file);
  throw new FinitewidthError(`${path}: expected a .npz or .csv file, got ${JSON.stringify(file)}`, { code: "input", path });
}

function fromNpz(bytes: Uint8Array, file: string, path: string): DataSplit {
  const { arrays } = decodeNpz(bytes, path);
  const take = (name: string): Matrix | undefined => (arrays[name] === undefined ? undefined : toMatrix(arrays[name], `${path}:${name}`));
  const [inputs, targets, testInputs, testTargets] = ["x_train", "y_train", "x_test", "y_test"].map(take);
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

function fromCsv(text: string, file: string): DataSplit {
  const { columns, values } = readCsv(text, file);
  const named = columns.flatMap((name, j) => (/^(y\d*|target.*)$/i.test(name) ? [j] : []));
  const split = columns.findIndex((name) => name.toLowerCase() === "split");
  const targets = named.length > 0 ? named : [columns.length - 1 === split ? columns.length - 2 : columns.length - 1];
  const features = columns.flatMap((_, j) => (j === split || targets.includes(j) ? [] : [j]));
  const rows = Array.from({ length: values.shape[0] }, (_, i) => i);
  const part = (chosen: readonly number[], which: readonly number[]): Matrix => ({
    data: Float64Array.from(chosen.flatMap((i) => which.map((j) => values.data[i * columns.length + j]!))),
    shape: [chosen.length, which.length],
  });
  const isTest = (i: number): boolean => split >= 0 && values.data[i * columns.length + split] !== 0;
  const [train, test] = [rows.filter((i) => !isTest(i)), rows.filter(isTest)];
  return {
    train: { inputs: part(train, features), targets: part(train, targets) },
    ...(test.length > 0 ? { test: { inputs: part(test, features), targets: part(test, targets) } } : {}),
  };
}
