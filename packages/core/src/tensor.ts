import { entriesOf } from "./coded-matrix.js";
import { shapeError } from "./errors.js";

/** Dense row-major Float64 array: the only array that crosses a package boundary. Last index fastest, no strides. */
export interface Tensor {
  readonly data: Float64Array;
  readonly shape: readonly number[];
}

/** A tensor with two indices. */
export interface Matrix extends Tensor {
  readonly shape: readonly [rows: number, columns: number];
}

/** Matrix of zeros, `rows` × `columns`. */
export function zeros(rows: number, columns: number): Matrix {
  return { data: new Float64Array(rows * columns), shape: [rows, columns] };
}

/** Wraps `data` (not copied) as a `rows` × `columns` matrix. @throws FinitewidthError (code "shape") when the length does not fit. */
export function matrix(rows: number, columns: number, data: Float64Array): Matrix {
  if (data.length !== rows * columns) throw shapeError("data", `${rows} × ${columns} = ${rows * columns} numbers`, `${data.length}`);
  return { data, shape: [rows, columns] };
}

/** Matrix from an array of rows. @throws FinitewidthError (code "shape") for ragged rows. */
export function matrixFromRows(rows: readonly (readonly number[] | Float64Array)[], path = "rows"): Matrix {
  const columns = rows[0]?.length ?? 0;
  const data = new Float64Array(rows.length * columns);
  rows.forEach((row, i) => {
    if (row.length !== columns) throw shapeError(`${path}[${i}]`, `${columns} numbers, like the first row`, `${row.length}`);
    data.set(row, i * columns);
  });
  return { data, shape: [rows.length, columns] };
}

/** Column vector (n × 1) that shares `data`. */
export function columnVector(data: Float64Array): Matrix {
  return { data, shape: [data.length, 1] };
}

/** One number as a tensor. */
export const scalarTensor = (value: number): Tensor => ({ data: Float64Array.of(value), shape: [1] });

/** Rows of a matrix as plain arrays, for JSON. */
export function rowsOf(m: Matrix): number[][] {
  const [rows, columns] = m.shape;
  return Array.from({ length: rows }, (_, i) => Array.from(m.data.subarray(i * columns, (i + 1) * columns)));
}

/** Column `j` of a matrix, copied. */
export function columnOf(m: Matrix, j: number): Float64Array {
  const [rows, columns] = m.shape;
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) out[i] = m.data[i * columns + j]!;
  return out;
}

/** Rows `from` ≤ i < `to`: a view that shares the data, or numbers of their own where a matrix has codes only (`codedMatrix`). */
export function rowRange(m: Matrix, from: number, to: number): Matrix {
  const columns = m.shape[1];
  return { data: entriesOf(m, from * columns, to * columns), shape: [to - from, columns] };
}

/** The rows named, in their order, copied. */
export function selectRows({ data, shape: [, columns] }: Matrix, rows: readonly number[]): Matrix {
  const out = zeros(rows.length, columns);
  rows.forEach((row, k) => out.data.set(data.subarray(row * columns, (row + 1) * columns), k * columns));
  return out;
}

/** `a` above `b`. @throws FinitewidthError (code "shape") when the numbers of columns differ. */
export function stackRows(a: Matrix, b: Matrix): Matrix {
  if (a.shape[1] !== b.shape[1]) throw shapeError("b", `${a.shape[1]} columns`, `${b.shape[1]}`);
  const data = new Float64Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { data, shape: [a.shape[0] + b.shape[0], a.shape[1]] };
}

/** Nested arrays of a tensor of any rank, for JSON. */
export function nestedArrays(t: Tensor): NestedNumbers {
  let offset = 0;
  const build = (axis: number): NestedNumbers =>
    axis === t.shape.length ? t.data[offset++]! : Array.from({ length: t.shape[axis]! }, () => build(axis + 1));
  return build(0);
}
export type NestedNumbers = number | NestedNumbers[];
