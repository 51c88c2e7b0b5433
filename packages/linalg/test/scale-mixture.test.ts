import { zeros, type Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import {
  addDiagonal,
  cholesky,
  condensedNodes,
  multiplyTransposedLeft,
  predictScaleMixture,
  solveCholesky,
  tridiagonalise,
  type WeightedNodes,
} from "../src/index.js";
import { maxDifference, randomMatrix, randomPositive } from "./matrices.js";

describe("condensedNodes", () => {
  const measure = (deviation: number) => {
    const u = Float64Array.from({ length: 129 }, (_, k) => ((k - 64) / 64) * 9 * deviation);
    return { q: u.map(Math.exp), weights: u.map((value) => Math.exp(-0.5 * (value / deviation) ** 2)) };
  };
  const sum = ({ q, weights }: WeightedNodes, kappa: number, temperature: number) =>
    q.reduce((total, value, k) => total + weights[k]! / (value * kappa + temperature), 0);

  it.each([0.02, 0.1, 0.3, 1])("sums of 1/(qκ + T) to rounding for every κ, width %f", (deviation) => {
    const nodes = measure(deviation);
    const few = condensedNodes(nodes, 50, 0.01);
    if (deviation <= 0.1) expect(few.q.length).toBeLessThan(24);
    expect(few.weights.every((weight) => weight > 0)).toBe(true);
    for (const kappa of [0, 1e-6, 1e-3, 0.1, 1, 7, 50])
      expect(Math.abs(sum(few, kappa, 0.01) / sum(nodes, kappa, 0.01) - 1)).toBeLessThan(3e-14);
  });
  it("leaves a handful of nodes as they are", () => {
    const nodes = { q: Float64Array.of(1, 2), weights: Float64Array.of(0.5, 0.5) };
    expect(condensedNodes(nodes, 1, 0.1)).toBe(nodes);
  });
});

describe("predictScaleMixture", () => {
  const n = 120;
  const m = 4;
  const joint = randomPositive(n + m, 200, 0.01, 5);
  const part = (r0: number, r1: number, c0: number, c1: number): Matrix => {
    const out = zeros(r1 - r0, c1 - c0);
    for (let i = r0; i < r1; i++) for (let j = c0; j < c1; j++) out.data[(i - r0) * (c1 - c0) + j - c0] = joint.data[i * (n + m) + j]!;
    return out;
  };
  const [a, cross] = [part(0, n, 0, n), part(0, n, n, n + m)];
  const prior = Float64Array.from({ length: m }, (_, j) => joint.data[(n + j) * (n + m + 1)]!);
  const targets = randomMatrix(n, 1, 6).data;
  const form = tridiagonalise(a);
  const u = Float64Array.from({ length: 61 }, (_, k) => (k - 30) / 30);
  const raw = u.map((value) => Math.exp(-20 * (value - 0.1) ** 2));
  const total = raw.reduce((sum, value) => sum + value, 0);
  const nodes = { q: u.map(Math.exp), weights: raw.map((value) => value / total) };

  /** Mixture of Gaussian processes, every component by Cholesky. */
  function direct(noise: number, bias: number): { mean: Float64Array; variance: Float64Array } {
    const mean = new Float64Array(m);
    const second = new Float64Array(m);
    for (const [k, q] of nodes.q.entries()) {
      const factor = cholesky(addDiagonal({ data: a.data.map((value) => q * value + bias), shape: a.shape }, noise));
      const c: Matrix = { data: cross.data.map((value) => q * value + bias), shape: cross.shape };
      const solved = solveCholesky(factor, c);
      const means = multiplyTransposedLeft(solved, { data: targets, shape: [n, 1] }).data;
      for (let j = 0; j < m; j++) {
        let variance = q * prior[j]! + bias;
        for (let i = 0; i < n; i++) variance -= c.data[i * m + j]! * solved.data[i * m + j]!;
        mean[j]! += nodes.weights[k]! * means[j]!;
        second[j]! += nodes.weights[k]! * (variance + means[j]! ** 2);
      }
    }
    return { mean, variance: second.map((value, j) => value - mean[j]! ** 2) };
  }

  it.each([
    [0.1, 0],
    [0.1, 0.7],
    [3, 2],
    [1e-4, 0.3],
  ])("agrees with Cholesky for every q, t = %f, b = %f", (noise, biasVariance) => {
    const found = predictScaleMixture({ form, targets, noise, biasVariance, nodes }, cross, prior)!;
    const expected = direct(noise, biasVariance);
    expect(maxDifference(found.mean, expected.mean)).toBeLessThan(1e-10);
    expect(maxDifference(found.variance, expected.variance)).toBeLessThan(1e-10);
    // another weight of the bias or of the noise must show
    expect(maxDifference(found.variance, direct(1.01 * noise, biasVariance + 0.01).variance)).toBeGreaterThan(1e-7);
  });
  it("more points than go through a recurrence together, nodes without weight left out", () => {
    // combinations of the four: column j of each is that of point j mod 4
    const many = 70;
    const wide: Matrix = {
      data: Float64Array.from({ length: n * many }, (_, e) => cross.data[Math.floor(e / many) * m + ((e % many) % m)]!),
      shape: [n, many],
    };
    const own = Float64Array.from({ length: many }, (_, j) => prior[j % m]!);
    const settings = { form, targets, noise: 0.5, biasVariance: 0.7 };
    const useless = { q: Float64Array.of(...nodes.q, 1e9), weights: Float64Array.of(...nodes.weights, 1e-19) };
    const [found, few] = [
      predictScaleMixture({ ...settings, nodes: useless }, wide, own)!,
      predictScaleMixture({ ...settings, nodes }, cross, prior)!,
    ];
    for (let j = 0; j < many; j++) {
      expect(found.mean[j]! / few.mean[j % m]!).toBeCloseTo(1, 11);
      expect(found.variance[j]! / few.variance[j % m]!).toBeCloseTo(1, 11);
    }
  });
  it("one node", () => {
    const found = predictScaleMixture(
      { form, targets, noise: 0.1, biasVariance: 0, nodes: { q: Float64Array.of(1), weights: Float64Array.of(1) } },
      cross,
      prior,
    )!;
    const solved = solveCholesky(cholesky(addDiagonal(a, 0.1)), cross);
    expect(maxDifference(found.mean, multiplyTransposedLeft(solved, { data: targets, shape: [n, 1] }).data)).toBeLessThan(1e-12);
    const explained = multiplyTransposedLeft(cross, solved).data;
    const variance = prior.map((value, j) => value - explained[j * (m + 1)]!);
    expect(maxDifference(found.variance, variance)).toBeLessThan(1e-12);
  });
  it("leaves many points, and noise lost in rounding, to the eigenvectors", () => {
    expect(predictScaleMixture({ form, targets, noise: 1e-12, biasVariance: 0, nodes }, cross, prior)).toBeUndefined();
    expect(predictScaleMixture({ form, targets, noise: 0, biasVariance: 0, nodes }, cross, prior)).toBeUndefined();
    expect(
      predictScaleMixture({ form, targets, noise: 0.1, biasVariance: 0, nodes }, randomMatrix(n, 5000), new Float64Array(5000).fill(1)),
    ).toBeUndefined();
  });
  it("names shapes that do not fit", () => {
    expect(() => predictScaleMixture({ form, targets, noise: 0.1, biasVariance: 0, nodes }, zeros(n - 1, m), prior)).toThrow(/cross/);
    expect(() => predictScaleMixture({ form, targets, noise: 0.1, biasVariance: 0, nodes }, cross, new Float64Array(1))).toThrow(/prior/);
  });
});
