import { erf, identity } from "@finitewidth/activations";
import {
  createRegistry,
  inlineRun,
  type Activation,
  type Architecture,
  type EvidenceGradient,
  type Matrix,
  type Network,
  type Posterior,
  type Prediction,
  type PriorModel,
  type Problem,
  type Theory,
} from "@finitewidth/core";
import { block, diagonalOf, solve, transpose } from "@finitewidth/linalg";
import { conditionGaussianProcess, predictGaussianProcess } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { averageMap, conditionOnIndependentPoints, identityMap, infiniteWidthKernels } from "../src/index.js";

const layersOf = (activation: Activation, biasVariance: number): Architecture => ({
  input: { channels: 3, sites: 1 },
  layers: [
    { kind: "random", width: 5, weightVariance: 1.3, biasVariance: 0, maps: [identityMap(1)] },
    { kind: "pointwise", activation },
    { kind: "random", weightVariance: 0.8, biasVariance, maps: [identityMap(1)] },
  ],
});
const architecture = layersOf(erf, 0);
/** Two sites of a filter on a ring of three, averaged: what it sees of an image does not tell where it is. */
const pooled: Architecture = {
  input: { channels: 1, sites: 3 },
  layers: [
    {
      kind: "random",
      width: 5,
      weightVariance: 1.3,
      biasVariance: 0.2,
      maps: [0, 1].map((m) => ({ ...identityMap(3), sources: Int32Array.of(m, m + 1, (m + 2) % 3) })),
    },
    { kind: "pointwise", activation: erf },
    { kind: "site-map", map: averageMap(3) },
    { kind: "random", weightVariance: 0.8, biasVariance: 0, maps: [identityMap(1)] },
  ],
};
/** With the bias variance of its readout, a linear network; or the pooled one. */
type Own = Network & { readonly bias?: number; readonly pooled?: true };
const architectureOf = (network: Own): Architecture =>
  network.pooled ? pooled : network.bias === undefined ? architecture : layersOf(identity, network.bias);
const model = {
  name: "one",
  summary: "",
  architecture: architectureOf,
  vary: (network: Own, { biasVariance }: { biasVariance: (value: number, layer: number) => number }) =>
    network.bias === undefined ? network : { ...network, bias: biasVariance(network.bias, 1) },
} as unknown as PriorModel;
const run = inlineRun({ registry: createRegistry([{ name: "one", priorModels: [model] }]), seed: 1 });

const stack = (...of: readonly Matrix[]): Matrix => ({
  data: Float64Array.from(of.flatMap(({ data }) => [...data])),
  shape: [of.reduce((sum, { shape }) => sum + shape[0], 0), of[0]!.shape[1]],
});
/** What the stub was asked about. */
const asked: Posterior[] = [];

/** Gaussian process of the infinite-width kernel, which demands a regular one, with errors of its own on everything. */
const regular: Theory = {
  name: "regular",
  summary: "",
  options: undefined as never,
  refuses: () => undefined,
  async fit(problem) {
    const { preactivation, hidden } = infiniteWidthKernels(architectureOf(problem.network), problem.inputs);
    const [points, outputs] = problem.targets.shape;
    const process = conditionGaussianProcess(preactivation.at(-1)!, problem.targets, problem.temperature);
    const ones = (rows: number, columns: number): Matrix => ({ data: new Float64Array(rows * columns).fill(1), shape: [rows, columns] });
    return {
      theory: "regular",
      problem,
      options: {},
      state: {},
      solver: { converged: true, iterations: 0, residual: 0, jitter: 0 },
      logEvidence: process.logEvidence,
      train: {
        mean: problem.targets,
        variance: ones(points, outputs),
        standardError: { mean: ones(points, outputs), variance: ones(points, outputs) },
      } as Prediction,
      hiddenKernels: hidden,
      standardError: { logEvidence: 0.5, hiddenKernels: [ones(points, points)] },
      diagnostics: { own: 1 },
      warnings: ["own"],
    };
  },
  async predict(posterior, inputs) {
    asked.push(posterior);
    const all = stack(posterior.problem.inputs, inputs);
    const [points, n] = [posterior.problem.inputs.shape[0], all.shape[0]];
    const kernel = infiniteWidthKernels(architectureOf(posterior.problem.network), all).preactivation.at(-1)!;
    const process = conditionGaussianProcess(block(kernel, 0, points, 0, points), posterior.problem.targets, 0);
    const cross = block(kernel, 0, points, points, n);
    const { mean, variance } = predictGaussianProcess(process, cross, diagonalOf(block(kernel, points, n, points, n)));
    return { mean, variance: { data: Float64Array.from(variance), shape: [n - points, 1] } } as unknown as Prediction;
  },
  async evidenceGradient(posterior) {
    asked.push(posterior);
    return { logWeightVariance: [1, 2], logBiasVariance: [0, 7] } as unknown as EvidenceGradient;
  },
  claims: () => [],
};
const theory = conditionOnIndependentPoints(regular);

