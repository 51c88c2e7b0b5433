import { selectRows, zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import {
  backend,
  cholesky,
  multiply,
  multiplyTransposedLeft,
  solveCholesky,
  solveLower,
  transpose,
  type SymmetricTridiagonal,
} from "@finitewidth/linalg";

/** K ≈ G Gᵀ: G is P × r. Plain data. */
export type LowRank = Matrix;

/** Columns that are chosen, and made, together. */
const together = 64;

/** Share of the largest variance below which a column holds nothing but what others hold already. */
const leastGain = 1e-10;

/**
 * Partial Cholesky factor G (P × r, r ≤ `rank`) of a positive semi-definite kernel given by its columns: pivots are drawn in groups with
 * probabilities that are what is left of the diagonal, and columns of a group that the others explain are left out. Never more than the
 * columns asked for are made. 2 P r² flops.
 * Source: Y. Chen, E. Epperly, J. Tropp, R. Webber, Randomly pivoted Cholesky (2023), with groups.
 */
export function randomlyPivotedCholesky(
  diagonal: Float64Array,
  columns: (pivots: readonly number[]) => Matrix,
  rank: number,
  random: RandomStream,
  breathe?: (fraction: number) => void,
): LowRank {
  const points = diagonal.length;
  const left = diagonal.slice();
  const threshold = leastGain * diagonal.reduce((most, value) => Math.max(most, value), 0);
  const groups: Matrix[] = [];
  let found = 0;
  while (found < rank) {
    breathe?.(found / rank);
    const pivots = drawPivots(left, Math.min(together, rank - found), threshold, random);
    if (pivots.length === 0) break;
    const fresh = columns(pivots);
    for (const group of groups) {
      const own = selectRows(group, pivots);
      const explained = multiply(group, transpose(own));
      for (let i = 0; i < fresh.data.length; i++) fresh.data[i]! -= explained.data[i]!;
    }
    const { kept, factor } = independentPart(selectRows(fresh, pivots), threshold);
    if (kept.length === 0) {
      for (const pivot of pivots) left[pivot] = 0;
      continue;
    }
    const group = transpose(solveLower(factor, transpose(columnsOf(fresh, kept))));
    for (let i = 0; i < points; i++)
      for (let k = 0; k < kept.length; k++) left[i] = Math.max(left[i]! - group.data[i * kept.length + k]! ** 2, 0);
    for (const pivot of pivots) left[pivot] = 0;
    groups.push(group);
    found += kept.length;
  }
  const out = zeros(points, found);
  let at = 0;
  for (const { data, shape } of groups) {
    for (let i = 0; i < points; i++) out.data.set(data.subarray(i * shape[1], (i + 1) * shape[1]), i * found + at);
    at += shape[1];
  }
  return out;
}

/** Up to `count` different points with probabilities in proportion to what is left of them. */
function drawPivots(left: Float64Array, count: number, threshold: number, random: RandomStream): number[] {
  const sums = new Float64Array(left.length);
  let total = 0;
  left.forEach((value, i) => (sums[i] = total += value > threshold ? value : 0));
  if (!(total > 0)) return [];
  const chosen = new Set<number>();
  for (let k = 0; k < count; k++) {
    const wanted = random.uniform() * total;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! > wanted) high = middle;
      else low = middle + 1;
    }
    chosen.add(low);
  }
  return [...chosen];
}

/** Places of a maximal well-conditioned part of a small positive semi-definite matrix, and its Cholesky factor. */
function independentPart(square: Matrix, threshold: number): { readonly kept: readonly number[]; readonly factor: Matrix } {
  const n = square.shape[0];
  const rest = square.data.slice();
  const open = new Set(Array.from({ length: n }, (_, i) => i));
  const kept: number[] = [];
  for (;;) {
    let pivot = -1;
    for (const i of open) if (pivot < 0 || rest[i * (n + 1)]! > rest[pivot * (n + 1)]!) pivot = i;
    // what rounding leaves of a column that others explain is no column
    if (pivot < 0 || !(rest[pivot * (n + 1)]! > Math.max(threshold, 1e-8 * square.data[pivot * (n + 1)]!))) break;
    open.delete(pivot);
    kept.push(pivot);
    for (const i of open) for (const j of open) rest[i * n + j]! -= (rest[i * n + pivot]! * rest[pivot * n + j]!) / rest[pivot * (n + 1)]!;
  }
  kept.sort((a, b) => a - b);
  return { kept, factor: kept.length === 0 ? zeros(0, 0) : cholesky(selectRows(columnsOf(square, kept), kept)).factor };
}

function columnsOf({ data, shape: [rows, columns] }: Matrix, wanted: readonly number[]): Matrix {
  const out = zeros(rows, wanted.length);
  for (let i = 0; i < rows; i++) wanted.forEach((column, k) => (out.data[i * wanted.length + k] = data[i * columns + column]!));
  return out;
}

/** M = G Gᵀ + T. */
export interface LowRankPreconditioner {
  /** M⁻¹V = (V − G (T + GᵀG)⁻¹ GᵀV)/T. O(P r m). */
  apply(v: Matrix): Matrix;
  readonly logDeterminant: number;
  /** P × count draws from N(0, M). */
  sample(random: RandomStream, count: number): Matrix;
}

/** M = G Gᵀ + T by Woodbury's identity: P r² flops once. @throws FinitewidthError (code "not-positive-definite") for T ≤ 0. */
export function lowRankPreconditioner(g: LowRank, temperature: number): LowRankPreconditioner {
  const [points, rank] = g.shape;
  const inner = multiplyTransposedLeft(g, g);
  for (let k = 0; k < rank; k++) inner.data[k * (rank + 1)]! += temperature;
  const small = cholesky(inner, inner.data);
  return {
    apply: (v) => {
      const seen = multiply(g, solveCholesky(small, multiplyTransposedLeft(g, v)));
      for (let i = 0; i < seen.data.length; i++) seen.data[i] = (v.data[i]! - seen.data[i]!) / temperature;
      return seen;
    },
    logDeterminant: small.logDeterminant + (points - rank) * Math.log(temperature),
    sample: (random, count) => {
      const own = { data: random.normals(new Float64Array(rank * count)), shape: [rank, count] as const };
      const noise = random.normals(new Float64Array(points * count));
      const out = multiply(g, own);
      for (let i = 0; i < out.data.length; i++) out.data[i]! += Math.sqrt(temperature) * noise[i]!;
      return out;
    },
  };
}

/**
 * n·e₁ᵀ log(T) e₁ of a tridiagonal matrix: one probe's estimate of the log determinant of the n × n matrix that it comes from. O(m³) for m
 * steps.
 */
export function logDeterminantOf(tridiagonal: SymmetricTridiagonal, size: number): number {
  const { values, vectors } = backend().tridiagonalEigen(tridiagonal);
  let sum = 0;
  values.forEach((value, k) => (sum += vectors.data[k]! ** 2 * Math.log(value)));
  return size * sum;
}
