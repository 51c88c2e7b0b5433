import { shapeError } from "./errors.js";
import type { Matrix } from "./tensor.js";

/** A byte for each entry, and the number that each byte stands for. */
interface Coded {
  readonly codes: Uint8Array;
  readonly values: Float64Array;
}

const known = new WeakMap<Matrix, Coded>();

/**
 * A matrix of at most 256 different numbers, a byte each until somebody reads `data`: the pixels of many images, of which most
 * computations look at a few rows at a time (`rowRange`). Reading `data` makes all of it and keeps it; whatever copies the matrix reads it.
 * @throws FinitewidthError (code "shape") for a wrong number of codes.
 */
export function codedMatrix(rows: number, columns: number, codes: Uint8Array, values: Float64Array): Matrix {
  if (codes.length !== rows * columns) throw shapeError("codes", `${rows} × ${columns} = ${rows * columns} bytes`, `${codes.length}`);
  const made: Matrix = {
    get data() {
      const data = new Float64Array(codes.length);
      decode({ codes, values }, 0, data);
      // the bytes are of no more use
      known.delete(made);
      Object.defineProperty(made, "data", { value: data, enumerable: true });
      return data;
    },
    shape: [rows, columns],
  };
  known.set(made, { codes, values });
  return made;
}

function decode({ codes, values }: Coded, from: number, out: Float64Array): void {
  for (let i = 0; i < out.length; i++) out[i] = values[codes[from + i]!]!;
}

/** The numbers that may stand in a matrix: all of them, or those of its codes while it has some. */
export const valuesOf = (m: Matrix): Float64Array => known.get(m)?.values ?? m.data;

/** Entries from … to: a view of `data`, or numbers of their own where there are codes only. */
export function entriesOf(m: Matrix, from: number, to: number): Float64Array {
  const coded = known.get(m);
  if (!coded) return m.data.subarray(from, to);
  const out = new Float64Array(to - from);
  decode(coded, from, out);
  return out;
}

/** Copies rows from `first` on into `out`, as many as it holds: passes over a large matrix need no numbers beside it. */
export function copyRows(m: Matrix, first: number, out: Float64Array): void {
  const from = first * m.shape[1];
  const coded = known.get(m);
  if (coded) decode(coded, from, out);
  else out.set(m.data.subarray(from, from + out.length));
}

/** Whether a value is a matrix that has codes only. */
export const isCoded = (value: unknown): value is Matrix => known.has(value as Matrix);
