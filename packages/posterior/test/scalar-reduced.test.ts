import { inlineRun, matrixFromRows, type Matrix } from "@finitewidth/core";
import { gram, identity, multiplyTransposedRight } from "@finitewidth/linalg";
import { spectrumOf } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import {
  completeSpectrum,
  exact,
  integrateScalarPosterior,
  nodeTables,
  posteriorMean,
  predictReduced,
  predictScalar,
  predictScalarTrain,
  projectCross,
  reduceKernel,
  scalarData,
  scalarLaw,
  scalarProblems,
  spectralProblem,
  trainCross,
  trainDiagonal,
} from "../src/index.js";
import { expectClose, normalMatrix } from "../../../tools/testing.ts";
import { testRegistry } from "./registry.ts";

const normals = (rows: number, columns: number, index: number): Matrix => normalMatrix(stream(7, index), rows, columns);
const covariance = (x: Matrix, z: Matrix = x): Matrix => {
  const g = x === z ? gram(x) : multiplyTransposedRight(x, z);
  return { data: g.data.map((value) => value / x.shape[1]), shape: g.shape };
};
const rows = (x: Matrix, indices: number[]): Matrix =>
  matrixFromRows(indices.map((i) => Array.from(x.data.subarray(i * x.shape[1], (i + 1) * x.shape[1]))));
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const column = (y: Matrix, j: number): Matrix => ({
  data: Float64Array.from({ length: y.shape[0] }, (_, i) => y.data[i * y.shape[1] + j]!),
  shape: [y.shape[0], 1],
});

const wide = normals(40, 60, 1);
const cases: Record<string, { x: Matrix; temperatures: number[]; biases: number[]; inRange?: boolean }> = {
  "full rank": { x: wide, temperatures: [0, 1e-6, 0.1], biases: [0, 0.7] },
  "repeated points": { x: rows(wide, [...range(30), ...range(10)]), temperatures: [1e-6, 0.1], biases: [0, 0.7] },
  "repeated points, T = 0": { x: rows(wide, [...range(30), ...range(10)]), temperatures: [0], biases: [0, 0.7], inRange: true },
  "fewer features than points": { x: normals(40, 6, 2), temperatures: [1e-3, 0.1], biases: [0, 0.7] },
  "fewer features than points, T = 0": { x: normals(40, 6, 2), temperatures: [0], biases: [0, 0.7], inRange: true },
  "rank between P/4 and P/2": { x: normals(40, 15, 12), temperatures: [1e-3, 0.1], biases: [0, 0.7] },
  "orthogonal inputs: one eigenvalue": { x: identity(24), temperatures: [0, 0.1], biases: [0, 0.7] },
};
/** Targets of m problems; in the range of the kernel where T = 0 asks for it. */
const targetsOf = (x: Matrix, m: number, inRange = false): Matrix =>
  inRange ? multiplyTransposedRight(x, normals(m, x.shape[1], 3)) : normals(x.shape[0], m, 3);

