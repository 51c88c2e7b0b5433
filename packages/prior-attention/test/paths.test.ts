import { addDiagonal, affine, cholesky, gram, multiplyTransposedLeft, solveCholesky, solveLower } from "@finitewidth/linalg";
import { matrixFromRows, type Matrix } from "@finitewidth/core";
import {
  addConstantCovariance,
  biasCovariance,
  mixingMoments,
  pullBackMixing,
  siteCovariance,
  siteCovarianceAdjoint,
  stackFeatures,
} from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  attentionMixing,
  attentionModel,
  attentionPaths,
  headScores,
  headsOfPath,
  keptPaths,
  pathNames,
  pathWeights,
  softmaxMaps,
  suffixVectors,
} from "../src/index.js";
import { caseOf, reductionOf, type AttentionCase } from "./fixtures.ts";

interface Tolerance {
  readonly absolutePlusRelative: number;
}
const both = ({ absolutePlusRelative: t }: Tolerance) => ({ absolute: t, relative: t });

/** Infinite-width covariance of one output: E M_1 from the taps, contracted with the site kernels. */
function infiniteWidth(law: ReturnType<typeof attentionMixing>, inputs: Matrix): Matrix {
  const { layers } = law.chain;
  let mean = affine(layers.at(-1)!.variance, matrixFromRows([[1]]));
  for (const layer of layers.slice(0, -1).toReversed()) mean = pullBackMixing(layer, 1, mean);
  return law.covariance(1, mean, inputs);
}

