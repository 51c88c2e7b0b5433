import { beforeAll, describe, expect, test } from "vitest";
import { zeros, type Matrix } from "@finitewidth/core";
import { fillTiles, gram, storedTiles, type TileSource } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import {
  conditionGaussianProcess,
  conditionIteratively,
  conjugateGradients,
  lowRankPreconditioner,
  predictGaussianProcess,
  predictIteratively,
  randomlyPivotedCholesky,
} from "../src/index.js";
import { normalMatrix } from "../../../tools/testing.ts";

const normals = (rows: number, columns: number, seed: number): Matrix => normalMatrix(stream(seed, 0), rows, columns);

const part = (k: Matrix, rows: readonly number[], columns: readonly number[]): Matrix => ({
  data: Float64Array.from(
    { length: rows.length * columns.length },
    (_, at) => k.data[rows[Math.floor(at / columns.length)]! * k.shape[1] + columns[at % columns.length]!]!,
  ),
  shape: [rows.length, columns.length],
});
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

const [points, tests, temperature] = [260, 9, 0.02] as const;

/** Arcsine kernel of inputs on few directions: eigenvalues over many decades, as of digits. */
function problem() {
  const all = points + tests;
  const x = normals(all, 6, 1);
  const g = gram(x);
  const k = zeros(all, all);
  for (let i = 0; i < all; i++)
    for (let j = 0; j < all; j++)
      k.data[i * all + j] =
        (2 / Math.PI) *
        Math.asin((2 * g.data[i * all + j]!) / Math.sqrt((1 + 2 * g.data[i * (all + 1)]!) * (1 + 2 * g.data[j * (all + 1)]!)));
  const targets = zeros(points, 2);
  for (let i = 0; i < points; i++) targets.data.set([Math.sign(x.data[6 * i]!), Math.sin(x.data[6 * i + 1]!)], 2 * i);
  const [train, test] = [range(0, points), range(points, all)];
  return { kernel: part(k, train, train), cross: part(k, train, test), prior: part(k, test, test), targets };
}

describe("a Gaussian process by iterations", () => {
  const { kernel, cross, prior, targets } = problem();
  const diagonal = Float64Array.from({ length: points }, (_, i) => kernel.data[i * (points + 1)]!);
  const dense = conditionGaussianProcess(kernel, targets, temperature);
  const factor = (rank: number, seed = 3): Matrix =>
    randomlyPivotedCholesky(diagonal, (pivots) => part(kernel, range(0, points), pivots), rank, stream(seed, 1));
  let tiles: TileSource;
  beforeAll(() => {
    tiles = storedTiles(fillTiles(points, (from, to, first, last) => part(kernel, range(from, to), range(first, last)), 64));
  });

  test("weights are those of the Cholesky factor to the residual that is stated", () => {
    for (const rank of [0, 20, 100]) {
      const found = conditionIteratively(tiles, factor(rank), targets, temperature, stream(1, 1));
      expect(found.converged).toBe(true);
      expect(found.residual).toBeLessThan(1e-9);
      const size = Math.hypot(...dense.weights.data);
      expect(Math.hypot(...found.weights.data.map((value, i) => value - dense.weights.data[i]!)) / size).toBeLessThan(
        (100 * found.residual) / temperature,
      );
    }
  });

  test("the preconditioner saves iterations and narrows the error of the evidence", () => {
    const [none, some] = [0, 100].map((rank) => conditionIteratively(tiles, factor(rank), targets, temperature, stream(1, 1)));
    expect(some!.iterations).toBeLessThan(0.6 * none!.iterations);
    expect(some!.logEvidenceError).toBeLessThan(0.6 * none!.logEvidenceError);
  });

  test("the standard error of the evidence is honest: scores over seeds have mean 0 and variance 1", () => {
    const seeds = 60;
    const probes = 16;
    const scores = Array.from({ length: seeds }, (_, seed) => {
      const found = conditionIteratively(tiles, factor(60, seed), targets, temperature, stream(seed, 2), { probes, tolerance: 1e-6 });
      return (found.logEvidence - dense.logEvidence) / found.logEvidenceError;
    });
    const mean = scores.reduce((sum, score) => sum + score, 0) / seeds;
    const square = scores.reduce((sum, score) => sum + score * score, 0) / seeds;
    // Student t of 15 degrees: variance 15/13, kurtosis 3 + 6/11
    const variance = (probes - 1) / (probes - 3);
    expect(Math.abs(mean)).toBeLessThan(4 * Math.sqrt(variance / seeds));
    expect(Math.abs(square - variance)).toBeLessThan(4 * variance * Math.sqrt((2 + 6 / (probes - 5)) / seeds));
  });

  test("predictions are those of the Cholesky factor, joint covariance included", () => {
    const low = factor(60);
    const { weights } = conditionIteratively(tiles, low, targets, temperature, stream(1, 1));
    const expected = predictGaussianProcess(dense, cross, prior);
    const found = predictIteratively(tiles, low, weights, temperature, cross, prior);
    const marginal = predictIteratively(
      tiles,
      low,
      weights,
      temperature,
      cross,
      Float64Array.from({ length: tests }, (_, j) => prior.data[j * (tests + 1)]!),
    );
    found.mean.data.forEach((value, i) => expect(value).toBeCloseTo(expected.mean.data[i]!, 8));
    found.variance.forEach((value, j) => {
      expect(value).toBeCloseTo(expected.variance[j]!, 10);
      expect(marginal.variance[j]).toBe(value);
    });
    found.covariance!.data.forEach((value, i) => expect(value).toBeCloseTo(expected.covariance!.data[i]!, 7));
  });

  test("more test points than are solved for together", () => {
    // 131 of the training points in another order: 128 and 3
    const order = range(0, 131).map((j) => (7 * j) % points);
    const many = part(kernel, range(0, points), order);
    const own = part(kernel, order, order);
    const low = factor(60);
    const expected = predictGaussianProcess(dense, many, own);
    const found = predictIteratively(tiles, low, dense.weights, temperature, many, own);
    for (const j of [0, 127, 128, 130]) {
      expect(found.variance[j]).toBeCloseTo(expected.variance[j]!, 9);
      for (const a of [0, 1]) expect(found.mean.data[2 * j + a]).toBeCloseTo(expected.mean.data[2 * j + a]!, 9);
      for (const i of [0, 128, 130]) expect(found.covariance!.data[j * 131 + i]).toBeCloseTo(expected.covariance!.data[j * 131 + i]!, 6);
    }
  });

  test("what does not converge is an error that names the way out", () => {
    expect(() => conditionIteratively(tiles, factor(0), targets, 1e-9, stream(1, 1), { maximumIterations: 5 })).toThrow(
      /"solver": "dense"/,
    );
  });
});

