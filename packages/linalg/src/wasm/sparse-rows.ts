import type { Matrix } from "@finitewidth/core";

/** Columns in a block of the kernels, KC of assembly/gemm.ts. */
const blockColumns = 256;

/** Lists of nonzero entries as assembly/sparse.ts reads them; `transposed` has the rows of Aᵀ. */
export interface SparseRows {
  readonly rows: number;
  readonly columns: number;
  /** Bytes that `write` fills, a multiple of 16. */
  readonly bytes: number;
  /** Puts the entries at `at`, the starts of the lists after them; gives the address of the starts. */
  write(buffer: ArrayBuffer, at: number): number;
}

/** Number of entries that are not zero. O(mn). */
export function countNonzero({ data }: Matrix): number {
  let count = 0;
  for (let i = 0; i < data.length; i++) if (data[i] !== 0) count++;
  return count;
}

/** Lists of the rows of A, or of Aᵀ. */
export function sparseRows({ data, shape }: Matrix, nonzero: number, transposed: boolean): SparseRows {
  const [rows, columns] = transposed ? [shape[1], shape[0]] : shape;
  const [alongRow, alongColumn] = transposed ? [1, shape[1]] : [shape[1], 1];
  const blocks = Math.ceil(columns / blockColumns);
  return {
    rows,
    columns,
    bytes: 16 * (nonzero + Math.ceil((blocks * rows + 1) / 4)),
    write(buffer, at) {
      const values = new Float64Array(buffer, at, 2 * nonzero);
      const places = new Uint32Array(buffer, at, 4 * nonzero);
      const startsAt = at + 16 * nonzero;
      const starts = new Uint32Array(buffer, startsAt, blocks * rows + 1);
      let entry = 0;
      for (let block = 0, list = 0; block < blocks; block++) {
        const first = block * blockColumns;
        const last = Math.min(columns, first + blockColumns);
        for (let i = 0; i < rows; i++) {
          for (let j = first; j < last; j++) {
            const value = data[i * alongRow + j * alongColumn]!;
            if (value === 0) continue;
            values[2 * entry] = value;
            places[4 * entry + 2] = 32 * (j - first);
            entry++;
          }
          starts[++list] = entry;
        }
      }
      return startsAt;
    },
  };
}
