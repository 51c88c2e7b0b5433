import { isCoded, valuesOf } from "./coded-matrix.js";
import { inputError, shapeError } from "./errors.js";
import { allFinite } from "./finite.js";
import { matrixFromRows, type Matrix, type Tensor } from "./tensor.js";

/** Anything that can be read as a matrix: rows, our tensors, an ml-matrix `Matrix`, or a flat list (taken as one column). */
export type MatrixLike =
  Matrix | Tensor | readonly (readonly number[] | Float64Array)[] | readonly number[] | Float64Array | { to2DArray(): number[][] };

/**
 * Converts once, at the edge; checks that all entries are finite numbers. @throws FinitewidthError (code "input" or "shape") naming `path`.
 */
export function toMatrix(value: MatrixLike, path: string): Matrix {
  if (isCoded(value) && allFinite(valuesOf(value))) return value;
  const m = convert(value, path);
  const columns = m.shape[1];
  const { data } = m;
  if (allFinite(data)) return m;
  const at = data.findIndex((entry) => !Number.isFinite(entry));
  throw inputError(`${path}[${Math.floor(at / columns)}][${at % columns}]`, "a finite number", data[at]);
}

function convert(value: MatrixLike, path: string): Matrix {
  if (value === null || typeof value !== "object") throw inputError(path, "an array of rows", value);
  if ("to2DArray" in value) return matrixFromRows(value.to2DArray(), path);
  if ("shape" in value && "data" in value) {
    const [rows, columns = 1] = value.shape;
    if (rows === undefined || value.shape.length > 2) throw shapeError(path, "a matrix (2 indices)", `${value.shape.length} indices`);
    if (value.data.length !== rows * columns) throw shapeError(path, `${rows} × ${columns} numbers`, `${value.data.length}`);
    return { data: value.data, shape: [rows, columns] };
  }
  if (value instanceof Float64Array) return { data: value, shape: [value.length, 1] };
  if (!Array.isArray(value)) throw inputError(path, "an array of rows", value);
  if (value.every((entry) => typeof entry === "number")) return { data: Float64Array.from(value as number[]), shape: [value.length, 1] };
  const rows = value as readonly unknown[];
  for (const [i, row] of rows.entries()) {
    if (!Array.isArray(row) && !(row instanceof Float64Array)) throw inputError(`${path}[${i}]`, "an array of numbers", row);
    for (const [j, entry] of row.entries())
      if (typeof entry !== "number") throw inputError(`${path}[${i}][${j}]`, "a finite number", entry);
  }
  return matrixFromRows(rows as readonly number[][], path);
}
