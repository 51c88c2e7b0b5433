import type { Matrix, MixingLaw, WishartChain } from "@finitewidth/core";
import { cholesky, gram, innerProduct, multiply, multiplyTransposedRight, solveLower, transpose } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import {
  addConstantCovariance,
  averageOverSites,
  biasCovariance,
  biasCovarianceAdjoint,
  blockDiagonal,
  chainLayout,
  constantCovarianceAdjoint,
  expandSites,
  featuresOfSites,
  hasUpperBiases,
  learnedFeatureCovariance,
  reduceSites,
  siteGeometryOf,
  siteKernelDiagonal,
  siteMap,
  stackFeatures,
} from "../src/index.js";

const random = stream(51);
const symmetric = (n: number): Matrix => gram(normalMatrix(random, n, n + 1));
const sum = (count: number, term: (i: number) => number): number =>
  Array.from({ length: count }, (_, i) => term(i)).reduce((a, b) => a + b, 0);
/** Entry by entry. */
const matrixOf = (rows: number, columns: number, entry: (i: number, j: number) => number): Matrix => ({
  data: Float64Array.from({ length: rows * columns }, (_, e) => entry(Math.floor(e / columns), e % columns)),
  shape: [rows, columns],
});
const at = (m: Matrix, i: number, j: number): number => m.data[i * m.shape[1] + j]!;
const exact = { relative: 1e-12, absolute: 1e-13 };

describe("biases of a chain", () => {
  const [outputs, sites] = [3, 2];
  const layer = (biasVariance: number, weights: readonly number[]) => ({
    width: 5,
    sites: weights.length,
    variance: 1,
    taps: [],
    biasVariance,
    biasWeights: Float64Array.from(weights),
  });
  const chain: WishartChain = { layers: [layer(0, [1]), layer(0.7, [1.5, -0.4]), layer(0.2, [0.6])], readoutBiasVariance: 0.3 };

  it("make a constant of the covariance σ² + Σ σ² vᵀM v, and its adjoint", () => {
    const mixing = [symmetric(outputs), symmetric(outputs * sites), symmetric(outputs)];
    const [v, w] = [[1.5, -0.4], 0.6];
    const expected = matrixOf(
      outputs,
      outputs,
      (a, b) =>
        (a === b ? 0.3 : 0) +
        0.7 * sum(sites, (i) => sum(sites, (j) => v[i]! * v[j]! * at(mixing[1]!, a * sites + i, b * sites + j))) +
        0.2 * w * w * at(mixing[2]!, a, b),
    );
    const found = biasCovariance(chain, outputs, mixing);
    expectClose(found, expected, exact);
    const gradient = symmetric(outputs);
    const adjoints = biasCovarianceAdjoint(chain, outputs, gradient);
    expect(adjoints[0]).toBeUndefined();
    const without = biasCovariance({ ...chain, readoutBiasVariance: 0 }, outputs, mixing);
    expect(innerProduct(without, gradient)).toBeCloseTo(
      innerProduct(adjoints[1]!, mixing[1]!) + innerProduct(adjoints[2]!, mixing[2]!),
      10,
    );
    // each alone
    const upper = biasCovariance(
      { layers: [chain.layers[0]!, layer(0, [1, 1]), chain.layers[2]!], readoutBiasVariance: 0 },
      outputs,
      mixing,
    );
    expect(innerProduct(upper, gradient)).toBeCloseTo(innerProduct(adjoints[2]!, mixing[2]!), 10);
    expect(hasUpperBiases(chain)).toBe(true);
    expect(hasUpperBiases({ layers: [chain.layers[0]!], readoutBiasVariance: 0.1 })).toBe(true);
    expect(hasUpperBiases({ layers: chain.layers.slice(0, 2), readoutBiasVariance: 0 })).toBe(true);
    expect(hasUpperBiases({ layers: chain.layers.slice(0, 1), readoutBiasVariance: 0 })).toBe(false);
  });

  it("are added to every pair of points, others included, and taken from them by the adjoint", () => {
    const bias = symmetric(outputs);
    const [points, others] = [4, 2];
    const covariance = normalMatrix(random, outputs * points, outputs * others);
    const before = covariance.data.slice();
    addConstantCovariance(covariance, bias);
    expectClose(
      covariance.data.map((value, e) => value - before[e]!),
      matrixOf(outputs * points, outputs * others, (r, c) => at(bias, Math.floor(r / points), Math.floor(c / others))),
      exact,
    );
    const h = symmetric(outputs * points);
    const whole = matrixOf(outputs * points, outputs * points, () => 0);
    addConstantCovariance(whole, bias);
    expect(innerProduct(constantCovarianceAdjoint(h, outputs), bias)).toBeCloseTo(innerProduct(h, whole), 9);
    expect(at(constantCovarianceAdjoint(h, outputs), 0, 2)).toBeCloseTo(
      sum(points, (i) => sum(points, (j) => at(h, i, 2 * points + j))),
      10,
    );
  });
});