describe("attention paths", () => {
  it("fixture attention-kernels: sites, suffix vectors, kernels, moments; reduced and not", () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: { cases: (AttentionCase & { moments: number[][] })[] };
      expected: {
        cases: {
          sites: number[];
          reducedSites: number[];
          siteKernels: number[][][][];
          suffixVectors: number[][][][];
          infiniteWidth: number[][];
          meanCovariance: number[][];
          fourthMoments: number[];
        }[];
      };
      tolerance: Tolerance;
    }>("attention-residual/attention-kernels");
    for (const [k, c] of inputs.cases.entries()) {
      const e = expected.cases[k]!;
      const { network, rows } = caseOf(c);
      const model = attentionModel(network);
      const { maps } = model.parse(rows);
      const law = attentionMixing(model, attentionPaths(model.heads, model.readout));
      expect(law.paths.sites).toEqual(e.sites);
      const examples = rows.shape[0];
      const tokens = model.readout.length;
      suffixVectors(law.paths, maps).forEach((layer, l) => {
        const byExample = Array.from({ length: examples }, (_, mu) =>
          layer.map((row) => Array.from(row.length === tokens ? row : row.subarray(mu * tokens, (mu + 1) * tokens))),
        );
        expectClose(byExample, e.suffixVectors[l]!, both(tolerance), `suffix vectors ${k}`);
      });
      expectClose(law.siteKernels(rows), e.siteKernels, both(tolerance), `site kernels ${k}`);
      const reduced = attentionMixing(model, attentionPaths(model.heads, model.readout, reductionOf(c, maps)));
      expect(reduced.paths.sites, `case ${k}`).toEqual(e.reducedSites);
      const n = c.outputs * examples;
      for (const at of [law, reduced]) {
        expectClose(infiniteWidth(at, rows), e.infiniteWidth, both(tolerance), `infinite width ${k}`);
        const moments = mixingMoments(at.chain, c.outputs);
        expectClose(at.covariance(c.outputs, moments.mean, rows), e.meanCovariance, both(tolerance), `mean ${k}`);
        // E f_i f_j f_k f_l = Σ over pairings of E[C_ij C_kl], C linear in M_1
        const d2 = moments.covariance.shape[0];
        const rowsOfC = Array.from({ length: n * n }, () => new Float64Array(d2));
        for (let p = 0; p < d2; p++) {
          const unit: Matrix = { data: new Float64Array(d2), shape: moments.mean.shape };
          unit.data[p] = 1;
          at.covariance(c.outputs, unit, rows).data.forEach((value, i) => (rowsOfC[i]![p] = value));
        }
        const second = (i: number, j: number, m: number, l: number): number => {
          const [a, b] = [rowsOfC[i * n + j]!, rowsOfC[m * n + l]!];
          let value = 0;
          for (let p = 0; p < d2; p++)
            for (let q = 0; q < d2; q++)
              value += a[p]! * b[q]! * (moments.covariance.data[p * d2 + q]! + moments.mean.data[p]! * moments.mean.data[q]!);
          return value;
        };
        const fourth = c.moments.map(([i, j, m, l]) => second(i!, j!, m!, l!) + second(i!, m!, j!, l!) + second(i!, l!, j!, m!));
        expectClose(fourth, e.fourthMoments, both(tolerance), `fourth moments ${k}`);
      }
    }
  });

  it("fixture attention-softmax: maps from frozen queries and keys", () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: { inputs: number[][][]; queries: number[][][][]; keys: number[][][][]; readout: number[]; widths: number[] };
      expected: { attention: number[][][][][]; infiniteWidth: number[][]; siteKernels: number[][][][] };
      tolerance: Tolerance;
    }>("attention-residual/attention-softmax");
    const [tokens, features] = [inputs.inputs[0]!.length, inputs.inputs[0]![0]!.length];
    const data = Float64Array.from(inputs.inputs.flat(2));
    // fixture: [layer][head] for layers 2 and up, the first layer being the embedding, or for all of them
    const queries = inputs.queries;
    const sequences = { examples: inputs.inputs.length, tokens, features, data };
    queries.forEach((layer, l) => {
      const maps = softmaxMaps(
        sequences,
        layer.map((rows) => matrixFromRows(rows)),
        inputs.keys[l]!.map((rows) => matrixFromRows(rows)),
      );
      expectClose(maps.data, expected.attention[l]!, both(tolerance), `layer ${l + 1}`);
    });
    const model = attentionModel({
      type: "attention",
      tokens,
      features,
      layers: inputs.widths.map((width, l) => ({ width, maps: { queries: queries[l]!, keys: inputs.keys[l]! } })),
      readout: inputs.readout,
      weightVariance: [1, 1, 1, 1],
      biasVariance: [0, 0, 0, 0],
    });
    const law = attentionMixing(model);
    const rows: Matrix = { data, shape: [sequences.examples, tokens * features] };
    expectClose(law.siteKernels(rows), expected.siteKernels, both(tolerance));
    expectClose(infiniteWidth(law, rows), expected.infiniteWidth, both(tolerance));
  });

  it("fixture attention-likelihood: one chain, with and without biases", () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: AttentionCase & { mixing: number[][][] };
      expected: Record<
        "bias" | "noBias",
        { gradientM1: number[][]; logLikelihood: number; predictiveMean: number[][]; predictiveCovariance: number[][][][] }
      >;
      tolerance: Tolerance;
    }>("attention-residual/attention-likelihood");
    for (const kind of ["noBias", "bias"] as const) {
      const { network, rows } = caseOf(kind === "bias" ? inputs : { ...inputs, biasVariances: undefined! });
      const model = attentionModel(network);
      const { maps } = model.parse(rows);
      expect(maps.slice(1).every((map) => map.sets > 1)).toBe(true);
      // the maps of this fixture are softmax maps: tell the model that their rows sum to one
      const law = attentionMixing({ ...model, stochastic: true }, attentionPaths(model.heads, model.readout));
      const mixing = inputs.mixing.map((m) => matrixFromRows(m));
      const d = inputs.outputs;
      const p = inputs.targets!.length;
      const all = law.covariance(d, mixing[0]!, rows);
      addConstantCovariance(all, biasCovariance(law.chain, d, mixing));
      const n = rows.shape[0];
      const pick = (left: readonly number[], right: readonly number[]): Matrix =>
        matrixFromRows(left.map((i) => right.map((j) => all.data[i * n * d + j]!)));
      const index = (from: number, to: number) =>
        Array.from({ length: d * (to - from) }, (_, i) => Math.floor(i / (to - from)) * n + from + (i % (to - from)));
      const [train, test] = [index(0, p), index(p, n)];
      const root = cholesky(addDiagonal(pick(train, train), inputs.temperature!));
      const y = matrixFromRows(train.map((i) => [inputs.targets![i % n]![Math.floor(i / n)]!]));
      const alpha = solveCholesky(root, y);
      const e = expected[kind];
      const quadratic = multiplyTransposedLeft(y, alpha).data[0]!;
      expectClose(-0.5 * (quadratic + root.logDeterminant + d * p * Math.log(2 * Math.PI)), e.logLikelihood, both(tolerance), kind);
      const inverse = solveCholesky(root, matrixFromRows(train.map((_, i) => train.map((__, j) => (i === j ? 1 : 0)))));
      const h: Matrix = { data: gram(alpha).data.map((value, i) => 0.5 * (value - inverse.data[i]!)), shape: inverse.shape };
      const trainRows: Matrix = { data: rows.data.slice(0, p * rows.shape[1]), shape: [p, rows.shape[1]] };
      expectClose(siteCovarianceAdjoint(stackFeatures(law.reducedFeatures!(trainRows)), d, h), e.gradientM1, both(tolerance), kind);
      const cross = pick(train, test);
      expectClose(multiplyTransposedLeft(cross, alpha).data, e.predictiveMean, both(tolerance), kind);
      const half = solveLower(root.factor, cross);
      const own = pick(test, test);
      const covariance = own.data.map((value, i) => value - multiplyTransposedLeft(half, half).data[i]!);
      expectClose(covariance, e.predictiveCovariance, both(tolerance), kind);
      expectClose(siteCovariance(stackFeatures(law.reducedFeatures!(rows)), d, mixing[0]!), law.covariance(d, mixing[0]!, rows), {
        relative: 1e-12,
        absolute: 1e-12,
      });
    }
  });

  it("maps common to all inputs leave at most one site per token, and identical heads one", () => {
    const tokens = 3;
    const soft = (seed: number) =>
      Array.from({ length: tokens }, (_, i) => Array.from({ length: tokens }, (__, j) => 0.2 + Math.sin(seed + 3 * i + 7 * j) ** 2));
    const matrices = [1, 2, 3, 4].map(soft);
    const model = attentionModel({
      type: "attention",
      tokens,
      features: 2,
      layers: [
        { width: 5 },
        { width: 6, maps: { matrices } },
        { width: 4, maps: { matrices } },
        { width: 7, maps: { matrices: [soft(1), soft(1)] } },
      ],
      readout: [0.2, 0.3, 0.5],
      weightVariance: [1, 1.1, 0.9, 1, 1.2],
      biasVariance: [0.1, 0.2, 0.3, 0.1, 0.2],
    });
    const law = attentionMixing(model);
    expect(law.paths.sites).toEqual([3, 3, 1, 1]);
    // what were paths are combinations of them: without names, and no head has its own
    expect([law.paths.reduced, law.siteNames, law.parts]).toEqual([true, undefined, undefined]);
    const rows = matrixFromRows([
      [1, 2, -1, 0.5, 0.3, -2],
      [0.1, 0.4, 1, -0.7, 2, 1],
    ]);
    const plain = attentionMixing(model, attentionPaths(model.heads, model.readout));
    expect(plain.paths.sites).toEqual([32, 8, 2, 1]);
    expectClose(infiniteWidth(law, rows), infiniteWidth(plain, rows), { relative: 1e-12 });
    const [a, b] = [mixingMoments(law.chain, 1), mixingMoments(plain.chain, 1)];
    expectClose(a.biasMean, b.biasMean, { relative: 1e-12 });
    expectClose(a.biasCovariance, b.biasCovariance, { relative: 1e-11 });
    const fourth = (at: typeof law, moments: typeof a): number => {
      const kernels = at.siteKernels(rows).map((kernel) => kernel.data[1]!);
      let value = 0;
      kernels.forEach((x, p) => kernels.forEach((y, q) => (value += x * y * moments.covariance.data[p * kernels.length + q]!)));
      return value;
    };
    expectClose(fourth(law, a), fourth(plain, b), { relative: 1e-10 });
  });

  it("too many paths are refused before anything is allocated", () => {
    // maps common to all inputs: one site per token however many paths there are
    const common = Array.from({ length: 13 }, (_, l) => {
      const data = new Float64Array((l === 0 ? 1 : 8) * 4).map((__, k) => Math.sin(l + 3 * k));
      return { heads: l === 0 ? 1 : 8, tokens: 2, sets: 1, data };
    });
    expect(attentionPaths([1, ...Array.from({ length: 12 }, () => 8)], Float64Array.of(1, 0), { maps: common }).sites[0]).toBe(2);
    expect(() => attentionPaths([1, ...Array.from({ length: 12 }, () => 8)], Float64Array.of(1, 0))).toThrow(/paths/);
  });
});