describe("randomly pivoted Cholesky", () => {
  test("reproduces a kernel of low rank with duplicates, and no more columns than its rank", () => {
    const x = normals(40, 5, 2);
    for (let i = 20; i < 40; i++) x.data.copyWithin(5 * i, 5 * (i - 20), 5 * (i - 19));
    const k = gram(x);
    const diagonal = Float64Array.from({ length: 40 }, (_, i) => k.data[i * 41]!);
    const g = randomlyPivotedCholesky(diagonal, (pivots) => part(k, range(0, 40), pivots), 30, stream(4, 1));
    expect(g.shape).toEqual([40, 5]);
    gram(g).data.forEach((value, i) => expect(value).toBeCloseTo(k.data[i]!, 9));
  });

  test("the preconditioner is the inverse of G Gᵀ + T, its draws have that covariance", () => {
    const g = normals(7, 3, 3);
    const m = lowRankPreconditioner(g, 0.3);
    const whole = gram(g);
    for (let i = 0; i < 7; i++) whole.data[i * 8]! += 0.3;
    m.apply(whole).data.forEach((value, i) => expect(value).toBeCloseTo(i % 8 === 0 ? 1 : 0, 12));
    const count = 20_000;
    const draws = m.sample(stream(5, 1), count);
    for (let i = 0; i < 7; i++)
      for (let j = 0; j <= i; j++) {
        let sum = 0;
        for (let k = 0; k < count; k++) sum += (draws.data[i * count + k]! * draws.data[j * count + k]!) / count;
        const [a, b, c] = [whole.data[i * 8]!, whole.data[j * 8]!, whole.data[i * 7 + j]!];
        expect(Math.abs(sum - c)).toBeLessThan(4.5 * Math.sqrt((a * b + c * c) / count));
      }
  });
});

describe("conjugate gradients for many columns", () => {
  test("columns of zeros are zero, and the tridiagonal matrix is that of Lanczos", () => {
    const n = 12;
    const a = gram(normals(n, n, 6));
    for (let i = 0; i < n; i++) a.data[i * (n + 1)]! += 1;
    const apply = (v: Matrix): Matrix => {
      const out = zeros(...v.shape);
      const columns = v.shape[1];
      for (let i = 0; i < n; i++)
        for (let k = 0; k < n; k++)
          for (let j = 0; j < columns; j++) out.data[i * columns + j]! += a.data[i * n + k]! * v.data[k * columns + j]!;
      return out;
    };
    const b = zeros(n, 2);
    for (let i = 0; i < n; i++) b.data[2 * i] = Math.cos(i);
    const found = conjugateGradients(apply, (v) => ({ data: v.data.slice(), shape: v.shape }), b, {
      tolerance: 1e-12,
      maximumIterations: 50,
    });
    expect(found.converged).toBe(true);
    apply(found.solution).data.forEach((value, i) => expect(value).toBeCloseTo(b.data[i]!, 9));
    const [first] = found.tridiagonals;
    let [square, along] = [0, 0];
    const ab = apply(b).data;
    for (let i = 0; i < n; i++) [square, along] = [square + b.data[2 * i]! ** 2, along + b.data[2 * i]! * ab[2 * i]!];
    expect(first!.diagonal[0]).toBeCloseTo(along / square, 10);
    expect(found.tridiagonals[1]!.diagonal.length).toBe(0);
  });
});