describe("sites and their combinations", () => {
  const [outputs, sites, reduced, points, width] = [2, 4, 3, 5, 6];
  const basis = normalMatrix(random, sites, reduced);
  const features = Array.from({ length: sites }, () => normalMatrix(random, points, width));

  it("mixing matrices over reduced sites as ones over sites, averaged over outputs", () => {
    const mixing = symmetric(outputs * reduced);
    const whole = expandSites(basis, mixing);
    const expected = matrixOf(outputs * sites, outputs * sites, (r, c) => {
      const [a, i, b, j] = [Math.floor(r / sites), r % sites, Math.floor(c / sites), c % sites];
      return sum(reduced, (p) => sum(reduced, (q) => at(basis, i, p) * at(mixing, a * reduced + p, b * reduced + q) * at(basis, j, q)));
    });
    expectClose(whole, expected, exact);
    expectClose(
      siteMap(whole, outputs),
      matrixOf(sites, sites, (i, j) => (at(whole, i, j) + at(whole, sites + i, sites + j)) / 2),
      exact,
    );
    expectClose(
      blockDiagonal(basis, 2),
      matrixOf(8, 6, (r, c) => (Math.floor(r / 4) === Math.floor(c / 3) ? at(basis, r % 4, c % 3) : 0)),
      exact,
    );
  });

  it("features of reduced sites, by the basis or as the law has them", () => {
    const found = reduceSites(features, basis);
    found.forEach((one, r) =>
      expectClose(
        one,
        matrixOf(points, width, (mu, f) => sum(sites, (i) => at(basis, i, r) * at(features[i]!, mu, f))),
        exact,
      ),
    );
    const geometry = { siteFeatures: () => features, siteBases: [basis] };
    expect(featuresOfSites(geometry, features[0]!)).toEqual(found);
    expect(featuresOfSites({ ...geometry, reducedFeatures: () => features.slice(1) }, features[0]!)).toEqual(features.slice(1));
    const law = { sites: 1 } as unknown as MixingLaw;
    expect(siteGeometryOf(law)).toBeUndefined();
    expect(siteGeometryOf({ ...law, ...geometry } as MixingLaw)).toMatchObject(geometry);
    const core = symmetric(width);
    const products = features.map((feature) => multiplyTransposedRight(multiply(feature, core), feature));
    expectClose(
      averageOverSites(features, core),
      matrixOf(points, points, (i, j) => sum(sites, (s) => at(products[s]!, i, j)) / sites),
      exact,
    );
  });

  it("diagonals of more points than a block has", () => {
    const inputs = normalMatrix(random, 131, 3);
    const sizes: number[] = [];
    const law = { siteKernels: (x: Matrix) => (sizes.push(x.shape[0]), [gram(x), symmetric(2)]) } as unknown as MixingLaw;
    expectClose(
      siteKernelDiagonal(law, inputs),
      Array.from({ length: 131 }, (_, i) => sum(3, (k) => at(inputs, i, k) ** 2)),
      exact,
    );
    expect(sizes).toEqual([64, 64, 3]);
  });

  it("what filters learn: 1 + Σ_c Ψ_cᵀ(wαα^T − Σ⁻¹)Ψ_c/C over features", () => {
    const [rank, channels, weight] = [3, 7, 1.4];
    const stacked = stackFeatures(features);
    const factor = normalMatrix(random, outputs * sites, rank);
    const n = outputs * points;
    /** Ψ_c: (output, point) × feature. */
    const design = (c: number): Matrix =>
      matrixOf(n, width, (r, f) => sum(sites, (i) => at(factor, Math.floor(r / points) * sites + i, c) * at(features[i]!, r % points, f)));
    const alpha = random.normals(new Float64Array(n));
    const lower = cholesky(symmetric(n)).factor;
    const whiten = (b: Matrix): Matrix => solveLower(lower, b);
    const image = Array.from({ length: rank }, (_, c) => multiply(transpose(design(c)), { data: alpha, shape: [n, 1] }).data);
    const white = Array.from({ length: rank }, (_, c) => gram(transpose(whiten(design(c)))));
    const expected = (reduced: number) =>
      matrixOf(
        width,
        width,
        (f, g) => (f === g ? 1 : 0) + sum(rank, (c) => weight * image[c]![f]! * image[c]![g]! - reduced * at(white[c]!, f, g)) / channels,
      );
    expectClose(learnedFeatureCovariance(stacked, factor, channels, { alpha, weight }), expected(0), { relative: 1e-10, absolute: 1e-11 });
    expectClose(learnedFeatureCovariance(stacked, factor, channels, { alpha, weight, whiten }), expected(1), {
      relative: 1e-10,
      absolute: 1e-11,
    });
  });
});

describe("layouts", () => {
  const one: Matrix = { data: Float64Array.of(1), shape: [1, 1] };
  const plain = { sites: 1, variance: 1, taps: [one], biasVariance: 0, biasWeights: Float64Array.of(1) };
  it("refuse a skip between widths, and one over several sites under too few units", () => {
    const skip = { coefficient: 1, tap: one };
    const of = (widths: readonly number[]): WishartChain => ({
      layers: widths.map((width, l) => ({
        ...plain,
        width,
        ...(l === 1 ? { skip } : {}),
        ...(l === widths.length - 1 ? { taps: [] } : {}),
      })),
      readoutBiasVariance: 0,
    });
    expect(() => chainLayout(of([3, 4, 5]), 1)).toThrow(
      "chain.layers[1].width: expected the width of the layer above, to which it skips, got 4",
    );
    expect(() => chainLayout(of([3, 5, 5]), 1)).not.toThrow();
    const tap: Matrix = { data: Float64Array.of(1, 0.5, 0.3), shape: [1, 3] };
    const sites = (width: number): WishartChain => ({
      layers: [
        { ...plain, width, taps: [tap], skip: { coefficient: 0.5, tap } },
        { ...plain, width, sites: 3, taps: [], biasWeights: new Float64Array(3) },
      ],
      readoutBiasVariance: 0,
    });
    expect(() => chainLayout(sites(5), 3)).toThrow(/^\[exact\] 3 outputs through a layer of 5 units/);
    expect(() => chainLayout(sites(9), 3)).not.toThrow();
  });
});