const random = stream(7);
const distinct: Matrix = normalMatrix(random, 3, 3);
const order = [2, 0, 0, 1, 2, 0];
const pick = ({ data, shape }: Matrix, rows: readonly number[]): Matrix => ({
  data: Float64Array.from(rows.flatMap((row) => [...data.subarray(row * shape[1], (row + 1) * shape[1])])),
  shape: [rows.length, shape[1]],
});
const problem = (outputs: number, temperature = 0, rows: readonly number[] = order): Problem => {
  const labels: Matrix = normalMatrix(stream(8, outputs), 3, outputs);
  return { network: { type: "one" }, inputs: pick(distinct, rows), targets: pick(labels, rows), temperature, scaling: "standard" };
};

describe("a theory of regular kernels on points that repeat", () => {
  it.each([1, 2, 3])("has the density of %i outputs on the range of the kernel, each with the volume of its own", async (outputs) => {
    const given = problem(outputs);
    const { logEvidence } = await theory.fit(given, {}, run);
    const kernel = infiniteWidthKernels(architecture, given.inputs).preactivation.at(-1)!;
    expect(logEvidence).toBeCloseTo(conditionGaussianProcess(kernel, given.targets, 0).logEvidence, 7);
    // and as the limit of small noise, of which P − r directions an output are noise alone
    const noise = 1e-9;
    const noisy = conditionGaussianProcess(kernel, given.targets, noise).logEvidence;
    expect(logEvidence).toBeCloseTo(noisy + 0.5 * outputs * (6 - 3) * Math.log(2 * Math.PI * noise), 3);
  });

  it("adds the sizes of errors where points are combinations of others", async () => {
    const of = ({ data }: Matrix): Matrix => ({
      data: Float64Array.from([...data, ...Array.from({ length: data.length / 3 }, (_, k) => data[k]! - 2 * data[data.length / 3 + k]!)]),
      shape: [4, data.length / 3],
    });
    const [inputs, targets] = [of(distinct), of(normalMatrix(stream(9), 3, 2))];
    const linear = { type: "one", bias: 0 } as Network;
    const found = await theory.fit({ network: linear, inputs, targets, temperature: 0, scaling: "standard" }, {}, run);
    const rows = found.diagnostics["independentPoints"] as number[];
    // X = A X_rows
    const combinations = transpose(solve(transpose(pick(inputs, rows)), transpose(inputs)));
    expect(combinations.data.some((value) => value < -0.1)).toBe(true);
    const sizes = rows.map((_, a) => combinations.data.filter((__, at) => at % 3 === a).map(Math.abs));
    const expected = (power: number): number[] =>
      Array.from({ length: 4 }, (_, i) => sizes.reduce((sum, column) => sum + column[i]! ** power, 0)).flatMap((value) => [value, value]);
    expectClose(found.train!.standardError!.mean, expected(1), { relative: 1e-8 });
    expectClose(found.train!.standardError!.variance, expected(2), { relative: 1e-8 });
    const kernelErrors = expected(1).filter((_, at) => at % 2 === 0);
    expectClose(
      found.standardError!.hiddenKernels![0]!,
      kernelErrors.flatMap((one) => kernelErrors.map((other) => one * other)),
      { relative: 1e-8 },
    );
  });

  it.each([1, 2])("predicts %i outputs, and differentiates the evidence, from the points that it was fitted to", async (outputs) => {
    const given = problem(outputs);
    const fitted = await theory.fit(given, {}, run);
    const reduced = await regular.fit(problem(outputs, 0, [2, 0, 1]), {}, run);
    asked.length = 0;
    const test: Matrix = normalMatrix(random, 2, 3);
    const prediction = await theory.predict(fitted, test, { covariance: false }, run);
    await theory.evidenceGradient!(fitted, run);
    expect(asked).toHaveLength(2);
    for (const one of asked) {
      expect(one.logEvidence).toBeCloseTo(reduced.logEvidence!, 8);
      expect(one.problem.inputs.shape).toEqual([3, 3]);
    }
    const direct = await regular.predict(reduced, test, { covariance: false }, run);
    expectClose(prediction.mean, direct.mean, { relative: 1e-9, absolute: 1e-9 });
  });

  it("answers for all points: train, kernels and their errors in the order of the problem", async () => {
    const given = problem(2);
    const { problem: kept, train, hiddenKernels, standardError, warnings, diagnostics } = await theory.fit(given, {}, run);
    expect(kept).toBe(given);
    expectClose(train!.mean, given.targets, { absolute: 1e-9 });
    expectClose(hiddenKernels![0]!, infiniteWidthKernels(architecture, given.inputs).hidden[0]!, { absolute: 1e-9 });
    // combinations of 0 and 1: every point is one of the three, with its errors
    expectClose(train!.variance, new Float64Array(12).fill(1), { absolute: 1e-9 });
    expectClose(train!.standardError!.mean, new Float64Array(12).fill(1), { absolute: 1e-9 });
    expectClose(train!.standardError!.variance, new Float64Array(12).fill(1), { absolute: 1e-9 });
    expectClose(standardError!.hiddenKernels![0]!, new Float64Array(36).fill(1), { absolute: 1e-9 });
    expect(standardError!.logEvidence).toBe(0.5);
    expect(warnings[0]).toBe("own");
    expect(warnings[1]).toContain("rank 3 of 6");
    const independent = diagnostics["independentPoints"] as number[];
    expect(independent.map((i) => order[i]).sort()).toEqual([0, 1, 2]);
    expect(diagnostics["own"]).toBe(1);
  });

  it("is left alone with noise, with a likelihood, and where all points are independent", async () => {
    const noisy = problem(2, 0.1);
    expect((await theory.fit(noisy, {}, run)).logEvidence).toBe((await regular.fit(noisy, {}, run)).logEvidence);
    const once = problem(2, 0, [0, 1, 2]);
    expect(await theory.fit(once, {}, run)).toEqual(await regular.fit(once, {}, run));
    const labelled = { ...problem(1), temperature: 0, likelihood: { type: "logistic" } } as Problem;
    expect((await theory.fit(labelled, {}, run)).diagnostics).toEqual({ own: 1 });
  });

  it("takes a readout bias that the data fix as known: evidence, outputs and gradient are those of the kernel with it", async () => {
    // six points in three dimensions, of which four determine the others and the bias
    const inputs: Matrix = normalMatrix(stream(17), 6, 3);
    const [weights, biases] = [stream(18).normals(new Float64Array(6)), [0.9, -1.7]];
    const at = ({ data }: Matrix, i: number, a: number): number =>
      [0, 1, 2].reduce((f, k) => f + weights[2 * k + a]! * data[3 * i + k]!, biases[a]!);
    const targets: Matrix = { data: Float64Array.from({ length: 12 }, (_, k) => at(inputs, Math.floor(k / 2), k % 2)), shape: [6, 2] };
    const given = { network: { type: "one", bias: 0.35 }, inputs, targets, temperature: 0, scaling: "standard" } as Problem;
    const fitted = await theory.fit(given, {}, run);
    const kernel = infiniteWidthKernels(layersOf(identity, 0.35), inputs).preactivation.at(-1)!;
    expect(fitted.logEvidence).toBeCloseTo(conditionGaussianProcess(kernel, targets, 0).logEvidence, 7);
    expectClose(fitted.train!.mean, targets, { absolute: 1e-9 });
    expectClose(fitted.diagnostics["readoutBias"] as number[], biases, { relative: 1e-9 });
    expect(fitted.diagnostics["independentPoints"]).toHaveLength(3);
    expect(fitted.warnings[1]).toContain("rank 4 of 6");
    asked.length = 0;
    const test: Matrix = normalMatrix(stream(19), 2, 3);
    const { mean } = await theory.predict(fitted, test, { covariance: false }, run);
    expectClose(mean, [at(test, 0, 0), at(test, 0, 1), at(test, 1, 0), at(test, 1, 1)], { absolute: 1e-8 });
    const slope = biases.reduce((sum, b) => sum + 0.5 * (b ** 2 / 0.35 - 1), 0);
    const gradient = await theory.evidenceGradient!(fitted, run);
    expect(gradient).toMatchObject({ logWeightVariance: [1, 2], logBiasVariance: [0, expect.closeTo(slope, 8)] });
    // what the theory itself is asked about has no bias
    for (const { problem: one } of asked) expect(one).toMatchObject({ network: { bias: 0 }, inputs: { shape: [3, 3] } });
    expect(asked[0]!.logEvidence).toBeCloseTo((await regular.fit(asked[0]!.problem, {}, run)).logEvidence!, 8);
  });

  it("leaves out hidden kernels that those of the independent points do not determine", async () => {
    // an image, another, and both shifted: equal outputs, other activities at every site
    const inputs: Matrix = { data: Float64Array.of(1, -0.5, 2, 0.3, 1.4, -1, 2, 1, -0.5, 1.4, -1, 0.3), shape: [4, 3] };
    const targets: Matrix = { data: Float64Array.of(0.4, -0.2, 0.4, -0.2), shape: [4, 1] };
    const given = { network: { type: "one", pooled: true }, inputs, targets, temperature: 0, scaling: "standard" } as unknown as Problem;
    const fitted = await theory.fit(given, {}, run);
    expect(fitted.diagnostics["independentPoints"]).toHaveLength(2);
    expect(fitted).not.toHaveProperty("hiddenKernels");
    expect(fitted.standardError).toEqual({ logEvidence: 0.5 });
    expect(fitted.warnings).toEqual([
      "own",
      expect.stringContaining("rank 2 of 4"),
      "hidden kernels are left out: at T = 0 they are known at the points in diagnostics.independentPoints only",
    ]);
    expectClose(fitted.train!.mean, targets, { absolute: 1e-9 });
  });
});
