import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { addDiagonal, block, combine, lu, multiply, multiplyTransposedRight, solve, transpose } from "@finitewidth/linalg";

export type Rows = readonly (readonly number[])[];

export const trainPoints = [
  [0.3, -1.2, 0.8],
  [1.1, 0.4, -0.5],
  [-0.7, 0.9, 1.3],
  [0.2, 0.1, -1.6],
];
export const testPoints = [
  [0.5, 0.5, -0.2],
  [-0.9, 1.4, 0.1],
  [0.2, -0.3, 1.9],
];

/** Gaussian moments of φ written out: E φφ′ at variances a, b and covariance c, E φ and E φ′ at variance a. */
export const naive = {
  identity: { product: (_a: number, c: number) => c, mean: () => 0, slope: () => 1 },
  erf: {
    product: (a: number, c: number, b: number) => (2 / Math.PI) * Math.asin((2 * c) / Math.sqrt((1 + 2 * a) * (1 + 2 * b))),
    mean: () => 0,
    slope: (a: number) => 2 / Math.sqrt(Math.PI * (1 + 2 * a)),
  },
  relu: {
    product: (a: number, c: number, b: number) => {
      const rho = Math.min(Math.max(c / Math.sqrt(a * b), -1), 1);
      return (Math.sqrt(a * b) / (2 * Math.PI)) * (Math.sqrt(1 - rho * rho) + rho * (Math.PI - Math.acos(rho)));
    },
    mean: (a: number) => Math.sqrt(a / (2 * Math.PI)),
    slope: () => 0.5,
  },
  sign: {
    product: (a: number, c: number, b: number) => (2 / Math.PI) * Math.asin(Math.min(Math.max(c / Math.sqrt(a * b), -1), 1)),
    mean: () => 0,
    slope: (a: number) => Math.sqrt(2 / (Math.PI * a)),
  },
  quadratic: { product: (a: number, c: number, b: number) => a * b + 2 * c * c, mean: (a: number) => a, slope: () => 0 },
} as const;
export type NaiveActivation = keyof typeof naive;

/** weight · x·x′/N0 + bias between two lists of points. */
export const firstCovariance = (x: Rows, z: Rows, weight: number, bias: number): Matrix =>
  matrixFromRows(x.map((a) => z.map((b) => (weight * a.reduce((sum, value, k) => sum + value * b[k]!, 0)) / a.length + bias)));

/** E φφᵀ entry by entry, from a covariance between two lists of points and their variances. */
export const productMoments = (activation: NaiveActivation, c: Matrix, left: readonly number[], right: readonly number[]): Matrix => ({
  data: c.data.map((value, at) => naive[activation].product(left[Math.floor(at / right.length)]!, value, right[at % right.length]!)),
  shape: c.shape,
});

export const diagonal = ({ data, shape: [n] }: Matrix): number[] => Array.from({ length: n }, (_, i) => data[i * (n + 1)]!);
export const outer = (x: readonly number[], z: readonly number[]): Matrix => matrixFromRows(x.map((a) => z.map((b) => a * b)));
export const column = (data: ArrayLike<number>): Matrix => ({ data: Float64Array.from(data), shape: [data.length, 1] });
export const logDeterminant = (m: Matrix): number => lu(m).logAbsoluteDeterminant;

/** Regression on the first `size` of the variables whose prior covariance is `prior`: mean and covariance of the others. */
export function regression(
  prior: Matrix,
  y: ArrayLike<number>,
  temperature: number,
): { readonly mean: Matrix; readonly covariance: Matrix } {
  const [size, all] = [y.length, prior.shape[0]];
  const a = addDiagonal(block(prior, 0, size, 0, size), temperature);
  const cross = block(prior, size, all, 0, size);
  const explained = multiply(cross, solve(a, transpose(cross)));
  return { mean: multiply(cross, solve(a, column(y))), covariance: combine(1, block(prior, size, all, size, all), -1, explained) };
}

/** The same for the first variables themselves. */
export function trainRegression(prior: Matrix, y: ArrayLike<number>, temperature: number): ReturnType<typeof regression> {
  const own = block(prior, 0, y.length, 0, y.length);
  const inverse = solve(addDiagonal(own, temperature), addDiagonal(combine(0, own, 0, own), 1));
  const pull = multiply(own, inverse);
  return { mean: multiply(pull, column(y)), covariance: combine(1, own, -1, multiplyTransposedRight(pull, own)) };
}

/** Second derivatives of f at x, by central differences. */
export function hessianOf(f: (x: readonly number[]) => number, x: readonly number[], h: number): Matrix {
  const at = (i: number, s: number, j: number, t: number): number =>
    f(x.map((value, k) => value + (k === i ? s * h : 0) + (k === j ? t * h : 0)));
  return matrixFromRows(
    x.map((_, i) => x.map((__, j) => (at(i, 1, j, 1) - at(i, 1, j, -1) - at(i, -1, j, 1) + at(i, -1, j, -1)) / (4 * h * h))),
  );
}
