import { allFinite, FinitewidthError, shapeError, type Matrix } from "@finitewidth/core";

/** Number of rows of a square matrix. @throws FinitewidthError (code "shape"). */
export function squareSize(a: Matrix, path = "a"): number {
  const [rows, columns] = a.shape;
  if (rows !== columns) throw shapeError(path, "a square matrix", `${rows} × ${columns}`);
  return rows;
}

/** @throws FinitewidthError (code "input") naming the first entry that is NaN or infinite. */
export function requireFinite(a: Matrix, path = "a"): void {
  const { data } = a;
  if (allFinite(data)) return;
  const at = data.findIndex((value) => !Number.isFinite(value));
  const columns = a.shape[1];
  const where = `${path}[${Math.floor(at / columns)}][${at % columns}]`;
  throw new FinitewidthError(`${where}: expected a finite number, got ${data[at]}`, {
    code: "input",
    path: where,
    expected: "a finite number",
    received: String(data[at]),
  });
}

/** Bytes of the largest matrix that is made, 23170 × 23170: what the WebAssembly backend can address. */
const largestBytes = 2 ** 32;

/** @throws FinitewidthError (code "memory") when a rows × columns result is too large to make, before anything is allocated. */
export function requireRoom(rows: number, columns: number): void {
  const bytes = 8 * rows * columns;
  if (bytes <= largestBytes) return;
  throw new FinitewidthError(
    `a ${rows} × ${columns} matrix needs ${bytes} bytes (${(bytes / 2 ** 30).toFixed(1)} GiB); at most ${largestBytes} bytes are used for one`,
    { code: "memory" },
  );
}
