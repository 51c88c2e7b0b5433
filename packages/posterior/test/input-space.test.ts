import { codedMatrix, columnVector, createProblem, fit, inlineRun, type Matrix } from "@finitewidth/core";
import { gram, multiplyTransposedRight } from "@finitewidth/linalg";
import { stream } from "@finitewidth/random";
import { expect, test } from "vitest";
import {
  exact,
  hiddenKernelFactors,
  inputSpaceProblem,
  integrateScalarPosterior,
  nodeTables,
  predictScalar,
  predictScalarTrain,
  projectCross,
  scalarData,
  scalarLaw,
  spectralProblem,
  hiddenKernelTerms,
  trainHiddenKernels,
} from "../src/index.js";
import { testRegistry } from "./registry.js";

const registry = testRegistry();

const random = stream(11, 0);
const normals = (rows: number, columns: number): Matrix => ({
  data: Float64Array.from({ length: rows * columns }, () => random.normal()),
  shape: [rows, columns],
});

/** K(x, x′) = w x·x′ + b. */
const kernelOf = (x: Matrix, y: Matrix, weight: number, bias: number): Matrix => {
  const product = multiplyTransposedRight(x, y);
  return { data: product.data.map((value) => weight * value + bias), shape: product.shape };
};

const relative = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let [worst, largest] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
    largest = Math.max(largest, Math.abs(b[i]!));
  }
  return worst / largest;
};

/** 40 points of 9 features: one repeated, one that is always 0, sizes over four decades. */
function hardInputs(): Matrix {
  const x = normals(40, 9);
  for (let i = 0; i < 40; i++) {
    for (let k = 0; k < 7; k++) x.data[i * 9 + k]! *= 10 ** (-k * 0.6);
    x.data[i * 9 + 7] = x.data[i * 9]!;
    x.data[i * 9 + 8] = 0;
  }
  return x;
}

for (const [name, firstBias, readoutBias] of [
  ["no biases", 0, 0],
  ["bias of the first layer", 0.3, 0],
  ["bias of the readout", 0, 0.7],
  ["both", 0.3, 0.7],
] as const) {
  test(`one output, ${name}: the same as with the P × P kernel`, async () => {
    const [x, others] = [hardInputs(), normals(5, 9)];
    const y = normals(40, 1);
    const temperature = 0.05;
    const network = {
      type: "fully-connected",
      widths: [12, 7],
      activation: "identity",
      weightVariance: [1.3, 0.8, 1.1],
      biasVariance: [firstBias, 0, readoutBias],
    };
    const { posterior, predict } = await fit(exact, { network, inputs: x, targets: y, temperature }, { registry });
    expect(posterior.state).toMatchObject({ kind: "scalar", basis: "inputs" });

    const law = scalarLaw([12, 7], [0.8, 1.1]);
    const [w, b] = [1.3 / 9, firstBias];
    const spectral = spectralProblem(kernelOf(x, x, w, b), y, temperature, { readout: readoutBias, hidden: false });
    const data = scalarData(spectral);
    const expected = integrateScalarPosterior(law, data);
    const tables = nodeTables(expected, data);
    const { vectors } = spectral.spectrum;
    expect(posterior.diagnostics.rank).toBe(spectral.spectrum.values.length);
    expect(Math.abs(posterior.logEvidence! - expected.logEvidence)).toBeLessThan(1e-9 * Math.abs(expected.logEvidence));
    const train = predictScalarTrain(expected, data, tables, vectors);
    expect(relative(posterior.train!.mean.data, train.mean)).toBeLessThan(1e-9);
    expect(relative(posterior.train!.variance.data, train.variance)).toBeLessThan(1e-9);
    const own = Float64Array.from({ length: 5 }, (_, i) => kernelOf(others, others, w, b).data[i * 6]!);
    const there = predictScalar(expected, data, tables, projectCross(vectors, kernelOf(x, others, w, b)), own);
    const predicted = await predict(others);
    expect(relative(predicted.mean.data, there.mean)).toBeLessThan(1e-9);
    expect(relative(predicted.variance.data, there.variance)).toBeLessThan(1e-9);
    const hidden = trainHiddenKernels(hiddenKernelTerms(law, expected, data, tables), data, tables, vectors);
    for (const [l, kernel] of posterior.hiddenKernels!.entries()) expect(relative(kernel.data, hidden[l]!.data)).toBeLessThan(1e-9);
    for (const [l, factor] of hiddenKernelFactors(posterior, registry, 3, 9).entries()) {
      const corner = Float64Array.from({ length: 36 }, (_, at) => hidden[l]!.data[(3 + Math.floor(at / 6)) * 40 + 3 + (at % 6)]!);
      expect(relative(gram(factor).data, corner)).toBeLessThan(1e-9);
    }
  });
}

test("three outputs and biases everywhere: the problem is that of the P × P kernel up to signs", () => {
  const x = hardInputs();
  const y = normals(40, 3);
  const [kernel, biases] = [
    { weight: 0.2, bias: 0.1 },
    { readout: 0.4, hidden: true },
  ];
  const found = inputSpaceProblem(kernel, x, y, 0.01, biases)!.spectral;
  const expected = spectralProblem(kernelOf(x, x, kernel.weight, kernel.bias), y, 0.01, biases);
  expect(relative(found.spectrum.values, expected.spectrum.values)).toBeLessThan(1e-13);
  expect(found.nullity).toBe(expected.nullity);
  expect(Math.abs(found.residualSquare / expected.residualSquare - 1)).toBeLessThan(1e-10);
  expect(relative(found.ones.map(Math.abs), expected.ones.map(Math.abs))).toBeLessThan(1e-9);
  expect(relative(found.targets.data.map(Math.abs), expected.targets.data.map(Math.abs))).toBeLessThan(1e-8);
});

