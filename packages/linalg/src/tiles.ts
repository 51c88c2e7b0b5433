import { FinitewidthError, inputError, shapeError, zeros, type Matrix } from "@finitewidth/core";
import { createWorkspace, type Workspace } from "./workspace.js";

/**
 * Lower triangle of a symmetric n × n matrix in square tiles, row of tiles after row: half the numbers of the whole. Rows and columns that
 * fill up the last tiles are those of the identity. Plain data.
 */
export interface LowerTiles {
  readonly size: number;
  /** Rows of a tile. */
  readonly block: number;
  /** Tile (i, j ≤ i), row-major, at (i(i + 1)/2 + j)·block². */
  readonly data: Float64Array;
}

/** Rows of a tile that keep the kernels busy and the copies small. */
const usualBlock = 512;

/** Numbers that the lower triangle of an n × n matrix takes in tiles. */
export function tiledLength(size: number, block = usualBlock): number {
  const count = Math.ceil(size / block);
  return ((count * (count + 1)) / 2) * block * block;
}

/** Rows from … to of columns first … last (exclusive). */
export type TilePart = (from: number, to: number, first: number, last: number) => Matrix;

/**
 * A symmetric matrix from its parts: `part` gives rows from … to of columns first … last (exclusive), none above the diagonal but in tiles
 * on it, whose lower triangle is read. 4 n² bytes, and every part once. @throws FinitewidthError (code "memory") when the tiles cannot be
 * had, (code "shape") for a part of another size.
 */
export function fillTiles(size: number, part: TilePart, block = usualBlock, breathe?: (fraction: number) => void): LowerTiles {
  if (!(Number.isSafeInteger(block) && block > 0)) throw inputError("block", "an integer > 0", block);
  const tiles: LowerTiles = { size, block, data: allocate(tiledLength(size, block)) };
  const count = Math.ceil(size / block);
  for (let i = 0; i < count; i++) {
    for (let j = 0; j <= i; j++) fillTile(tileOf(tiles, i, j), size, block, i, j, part);
    breathe?.(((i + 1) / count) ** 2);
  }
  return tiles;
}

function fillTile(tile: Float64Array, size: number, block: number, i: number, j: number, part: TilePart): void {
  const [from, to] = [i * block, Math.min(size, (i + 1) * block)];
  const [first, last] = [j * block, Math.min(size, (j + 1) * block)];
  const { data, shape } = part(from, to, first, last);
  if (shape[0] !== to - from || shape[1] !== last - first)
    throw shapeError("part", `${to - from} × ${last - first}`, `${shape[0]} × ${shape[1]}`);
  const columns = last - first;
  for (let row = 0; row < to - from; row++) tile.set(data.subarray(row * columns, (row + 1) * columns), row * block);
  if (i === j) for (let k = to - from; k < block; k++) tile[k * (block + 1)] = 1;
}

function allocate(length: number): Float64Array {
  try {
    return new Float64Array(length);
  } catch (cause) {
    throw new FinitewidthError(`${(8 * length) / 2 ** 30} GiB for a matrix cannot be had`, { code: "memory" }, { cause });
  }
}

function tileOf({ block, data }: LowerTiles, i: number, j: number): Float64Array {
  const at = ((i * (i + 1)) / 2 + j) * block * block;
  return data.subarray(at, at + block * block);
}

/** Tiles of a symmetric matrix, one at a time: what a product with it needs. */
export interface TileSource {
  readonly size: number;
  readonly block: number;
  /** Tile (i, j ≤ i) as `LowerTiles` has it, valid until the next call. */
  tile(i: number, j: number): Float64Array;
}

/** Tiles that are in memory. */
export const storedTiles = (tiles: LowerTiles): TileSource => ({
  size: tiles.size,
  block: tiles.block,
  tile: (i, j) => tileOf(tiles, i, j),
});

/** Tiles that are made anew whenever they are needed, by `part` as for `fillTiles`: block² numbers in all. */
export function streamedTiles(size: number, part: TilePart, block = usualBlock): TileSource {
  const tile = new Float64Array(block * block);
  return { size, block, tile: (i, j) => (fillTile(tile.fill(0), size, block, i, j, part), tile) };
}

