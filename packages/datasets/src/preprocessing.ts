import { codedMatrix, type Matrix } from "@finitewidth/core";

/** Shift and scale that standardise a data set; apply the training set's to test inputs. */
export interface Standardisation {
  /** One number for all features, or one per feature. */
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/**
 * Mean and standard deviation, of all entries together ("global": keeps the geometry, |x|²/N0 ≈ 1) or of every feature ("feature").
 * A constant feature gets scale 1.
 */
export function standardisation(inputs: Matrix, by: "global" | "feature"): Standardisation {
  const { data } = inputs;
  const groups = by === "global" ? 1 : inputs.shape[1];
  const count = data.length / groups;
  const mean = new Float64Array(groups);
  const scale = new Float64Array(groups);
  for (let g = 0; g < groups; g++) {
    let sum = 0;
    for (let k = g; k < data.length; k += groups) sum += data[k]! / count;
    let square = 0;
    for (let k = g; k < data.length; k += groups) square += (data[k]! - sum) ** 2 / count;
    mean[g] = sum;
    scale[g] = data.length > 0 && square > 0 ? Math.sqrt(square) : 1;
  }
  return { mean, scale };
}

/** (x − mean)/scale for every row. */
export const standardise = (inputs: Matrix, by: Standardisation): Matrix =>
  standardiseInPlace({ data: new Float64Array(inputs.data), shape: inputs.shape }, by);

/** The same over the inputs themselves: data sets may be as large as the memory allows. Returns `inputs`. */
export function standardiseInPlace(inputs: Matrix, { mean, scale }: Standardisation): Matrix {
  const { data } = inputs;
  const groups = mean.length;
  for (let g = 0; g < groups; g++) {
    const [shift, unit] = [mean[g]!, scale[g]!];
    for (let k = g; k < data.length; k += groups) data[k] = (data[k]! - shift) / unit;
  }
  return inputs;
}

/** Rows of bytes that stand for numbers in [0, 1]. */
export interface Pixels {
  readonly codes: Uint8Array;
  readonly shape: readonly [rows: number, columns: number];
}

/** What the bytes 0 … 255 of pixels stand for. */
const brightness = Float64Array.from({ length: 256 }, (_, code) => code / 255);

/** Σ of what all bytes stand for; a variable of its own, which no closure shares, stays out of the heap. */
function totalOf(codes: Uint8Array, values: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < codes.length; k++) sum += values[codes[k]!]!;
  return sum;
}

/** `standardisation`, of pixels by all of them together. */
export function standardisationOf(inputs: Matrix | Pixels, by: "global" | "feature"): Standardisation {
  if ("data" in inputs) return standardisation(inputs, by);
  const { codes } = inputs;
  const count = codes.length;
  const mean = totalOf(
    codes,
    brightness.map((value) => value / count),
  );
  const square = totalOf(
    codes,
    brightness.map((value) => (value - mean) ** 2 / count),
  );
  return { mean: Float64Array.of(mean), scale: Float64Array.of(count > 0 && square > 0 ? Math.sqrt(square) : 1) };
}

/** (x − mean)/scale: over the numbers themselves, or of what the bytes of pixels stand for. */
export function standardised(inputs: Matrix | Pixels, by: Standardisation): Matrix {
  if ("data" in inputs) return standardiseInPlace(inputs, by);
  const values = brightness.map((value) => (value - by.mean[0]!) / by.scale[0]!);
  return codedMatrix(inputs.shape[0], inputs.shape[1], inputs.codes, values);
}

/**
 * Targets of a classification problem: ±1 in one column for two classes ("sign": −1 for the first), or one column per class with 0 and 1.
 */
export function encodeLabels(labels: ArrayLike<number>, classes: readonly number[], encoding: "sign" | "one-hot"): Matrix {
  const rows = labels.length;
  if (encoding === "sign") return { data: Float64Array.from(labels, (label) => (label === classes[0] ? -1 : 1)), shape: [rows, 1] };
  const data = new Float64Array(rows * classes.length);
  for (let i = 0; i < rows; i++) data[i * classes.length + classes.indexOf(labels[i]!)] = 1;
  return { data, shape: [rows, classes.length] };
}
