import type { Matrix } from "@finitewidth/core";

/** √Σ a². */
export const norm = (values: ArrayLike<number>): number => Math.sqrt(dot(values, values));

/** Σ a b. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** a − b. */
export const difference = (a: Matrix, b: Matrix): Matrix => ({ data: a.data.map((value, i) => value - b.data[i]!), shape: a.shape });

/** |A − B|_F/|B|_F. */
export const relativeShift = (a: Matrix, b: Matrix): number => norm(difference(a, b).data) / norm(b.data);

/** Slope of log y against log x by least squares. */
export function slope(x: readonly number[], y: readonly number[]): number {
  const [u, v] = [x.map(Math.log), y.map(Math.log)];
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [centreU, centreV] = [mean(u), mean(v)];
  const [du, dv] = [u.map((value) => value - centreU), v.map((value) => value - centreV)];
  return dot(du, dv) / dot(du, du);
}

/** Values a, …, b. */
export const linear = (from: number, to: number, points: number): number[] =>
  Array.from({ length: points }, (_, i) => from + ((to - from) * i) / (points - 1));

/** Rows of a matrix as plain arrays. */
export const rows = ({ data, shape: [m, n] }: Matrix): number[][] =>
  Array.from({ length: m! }, (_, i) => Array.from(data.subarray(i * n!, (i + 1) * n!)));

/** A matrix from its rows. */
export const fromRows = (values: readonly (readonly number[])[]): Matrix => ({
  data: Float64Array.from(values.flat()),
  shape: [values.length, values[0]!.length],
});

/** Σ_i A_ii. */
export const trace = (values: readonly (readonly number[])[]): number => values.reduce((sum, row, i) => sum + row[i]!, 0);