/** Adds to every entry of the diagonal. */
export function addTiledDiagonal(tiles: LowerTiles, value: number): void {
  for (let k = 0; k < tiles.size; k++)
    tileOf(tiles, Math.floor(k / tiles.block), Math.floor(k / tiles.block))[diagonalAt(tiles, k)]! += value;
}

/** Diagonal of the matrix, or of its factor. */
export const tiledDiagonal = (tiles: LowerTiles): Float64Array =>
  Float64Array.from(
    { length: tiles.size },
    (_, k) => tileOf(tiles, Math.floor(k / tiles.block), Math.floor(k / tiles.block))[diagonalAt(tiles, k)]!,
  );

const diagonalAt = ({ block }: LowerTiles, k: number): number => (k % block) * (block + 1);

/**
 * A := L with A = L Lᵀ, in place, tile by tile; returns log det A. Half the memory of `cholesky`, and none beside the tiles but four of
 * them. @throws FinitewidthError (code "not-positive-definite") when a pivot is not positive. O(n³/3).
 */
export function tiledCholesky(tiles: LowerTiles, breathe?: (fraction: number) => void): number {
  const { block } = tiles;
  const count = Math.ceil(tiles.size / block);
  const space = createWorkspace(Array.from({ length: 4 }, () => [block, block] as const));
  const [target, left, right, inverse] = space.matrices as [Matrix, Matrix, Matrix, Matrix];
  for (let j = 0; j < count; j++) {
    for (let i = j; i < count; i++) {
      target.data.set(tileOf(tiles, i, j));
      for (let k = 0; k < j; k++) {
        left.data.set(tileOf(tiles, i, k));
        if (i !== j) right.data.set(tileOf(tiles, j, k));
        space.multiply(left, i === j ? left : right, target, { transposed: "right", alpha: -1, beta: 1 });
      }
      if (i === j) {
        const pivot = space.cholesky(target);
        if (pivot >= 0)
          throw new FinitewidthError(
            `matrix is not positive definite: pivot ${j * block + pivot} of ${tiles.size} is not positive; raise the temperature or remove duplicate inputs`,
            { code: "not-positive-definite" },
          );
        inverse.data.fill(0);
        for (let k = 0; k < block; k++) inverse.data[k * (block + 1)] = 1;
        space.solveTriangular(target, inverse);
        tileOf(tiles, i, j).set(target.data);
      } else {
        space.multiply(target, inverse, left, { transposed: "right" });
        tileOf(tiles, i, j).set(left.data);
      }
    }
    breathe?.(1 - (1 - (j + 1) / count) ** 3);
  }
  let logDeterminant = 0;
  for (const pivot of tiledDiagonal(tiles)) logDeterminant += 2 * Math.log(pivot);
  return logDeterminant;
}

/** Columns that are solved for together. */
const together = 512;

/** L⁻¹ B, or L⁻ᵀ B, for a factor of `tiledCholesky`; B is n × m and stays as it is. O(n² m). @throws FinitewidthError (code "shape"). */
export function solveTiled(tiles: LowerTiles, b: Matrix, transposed = false): Matrix {
  const [rows, columns] = b.shape;
  if (rows !== tiles.size) throw shapeError("b", `${tiles.size} rows`, `${rows}`);
  const out = { data: b.data.slice(), shape: b.shape };
  for (let first = 0; first < columns; first += together)
    solveColumns(tiles, out, first, Math.min(columns, first + together), transposed, 0);
  return out;
}

