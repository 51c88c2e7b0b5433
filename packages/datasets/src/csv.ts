import { FinitewidthError, inputError, matrix, printable, type Matrix } from "@finitewidth/core";
import { CsvError, parse } from "csv-parse/sync";

/** A table of numbers: column names (from the header, or "0", "1", …) and rows. */
export interface Table {
  readonly columns: readonly string[];
  readonly values: Matrix;
  /** Line of every row in the text, from 1. */
  readonly lines: readonly number[];
  /** Names of the classes of a column of texts, in alphabetical order; its values are their numbers. None unless texts are asked for. */
  readonly classes: readonly (readonly string[] | undefined)[];
}

/** What cells may hold besides numbers. */
export interface TableOptions {
  /** Names of classes. */
  readonly texts?: boolean;
  /** By the name of a column, in lower case: numbers that are all it may hold, each with a word that stands for it. */
  readonly words?: ReadonlyMap<string, readonly (readonly [number, string])[]>;
}

const number = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const withComma = /^[+-]?[\d.]*\d,\d+(e[+-]?\d+)?$/i;
/** Marks of a missing value; a first line that holds one is a row, not a header. */
const missing = /^(|[+-]?nan|n\/?a|<na>|null|none|-+|\?|[+-]?inf(inity)?)$/i;

const isText = (cell: string): boolean => !number.test(cell) && !withComma.test(cell) && !missing.test(cell);

/**
 * Reads comma-, semicolon- or tab-separated numbers (RFC 4180 quotes, any line ends, `#` comment lines, byte order mark). A first line of
 * names is the header; when its first name is empty, the first column holds row names and is dropped. With `texts`, a column most of
 * whose cells are texts holds names of classes, one in every row. @throws FinitewidthError naming line and column, lines counted as an
 * editor does.
 */
export function readCsv(text: string, path = "csv", { texts = false, words }: TableOptions = {}): Table {
  const at = (line: number, column?: number): string => `${path}: line ${line}${column === undefined ? "" : `, column ${column}`}`;
  const fail = (line: number, reason: string): FinitewidthError => new FinitewidthError(`${at(line)}: ${reason}`, { code: "input", path });
  const records = recordsOf(text, path);
  const first = records[0];
  if (first === undefined) throw new FinitewidthError(`${path}: no rows`, { code: "file", path });

  const values = first.cells.filter((cell) => number.test(cell) || withComma.test(cell));
  const names = first.cells.filter(isText);
  const header = names.length > 0 && values.length === 0;
  if (names.length > 0 && values.length > 0) {
    const column = first.cells.indexOf(names[0]!);
    throw fail(
      first.line,
      `names and numbers are mixed (column ${column + 1} is ${quote(names[0]!)}); expected numbers only, or a name for every column`,
    );
  }
  const rows = header ? records.slice(1) : records;
  if (rows.length === 0) throw new FinitewidthError(`${path}: no rows below the header`, { code: "file", path });
  const width = first.cells.length;
  const skip = header && first.cells[0] === "" ? 1 : 0;
  const data = new Float64Array(rows.length * (width - skip));
  const codes = first.cells.map((name) => (header ? words?.get(name.toLowerCase()) : undefined));
  const namesOf = (j: number): readonly string[] | undefined => {
    const present = rows.flatMap(({ cells }) => (cells[j] === undefined || missing.test(cells[j]) ? [] : [cells[j]]));
    const found = present.filter(isText);
    return texts && !codes[j] && found.length > present.length / 2 ? [...new Set(found)].sort() : undefined;
  };
  const classes = first.cells.map((_, j) => namesOf(j));
  rows.forEach(({ line, cells }, i) => {
    if (cells.length !== width)
      throw fail(
        line,
        `${cells.length} cells, but ${header ? `the header (line ${first.line}) has ${width} names` : `line ${first.line} has ${width}`}`,
      );
    for (let j = skip; j < width; j++) {
      const cell = cells[j]!;
      if (classes[j] && !isText(cell)) throw inputError(at(line, j + 1), "a name, as in other rows of this column", cell);
      const known = codes[j];
      const written = number.test(cell) ? Number(cell) : Number.NaN;
      const value = known
        ? known.find(([code, word]) => code === written || word === cell.toLowerCase())?.[0]
        : (classes[j]?.indexOf(cell) ?? written);
      if (value === undefined) throw inputError(at(line, j + 1), known!.map((pair) => pair.join(" or ")).join(", "), cell);
      if (Number.isFinite(value)) data[i * (width - skip) + j - skip] = value;
      else if (withComma.test(cell))
        throw inputError(
          at(line, j + 1),
          "a finite number with a decimal point (decimal commas and thousands separators are not read)",
          cell,
        );
      else throw inputError(at(line, j + 1), "a finite number", cell);
    }
  });
  const columns = first.cells.slice(skip).map((name, j) => (header ? name : String(j)));
  return { columns, values: matrix(rows.length, width - skip, data), lines: rows.map(({ line }) => line), classes: classes.slice(skip) };
}

const quote = (cell: string): string => printable(JSON.stringify(cell), 80);

interface Line {
  readonly line: number;
  readonly cells: readonly string[];
}

function recordsOf(text: string, path: string): Line[] {
  try {
    const records: Line[] = [];
    parse(text.replace(/^\ufeff/, ""), {
      comment: "#",
      comment_no_infix: true,
      delimiter: delimiterOf(text),
      record_delimiter: ["\r\n", "\n", "\r"],
      relax_column_count: true,
      skip_empty_lines: true,
      trim: true,
      on_record: (cells: string[], { lines }) => void records.push({ line: lines, cells }),
    });
    return records;
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    const line = typeof cause["lines"] === "number" ? `line ${cause["lines"]}: ` : "";
    throw new FinitewidthError(`${path}: ${line}${printable(cause.message, 200)}`, { code: "input", path }, { cause });
  }
}

/** Tabs and semicolons separate where there are any outside quotes: a comma beside them is a decimal comma or part of a name. */
function delimiterOf(text: string): string {
  const line = /^(?!\ufeff?#)[^\r\n]*[^\s][^\r\n]*$/m.exec(text)?.[0] ?? "";
  const bare = line.trim().replaceAll(/"[^"]*"/g, "");
  return ["\t", ";", ","].find((candidate) => bare.includes(candidate)) ?? ",";
}
