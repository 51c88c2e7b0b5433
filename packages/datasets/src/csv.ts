import { FinitewidthError, inputError, matrixFromRows, type Matrix } from "@finitewidth/core";

/** A table of numbers: column names (from the header, or "0", "1", …) and rows. */
export interface Table {
  readonly columns: readonly string[];
  readonly values: Matrix;
}

/**
 * Reads comma-, semicolon- or tab-separated numbers; a first line that is not all numbers is the header. @throws FinitewidthError naming
 * line and column.
 */
export function readCsv(text: string, path = "csv"): Table {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "" && !line.startsWith("#"));
  if (lines.length === 0) throw new FinitewidthError(`${path}: no rows`, { code: "file", path });
  const separator = [",", ";", "\t"].find((candidate) => lines[0]!.includes(candidate)) ?? ",";
  const cells = lines.map((line) => line.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const isNumber = (cell: string): boolean => cell !== "" && Number.isFinite(Number(cell));
  const header = cells[0]!.every(isNumber) ? undefined : cells.shift();
  const rows = cells.map((row, i) =>
    row.map((cell, j) => {
      if (!isNumber(cell)) throw inputError(`${path}: line ${i + (header ? 2 : 1)}, column ${j + 1}`, "a finite number", cell);
      return Number(cell);
    }),
  );
  return { columns: header ?? rows[0]!.map((_, j) => String(j)), values: matrixFromRows(rows, path) };
}