/** Columns first … last of B, whose rows before the tile row `start` are zero (not transposed). */
function solveColumns(tiles: LowerTiles, b: Matrix, first: number, last: number, transposed: boolean, start: number): void {
  const { block, size } = tiles;
  const count = Math.ceil(size / block);
  const width = last - first;
  const space = panelSpace(block, width);
  const [tile, solved, other] = space.matrices as [Matrix, Matrix, Matrix];
  for (let step = start; step < count; step++) {
    const i = transposed ? count - 1 - step + start : step;
    copyRows(b, i, first, last, solved, block, "in");
    for (let k = transposed ? i + 1 : start; k < (transposed ? count : i); k++) {
      tile.data.set(tileOf(tiles, Math.max(i, k), Math.min(i, k)));
      copyRows(b, k, first, last, other, block, "in");
      space.multiply(tile, other, solved, { transposed: transposed ? "left" : "none", alpha: -1, beta: 1 });
    }
    tile.data.set(tileOf(tiles, i, i));
    space.solveTriangular(tile, solved, transposed);
    copyRows(b, i, first, last, solved, block, "out");
  }
}

const panelSpace = (block: number, width: number): Workspace =>
  createWorkspace([
    [block, block],
    [block, width],
    [block, width],
    [block, width],
  ]);

/** Copies a row of tiles of a panel in or out; rows beyond the last are zero. */
function copyRows(b: Matrix, i: number, first: number, last: number, panel: Matrix, block: number, way: "in" | "out"): void {
  const [rows, columns] = b.shape;
  const width = last - first;
  for (let row = 0; row < block; row++) {
    const at = i * block + row;
    const own = panel.data.subarray(row * width, (row + 1) * width);
    if (at >= rows) own.fill(0);
    else if (way === "in") own.set(b.data.subarray(at * columns + first, at * columns + last));
    else b.data.set(own, at * columns + first);
  }
}

/** A V for the symmetric A of the tiles (not a factor), V n × m. O(n² m). @throws FinitewidthError (code "shape"). */
export const multiplyTiled = (tiles: TileSource, v: Matrix): Matrix => tiledProduct(tiles, v.shape[1])(v);

/**
 * The same for many V of m columns, one after the other: what the kernels work on is made once. 2 n² m flops a product. @throws
 * FinitewidthError (code "shape").
 */
export function tiledProduct(tiles: TileSource, columns: number): (v: Matrix) => Matrix {
  const { block, size } = tiles;
  const count = Math.ceil(size / block);
  const space = panelSpace(block, columns);
  const [tile, along, product, sum] = space.matrices as [Matrix, Matrix, Matrix, Matrix];
  return (v) => {
    if (v.shape[0] !== size || v.shape[1] !== columns) throw shapeError("v", `${size} rows of ${columns}`, v.shape.join(" × "));
    const out = zeros(size, columns);
    for (let i = 0; i < count; i++) {
      for (let j = 0; j <= i; j++) {
        tile.data.set(tiles.tile(i, j));
        if (i === j)
          for (let r = 0; r < block; r++) for (let c = r + 1; c < block; c++) tile.data[r * block + c] = tile.data[c * block + r]!;
        copyRows(v, j, 0, columns, along, block, "in");
        space.multiply(tile, along, sum, { beta: j === 0 ? 0 : 1 });
        if (i === j) continue;
        copyRows(v, i, 0, columns, along, block, "in");
        space.multiply(tile, along, product, { transposed: "left" });
        const above = out.data.subarray(j * block * columns, (j + 1) * block * columns);
        for (let k = 0; k < above.length; k++) above[k]! += product.data[k]!;
      }
      const own = out.data.subarray(i * block * columns, Math.min(size, (i + 1) * block) * columns);
      for (let k = 0; k < own.length; k++) own[k]! += sum.data[k]!;
    }
    return out;
  };
}

/** Diagonal of (L Lᵀ)⁻¹ for a factor of `tiledCholesky`: sums of squares down the columns of L⁻¹. n³/3 flops, n·block numbers. */
export function tiledInverseDiagonal(tiles: LowerTiles): Float64Array {
  const { block, size } = tiles;
  const out = new Float64Array(size);
  for (let from = 0; from < size; from += block) {
    const width = Math.min(block, size - from);
    const unit = zeros(size, width);
    for (let k = 0; k < width; k++) unit.data[(from + k) * width + k] = 1;
    solveColumns(tiles, unit, 0, width, false, from / block);
    for (let k = from * width; k < unit.data.length; k++) out[from + (k % width)]! += unit.data[k]! ** 2;
  }
  return out;
}