describe("one output from a reduced kernel", () => {
  const law = scalarLaw([60, 70], [1, 1.3]);
  for (const [name, { x, temperatures, biases, inRange }] of Object.entries(cases)) {
    it.each(temperatures.flatMap((temperature) => biases.map((bias) => ({ temperature, bias }))))(
      `${name}: evidence, posterior and predictions as with eigenvectors, %j`,
      ({ temperature, bias }) => {
        const kernel = covariance(x);
        const targets = targetsOf(x, 2, inRange);
        const reduced = reduceKernel(kernel, { lowRank: temperature > 0 });
        const problems = scalarProblems(reduced, targets, temperature, bias);
        const other = normals(5, x.shape[1], 4);
        const prior = covariance(other).data.filter((_, at) => at % 6 === 0);
        for (const [j, problem] of problems.entries()) {
          const y = column(targets, j);
          const spectral = spectralProblem(kernel, y, temperature, { readout: bias, hidden: false });
          const data = scalarData(spectral);
          const [expected, found] = [integrateScalarPosterior(law, data), integrateScalarPosterior(law, problem.data)];
          const tolerance = { relative: 1e-11, absolute: 1e-11 };
          expectClose(
            found.logEvidence + (problem.pinned?.logDensity ?? 0),
            expected.logEvidence + (spectral.pinned?.logDensity ?? 0),
            tolerance,
            "log evidence",
          );
          expectClose(posteriorMean(found, Math.exp), posteriorMean(expected, Math.exp), tolerance, "mean of q");
          expect(problem.warnings).toEqual(spectral.warnings);
          expect([problem.data.nullity, problem.data.values.length]).toEqual([data.nullity, data.values.length]);
          const [{ vectors, values }, tables] = [spectral.spectrum, nodeTables(expected, data)];
          const train = predictScalarTrain(expected, data, tables, vectors);
          const direct = predictScalar(expected, data, tables, trainCross(vectors, values), trainDiagonal(vectors, values));
          expectClose(train.mean, direct.mean, { relative: 1e-9, absolute: 1e-9 }, "training means");
          expectClose(train.variance, direct.variance, { relative: 1e-9, absolute: 1e-12 }, "training variances");
          const cross = covariance(x, other);
          const full = predictScalar(expected, data, nodeTables(expected, data), projectCross(spectral.spectrum.vectors, cross), prior);
          const lazy = predictReduced({ kernel: reduced, targets: y.data, temperature, readoutBias: bias }, found, cross, prior);
          expectClose(
            lazy.mean,
            full.mean.map((value) => value + (spectral.pinned?.bias[0] ?? 0)),
            { relative: 1e-8, absolute: 1e-9 },
            "means",
          );
          expectClose(lazy.variance, full.variance, { relative: 1e-8, absolute: 1e-9 }, "variances");
        }
      },
    );
  }

  it("tridiagonal recurrences give the predictions of the eigenvectors at 200 points", () => {
    const x = normals(200, 260, 5);
    const other = normals(20, 260, 6);
    const [kernel, cross, y] = [covariance(x), covariance(x, other), normals(200, 1, 7)];
    const prior = covariance(other).data.filter((_, at) => at % 21 === 0);
    for (const bias of [0, 0.4]) {
      const spectral = spectralProblem(kernel, y, 0.05, { readout: bias, hidden: false });
      const data = scalarData(spectral);
      const posterior = integrateScalarPosterior(scalarLaw([150, 120]), data);
      const full = predictScalar(posterior, data, nodeTables(posterior, data), projectCross(spectral.spectrum.vectors, cross), prior);
      const reduced = reduceKernel(kernel);
      // so few points against 200 that the recurrences are taken: broken multipliers must show
      const lazy = predictReduced({ kernel: reduced, targets: y.data, temperature: 0.05, readoutBias: bias }, posterior, cross, prior);
      expectClose(lazy.mean, full.mean, { relative: 1e-11, absolute: 1e-12 });
      expectClose(lazy.variance, full.variance, { relative: 1e-11 });
      if (!("form" in reduced)) throw new Error("a kernel of full rank has a tridiagonal form");
      const { offDiagonal } = reduced.form;
      const broken = { form: { ...reduced.form, offDiagonal: offDiagonal.map((value) => 0.99 * value) } };
      const wrong = predictReduced({ kernel: broken, targets: y.data, temperature: 0.05, readoutBias: bias }, posterior, cross, prior);
      expect(Math.abs(wrong.variance[0]! / full.variance[0]! - 1)).toBeGreaterThan(1e-4);
    }
  });

  it("many targets take the eigenvectors and give the same", () => {
    const kernel = reduceKernel(covariance(wide));
    const targets = normals(40, 18, 8);
    const many = scalarProblems(kernel, targets, 0.1).map(({ data }) => integrateScalarPosterior(law, data).logEvidence);
    const few = range(18).map((j) => integrateScalarPosterior(law, scalarProblems(kernel, column(targets, j), 0.1)[0]!.data).logEvidence);
    expectClose(many, few, { relative: 1e-12 });
  });

  it("a reduced kernel is plain data and completes to the spectrum", () => {
    const kernel = covariance(wide);
    const complete = completeSpectrum(structuredClone(reduceKernel(kernel)));
    const spectrum = spectrumOf(kernel);
    expectClose(complete.values, spectrum.values, { absolute: 1e-13 });
    const back = (v: typeof spectrum) =>
      gram({ data: v.vectors.data.map((value, at) => value * Math.sqrt(v.values[at % v.values.length]!)), shape: v.vectors.shape });
    expectClose(back(complete), kernel, { absolute: 1e-13 });
  });

  it("one point, two points, and inputs that are all zero", () => {
    for (const kernel of [
      [[2]],
      [[0]],
      [
        [1, 0.3],
        [0.3, 2],
      ],
      [
        [0, 0],
        [0, 0],
      ],
      [
        [1, 1],
        [1, 1],
      ],
      [
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
      ],
    ].map((rows) => matrixFromRows(rows))) {
      const y = normals(kernel.shape[0], 1, 13);
      for (const bias of [0, 0.4]) {
        const found = integrateScalarPosterior(law, scalarProblems(reduceKernel(kernel, { lowRank: true }), y, 0.1, bias)[0]!.data);
        const expected = integrateScalarPosterior(law, scalarData(spectralProblem(kernel, y, 0.1, { readout: bias, hidden: false })));
        expectClose(found.logEvidence, expected.logEvidence, { relative: 1e-12 });
        const cross: Matrix = { data: kernel.data.subarray(0, kernel.shape[0]), shape: [kernel.shape[0], 1] };
        const { mean, variance } = predictReduced(
          { kernel: reduceKernel(kernel), targets: y.data, temperature: 0.1, readoutBias: bias },
          found,
          cross,
          Float64Array.of(kernel.data[0]!),
        );
        expect(Number.isFinite(mean[0]) && variance[0]! >= 0).toBe(true);
      }
    }
  });

  it("names what is wrong", () => {
    const kernel = reduceKernel(covariance(wide));
    expect(() => scalarProblems(kernel, normals(39, 1, 1), 0.1)).toThrow(/targets.*40 rows/);
    const bad = normals(40, 2, 1);
    bad.data[5] = Number.NaN;
    expect(() => scalarProblems(kernel, bad, 0.1)).toThrow(/targets\[1\].*finite numbers/);
    expect(() => scalarProblems(kernel, normals(40, 1, 1), -1)).toThrow(/temperature/);
    expect(() =>
      scalarProblems(
        reduceKernel(
          matrixFromRows([
            [1, 2],
            [2, 1],
          ]),
        ),
        normals(2, 1, 1),
        0.1,
      ),
    ).toThrow(/not positive semi-definite/);
    const low = reduceKernel(covariance(normals(6, 2, 9)));
    expect(() => scalarProblems(low, normals(6, 2, 10), 0, 0, (j) => `evaluateAt[${j}]`)).toThrow(/evaluateAt\[0\].*outside the range/);
    expect(scalarProblems(kernel, { data: new Float64Array(0), shape: [40, 0] }, 0.1)).toEqual([]);
  });
});

describe("log densities of the prior", () => {
  it("of several values as of each alone; a singular kernel and a value outside its range are told apart", async () => {
    const run = inlineRun({ registry: testRegistry() });
    const network = {
      type: "fully-connected",
      activation: "identity",
      widths: [45, 50],
      weightVariance: [1, 0.8, 1.5],
      biasVariance: [0, 0, 0.3],
    };
    const values = [0, 1, 2].map((j) => column(normals(40, 3, 11), j));
    const at = async (evaluateAt: readonly Matrix[], inputs = wide) =>
      (await exact.prior!({ network, inputs, outputs: 1, evaluateAt, samples: 1 }, {}, run)).logDensity!;
    const together = await at(values);
    for (const [j, value] of values.entries()) {
      const law = scalarLaw([45, 50], [0.8, 1.5]);
      const data = scalarData(spectralProblem(covariance(wide), value, 0, { readout: 0.3, hidden: false }));
      expectClose(together[j]!, integrateScalarPosterior(law, data).logEvidence, { relative: 1e-12 });
      expectClose(together[j]!, (await at([value]))[0]!, { relative: 1e-13 });
    }
    await expect(at(values, normals(40, 6, 2))).rejects.toThrow("evaluateAt[0]: expected no component outside the range");
  });
});
