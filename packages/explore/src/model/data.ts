import { inputError } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { digitImage, type Digits } from "./digits.js";
import type { DataChoice, Table } from "./state.js";

/** Training and test rows; rows of a class stand together. */
export interface Rows {
  readonly train: Table;
  readonly test?: { readonly inputs: Table["inputs"]; readonly targets?: Table["targets"] };
}

/** Rounds so that what is written to a file is what was computed with. */
const rounded = (value: number): number => Number(value.toFixed(5));

/** Points at which one-dimensional functions are drawn. */
export const gridPoints = 81;

/** The data that a choice stands for. @throws FinitewidthError (code "input") where there are not so many digits. */
export function rowsOfChoice(choice: DataChoice, digits: Digits | undefined, seed: number): Rows {
  switch (choice.kind) {
    case "digits":
      if (digits === undefined) throw inputError("data.kind", "data without digits.bin, which has not been read", choice.kind);
      return digitRows(choice, digits);
    case "curve":
      return curveRows(choice.points);
    case "teacher":
      return teacherRows(choice, seed);
    case "own":
      return choice.test ? { train: choice.train, test: choice.test } : { train: choice.train };
  }
}

const testPerClass = 40;

function digitRows({ classes, train }: Extract<DataChoice, { kind: "digits" }>, digits: Digits): Rows {
  const share = classes.map((_, c) => Math.floor(train / classes.length) + (c < train % classes.length ? 1 : 0));
  const most = classes.length * digits.train;
  if (share.some((count) => count > digits.train))
    throw inputError("data.train", `at most ${most} points of ${classes.length} classes`, train);
  const images = classes.flatMap((digit, c) => Array.from({ length: share[c]! }, (_, i) => digitImage(digits, digit, i)));
  const all = images.flat();
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  const scale = Math.sqrt(all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / all.length);
  // pixels are bytes: a table of what each becomes
  const table = Array.from({ length: 256 }, (_, value) => rounded((value / 255 - mean) / scale));
  const standard = (image: readonly number[]): number[] => image.map((value) => table[Math.round(255 * value)]!);
  const label = (c: number): number[] => (classes.length === 2 ? [c === 0 ? -1 : 1] : classes.map((_, k) => (k === c ? 1 : 0)));
  const tested = Math.min(testPerClass, digits.perClass - digits.train);
  return {
    train: { inputs: images.map(standard), targets: share.flatMap((count, c) => Array.from({ length: count }, () => label(c))) },
    test: {
      inputs: classes.flatMap((digit) => Array.from({ length: tested }, (_, i) => standard(digitImage(digits, digit, digits.train + i)))),
      targets: classes.flatMap((_, c) => Array.from({ length: tested }, () => label(c))),
    },
  };
}

function curveRows(points: readonly (readonly [number, number])[]): Rows {
  const sorted = [...points].sort((a, b) => a[0] - b[0]);
  const grid = Array.from({ length: gridPoints }, (_, i) => [rounded(-2 + (4 * i) / (gridPoints - 1))]);
  return { train: { inputs: sorted.map(([x]) => [x]), targets: sorted.map(([, y]) => [y]) }, test: { inputs: grid } };
}

/** Units of the teacher: wide enough not to be a single feature, narrow enough not to be a Gaussian process. */
const teacherWidth = 8;
const teacherTests = 100;

/** A random network of one hidden layer of 8 tanh units; labels of unit variance and noise. */
function teacherRows({ dimension, train, noise }: Extract<DataChoice, { kind: "teacher" }>, seed: number): Rows {
  const random = stream(seed, 26);
  const normals = (count: number): number[] => Array.from(random.normals(new Float64Array(count)));
  const first = Array.from({ length: teacherWidth }, () => normals(dimension));
  const readout = normals(teacherWidth);
  const inputs = Array.from({ length: train + teacherTests }, () => normals(dimension).map(rounded));
  const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const values = inputs.map((x) => first.reduce((sum, w, j) => sum + readout[j]! * Math.tanh((1.5 * dot(w, x)) / Math.sqrt(dimension)), 0));
  const scale = Math.sqrt(dot(values, values) / values.length) || 1;
  const errors = normals(train);
  const targets = values.map((value, i) => [rounded(value / scale + (i < train ? noise * errors[i]! : 0))]);
  // sorted by target, so that pictures of kernels show what they learn
  const order = Array.from({ length: train }, (_, i) => i).sort((a, b) => targets[a]![0]! - targets[b]![0]!);
  return {
    train: { inputs: order.map((i) => inputs[i]!), targets: order.map((i) => targets[i]!) },
    test: { inputs: inputs.slice(train), targets: targets.slice(train) },
  };
}