test("blocks of training points: 2100 points are what two halves of them add up to", () => {
  const x = normals(2100, 3);
  const y = normals(2100, 2);
  const found = inputSpaceProblem({ weight: 1, bias: 0 }, x, y, 0.1, { readout: 0, hidden: false })!.spectral;
  const squares = new Float64Array(9);
  for (let i = 0; i < 2100; i++)
    for (let j = 0; j < 3; j++) for (let k = 0; k < 3; k++) squares[j * 3 + k]! += x.data[i * 3 + j]! * x.data[i * 3 + k]!;
  const trace = found.spectrum.values.reduce((sum, value) => sum + value, 0);
  expect(trace / (squares[0]! + squares[4]! + squares[8]!)).toBeCloseTo(1, 12);
  const whole = y.data.reduce((sum, value) => sum + value * value, 0);
  const inside = found.targets.data.reduce((sum, value) => sum + value * value, 0);
  expect((inside + found.residualSquare) / whole).toBeCloseTo(1, 12);
});

test("60 000 points: what a square matrix of them would never allow", async () => {
  const points = 60_000;
  const x = normals(points, 20);
  const slope = normals(20, 1);
  const y = columnVector(
    Float64Array.from({ length: points }, (_, i) => {
      let value = 0.1 * random.normal();
      for (let k = 0; k < 20; k++) value += x.data[i * 20 + k]! * slope.data[k]!;
      return value;
    }),
  );
  const network = { type: "fully-connected", widths: [50, 50], activation: "identity" };
  const { posterior, predict } = await fit(exact, { network, inputs: x, targets: y, temperature: 0.01 }, { registry });
  expect(posterior.hiddenKernels).toBeUndefined();
  expect(posterior.warnings.join()).toContain("hidden kernels of more than");
  const unit = normals(1, 20);
  const value = unit.data.reduce((sum, entry, k) => sum + entry * slope.data[k]!, 0);
  const { mean, variance } = await predict(unit);
  // 60 000 points of noise 0.1 determine 20 slopes to about 0.1·|x|/√60 000
  const length = Math.hypot(...unit.data);
  expect(Math.abs(mean.data[0]! - value)).toBeLessThan((5 * 0.1 * length) / Math.sqrt(points));
  expect(Math.sqrt(variance.data[0]!) / ((0.1 * length) / Math.sqrt(points))).toBeCloseTo(1, 1);
});

test("bytes of pixels stay bytes from the first pass to the predictions", async () => {
  const [points, features] = [40, 6];
  const codes = Uint8Array.from({ length: points * features }, () => Math.floor(256 * random.uniform()));
  const values = Float64Array.from({ length: 256 }, (_, code) => (code / 255 - 0.4) / 0.3);
  const plain: Matrix = { data: Float64Array.from(codes, (code) => values[code]!), shape: [points, features] };
  const coded = codedMatrix(points, features, codes, values);
  const [targets, x] = [normals(points, 1), normals(5, features)];
  const network = { type: "fully-connected", widths: [12], activation: "identity" };
  const solve = (inputs: Matrix) => fit(exact, { network, inputs, targets, temperature: 0.3 }, { registry });
  const [one, other] = [await solve(coded), await solve(plain)];
  expect(await one.predict(x)).toEqual(await other.predict(x));
  expect(one.posterior.logEvidence).toBe(other.posterior.logEvidence);
  const several = normals(points, 3);
  const problemOf = (inputs: Matrix) => inputSpaceProblem({ weight: 0.2, bias: 0.1 }, inputs, several, 0.3, { hidden: true, readout: 0.5 });
  expect(problemOf(coded)).toEqual(problemOf(plain));
  expect(Object.getOwnPropertyDescriptor(coded, "data")!.get).toBeDefined();
  expect(one.posterior.train).toEqual(other.posterior.train);
  expect(one.posterior.hiddenKernels).toEqual(other.posterior.hiddenKernels);
});

test("more points than are predicted together, training and test: the same as a few at a time", async () => {
  const [x, y] = [normals(4100, 2), normals(4100, 2)];
  // more coordinates than a lattice takes: few draws
  const network = { type: "fully-connected", widths: [6, 5], activation: "identity", biasVariance: [0.2, 0, 0.3] };
  const run = inlineRun({ registry, seed: 2 });
  for (const outputs of [1, 2]) {
    const targets = { data: y.data.filter((_, k) => k % 2 < outputs), shape: [4100, outputs] as const };
    const problem = createProblem({ network, inputs: x, targets, temperature: 0.5 }, registry);
    const posterior = await exact.fit(problem, { draws: 200 }, run);
    const part: Matrix = { data: x.data.slice(2 * 4090), shape: [10, 2] };
    const few = await exact.predict(posterior, part, { covariance: false }, run);
    const many = await exact.predict(posterior, { data: x.data.slice(2 * 3500), shape: [600, 2] }, { covariance: false }, run);
    for (const key of ["mean", "variance"] as const) {
      const last = few[key].data;
      expect(relative(posterior.train![key].data.slice(4090 * outputs), last)).toBeLessThan(1e-9);
      expect(relative(many[key].data.slice(590 * outputs), last)).toBeLessThan(1e-12);
    }
    expect(posterior.train!.mean.shape).toEqual([4100, outputs]);
    expect([many.mean.shape, many.variance.shape]).toEqual([
      [600, outputs],
      [600, outputs],
    ]);
  }
});
