import type { Matrix } from "@finitewidth/core";

/** Numbers that a heat map is made of. */
export interface HeatmapEntries {
  readonly values: Matrix;
  /** Subtracted from the values. */
  readonly less?: Matrix;
  /** Row i and column j of the picture are row order[i] and column order[j] of a square matrix. */
  readonly order?: ArrayLike<number>;
}

/** What drawing entries takes of them. */
export interface Survey {
  /** Infinity where no entry is finite. */
  readonly low: number;
  /** −Infinity where no entry is finite. */
  readonly high: number;
  /** Means over blocks, at most limit × limit of them, for every limit. */
  readonly means: readonly Matrix[];
}

/** Limits of the entries, and their means over blocks, in one pass row by row: no copy of a large matrix. */
export function survey({ values, less, order }: HeatmapEntries, limits: readonly number[]): Survey {
  const [rows, columns] = values.shape;
  const plain = less === undefined && order === undefined;
  const means = limits.map((limit) => (plain && rows <= limit && columns <= limit ? undefined : blocksOf(rows, columns, limit)));
  const places = order && Int32Array.from(order);
  const buffer = new Float64Array(plain ? 0 : columns);
  const range = Float64Array.of(Infinity, -Infinity);
  for (let y = 0; y < rows; y++) {
    const from = (places ? places[y]! : y) * columns;
    const row = plain ? values.data.subarray(from, from + columns) : buffer;
    if (!plain) gather(values.data, less?.data, from, places, row);
    widen(range, row);
    for (const blocks of means) if (blocks) add(row, y, blocks);
  }
  return { low: range[0]!, high: range[1]!, means: means.map((blocks) => (blocks ? meansOf(blocks) : values)) };
}

// small functions of rows are compiled long before a picture is done
function widen(range: Float64Array, row: Float64Array): void {
  let [low, high] = [range[0]!, range[1]!];
  for (let j = 0; j < row.length; j++) {
    const value = row[j]!;
    if (value < low && value !== -Infinity) low = value;
    if (value > high && value !== Infinity) high = value;
  }
  range[0] = low;
  range[1] = high;
}

function gather(data: Float64Array, less: Float64Array | undefined, from: number, places: Int32Array | undefined, row: Float64Array): void {
  if (places) for (let j = 0; j < row.length; j++) row[j] = data[from + places[j]!]!;
  else row.set(data.subarray(from, from + row.length));
  if (less) for (let j = 0; j < row.length; j++) row[j]! -= less[from + (places ? places[j]! : j)]!;
}

/** Sums over blocks; where blocks begin, and the last ends. */
interface Blocks {
  readonly down: Uint32Array;
  readonly across: Uint32Array;
  readonly sums: Float64Array;
}

function blocksOf(rows: number, columns: number, limit: number): Blocks {
  const edges = (size: number): Uint32Array => {
    const blocks = Math.min(size, limit);
    return Uint32Array.from({ length: blocks + 1 }, (_, i) => Math.floor((i * size) / blocks));
  };
  const [down, across] = [edges(rows), edges(columns)];
  return { down, across, sums: new Float64Array((down.length - 1) * (across.length - 1)) };
}

function add(row: Float64Array, y: number, { down, across, sums }: Blocks): void {
  const width = across.length - 1;
  // the block of row y, or the one before
  let i = Math.floor((y * (down.length - 1)) / down.at(-1)!);
  if (down[i + 1]! <= y) i++;
  let at = 0;
  for (let j = 0; j < width; j++) {
    const end = across[j + 1]!;
    let sum = 0;
    for (; at < end; at++) sum += row[at]!;
    sums[i * width + j]! += sum;
  }
}

function meansOf({ down, across, sums }: Blocks): Matrix {
  const [height, width] = [down.length - 1, across.length - 1];
  for (let i = 0; i < height; i++)
    for (let j = 0; j < width; j++) sums[i * width + j]! /= (down[i + 1]! - down[i]!) * (across[j + 1]! - across[j]!);
  return { data: sums, shape: [height, width] };
}
