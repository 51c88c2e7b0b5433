import { FinitewidthError, inputError, shapeError, zeros, type Matrix } from "@finitewidth/core";

/** One column. @throws FinitewidthError (code "shape") otherwise. */
export function requireOneColumn(targets: Matrix, likelihood: string, path: string): void {
  if (targets.shape[1] !== 1) throw shapeError(path, `one column for the ${likelihood} likelihood`, `${targets.shape[1]}`);
}

/** Every entry passes. @throws FinitewidthError (code "input") naming the first that does not. */
export function requireEntries(targets: Matrix, path: string, expected: string, accepts: (value: number) => boolean): void {
  const at = targets.data.findIndex((value) => !accepts(value));
  const columns = targets.shape[1];
  if (at >= 0) throw inputError(`${path}[${Math.floor(at / columns)}][${at % columns}]`, expected, targets.data[at]);
}

/** −1 and +1 in one column. @throws FinitewidthError (code "input" or "shape"). */
export function checkSigns(targets: Matrix, likelihood: string, path: string): void {
  requireOneColumn(targets, likelihood, path);
  requireEntries(targets, path, "-1 or +1", (value) => Math.abs(value) === 1);
}

/** Class 0 for −1, class 1 for +1. */
export const signLabels = (targets: Matrix): Int32Array => Int32Array.from(targets.data, (value) => (value > 0 ? 1 : 0));

/** Rows of zeros with a single 1, at least two columns. @throws FinitewidthError (code "input" or "shape"). */
export function checkOneHot(targets: Matrix, path: string): void {
  const [rows, columns] = targets.shape;
  if (columns < 2)
    throw shapeError(path, "one-hot rows of at least 2 columns (for one column of -1 and +1 use logistic or probit)", `${columns}`);
  requireEntries(targets, path, "0 or 1 in a one-hot row", (value) => value === 0 || value === 1);
  for (let i = 0; i < rows; i++) {
    const row = targets.data.subarray(i * columns, (i + 1) * columns);
    const sum = row.reduce((total, value) => total + value, 0);
    if (sum !== 1) throw inputError(`${path}[${i}]`, "a one-hot row, a single 1 among zeros", Array.from(row));
  }
}

/** Column of the 1 in every one-hot row. */
export const oneHotLabels = (targets: Matrix): Int32Array =>
  Int32Array.from({ length: targets.shape[0] }, (_, i) => {
    const columns = targets.shape[1];
    return targets.data.subarray(i * columns, (i + 1) * columns).indexOf(1);
  });

/** −1 and +1 in one column for classes 0 and 1. @throws FinitewidthError (code "input") unless there are two. */
export function signTargets(labels: ArrayLike<number>, classes: number): Matrix {
  if (classes !== 2) {
    const [path, expected, received] = ["likelihood.type", `one for ${classes} classes, such as "softmax"`, "one for two"];
    throw new FinitewidthError(`${path}: expected ${expected}, got ${received}`, { code: "input", path, expected, received });
  }
  return { data: Float64Array.from(labels, (label) => 2 * label - 1), shape: [labels.length, 1] };
}

/** One-hot rows. */
export function oneHotTargets(labels: ArrayLike<number>, classes: number): Matrix {
  const out = zeros(labels.length, classes);
  for (let i = 0; i < labels.length; i++) out.data[i * classes + labels[i]!] = 1;
  return out;
}
