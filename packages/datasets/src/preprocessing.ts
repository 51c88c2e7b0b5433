import type { Matrix } from "@finitewidth/core";

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
  const [rows, columns] = inputs.shape;
  const groups = by === "global" ? 1 : columns;
  const count = inputs.data.length / groups;
  const mean = new Float64Array(groups);
  const scale = new Float64Array(groups);
  for (let k = 0; k < inputs.data.length; k++) mean[groups === 1 ? 0 : k % columns]! += inputs.data[k]! / count;
  for (let k = 0; k < inputs.data.length; k++)
    scale[groups === 1 ? 0 : k % columns]! += (inputs.data[k]! - mean[groups === 1 ? 0 : k % columns]!) ** 2 / count;
  for (let g = 0; g < groups; g++) scale[g] = rows > 0 && scale[g]! > 0 ? Math.sqrt(scale[g]!) : 1;
  return { mean, scale };
}

/** (x − mean)/scale for every row. */
export function standardise(inputs: Matrix, { mean, scale }: Standardisation): Matrix {
  const columns = inputs.shape[1];
  const global = mean.length === 1;
  return {
    data: inputs.data.map((value, k) => (value - mean[global ? 0 : k % columns]!) / scale[global ? 0 : k % columns]!),
    shape: inputs.shape,
  };
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