describe("heads", () => {
  it("names and digits of paths; scores of the prior are equal, removed heads take their paths along", () => {
    const heads = [1, 2, 3];
    expect(pathNames(heads)).toEqual(["1·1", "1·2", "1·3", "2·1", "2·2", "2·3"]);
    expect(headsOfPath(4, heads)).toEqual([1, 1]);
    const identity: Matrix = { data: Float64Array.from({ length: 36 }, (_, i) => (i % 7 === 0 ? 1 : 0)), shape: [6, 6] };
    expect(headScores(identity, heads)).toEqual([
      [3, 3],
      [2, 2, 2],
    ]);
    expectClose(pathWeights(affine(0.5 / 6, identity), 1, heads, [3, 0.5, 1, 1]), identity, { relative: 1e-14 });
    expect(Array.from(keptPaths(heads, [[3, 1]]))).toEqual([1, 0, 1, 1, 0, 1]);
  });

  it("weights of paths are averaged over the outputs, each from its own block", () => {
    const heads = [1, 2];
    const blocks = [
      [1, 0.5, 0.5, 2],
      [3, -0.25, -0.25, 4],
    ];
    const mixing: Matrix = { data: new Float64Array(16).fill(100), shape: [4, 4] };
    blocks.forEach((block, a) => block.forEach((value, k) => (mixing.data[(2 * a + Math.floor(k / 2)) * 4 + 2 * a + (k % 2)] = value)));
    // σ_w²(2) = 0.5 over two heads: in units of ¼
    expect([...pathWeights(mixing, 2, heads, [1, 0.5]).data]).toEqual([8, 0.5, 0.5, 12]);
  });
});
