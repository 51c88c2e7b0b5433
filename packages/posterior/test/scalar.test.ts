import { matrixFromRows } from "@finitewidth/core";
import { addDiagonal, affine, combine, multiply, solve } from "@finitewidth/linalg";
import { describe, it } from "vitest";
import {
  hiddenKernelTerms,
  hiddenKernelsAt,
  posteriorMean,
  predictScalar,
  predictiveDensity,
  projectCross,
  trainCross,
  trainDiagonal,
  trainHiddenKernels,
} from "../src/index.js";
import { hiddenCoefficients } from "../src/scalar/hidden-coefficients.js";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { solveScalar, type ScalarCase } from "./kernel-fixtures.ts";

interface ScalarExpected {
  readonly logEvidence: number;
  readonly meanQ: number;
  readonly meanQ2: number;
  readonly meanLogQ: number;
  readonly predictiveMean: number[];
  readonly predictiveCovariance: number[][];
  readonly predictiveDensity: number[];
  readonly hiddenKernels: number[][][];
  readonly hiddenKernelsTest: number[][][];
}
interface Fixture<I, E> {
  readonly inputs: I;
  readonly expected: E;
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}

describe("one output: quadrature over log q", () => {
  it.each(["one-layer", "two-layers", "three-layers", "large-load"])("fixture posterior-scalar-%s", (name) => {
    const { inputs, expected, tolerance } = readFixture<
      Fixture<ScalarCase & { densityPoint: number; densityValues: number[] }, ScalarExpected>
    >(`deep-linear/posterior-scalar-${name}`);
    const { law, problem, data, posterior, tables, logEvidence } = solveScalar(inputs);
    expectClose(logEvidence, expected.logEvidence, tolerance, "logEvidence");
    expectClose(
      [posteriorMean(posterior, Math.exp), posteriorMean(posterior, (u) => Math.exp(2 * u)), posteriorMean(posterior, (u) => u)],
      [expected.meanQ, expected.meanQ2, expected.meanLogQ],
      tolerance,
      "moments",
    );
    const { vectors, values } = problem.spectrum;
    const cross = projectCross(vectors, matrixFromRows(inputs.Kx!));
    const kxx = matrixFromRows(inputs.Kxx!);
    const prediction = predictScalar(posterior, data, tables, cross, kxx);
    expectClose(prediction.mean, expected.predictiveMean, tolerance, "mean");
    expectClose(prediction.covariance!, expected.predictiveCovariance, tolerance, "covariance");
    expectClose(
      prediction.variance,
      expected.predictiveCovariance.map((row, i) => row[i]!),
      tolerance,
      "variance",
    );
    expectClose(
      inputs.densityValues.map((value) => predictiveDensity(posterior, prediction, inputs.densityPoint, value)),
      expected.predictiveDensity,
      tolerance,
      "density",
    );
    const terms = hiddenKernelTerms(law, posterior, data, tables);
    trainHiddenKernels(terms, data, tables, vectors).forEach((kernel, l) =>
      expectClose(kernel, expected.hiddenKernels[l]!, tolerance, `hidden kernel ${l + 1}`),
    );
    hiddenKernelsAt(terms, data, tables, cross, kxx).forEach((kernel, l) =>
      expectClose(kernel, expected.hiddenKernelsTest[l]!, tolerance, `hidden test kernel ${l + 1}`),
    );
    const train = predictScalar(posterior, data, tables, trainCross(vectors, values), trainDiagonal(vectors, values));
    const direct = predictScalar(
      posterior,
      data,
      tables,
      projectCross(vectors, matrixFromRows(inputs.K)),
      Float64Array.from(inputs.K, (row, i) => row[i]!),
    );
    expectClose(train.mean, direct.mean, { relative: 1e-9, absolute: 1e-10 }, "train");
  });

  it("with a readout bias, hidden kernels are those of dense regression at every node", () => {
    const K = [
      [1.4, 0.5, -0.3],
      [0.5, 0.9, 0.2],
      [-0.3, 0.2, 1.7],
    ];
    const y = [0.8, -1.1, 2.3];
    const [T, b] = [0.2, 0.7];
    const { law, problem, data, posterior, tables } = solveScalar({ K, y, temperature: T, widths: [3, 4], readoutBiasVariance: b });
    const kernel = matrixFromRows(K);
    const expected = law.widths.map(() => new Float64Array(9));
    posterior.logQ.forEach((logQ, k) => {
      const prior = affine(Math.exp(logQ), kernel);
      const total = addDiagonal(affine(1, prior, b), T);
      const mean = multiply(prior, solve(total, matrixFromRows(y.map((value) => [value])))).data;
      const left = combine(1, prior, -1, multiply(prior, solve(total, prior))).data;
      hiddenCoefficients(law, logQ, posterior.logPrior[k]!).forEach((of, l) => {
        for (let i = 0; i < 9; i++)
          expected[l]![i]! +=
            posterior.weights[k]! *
            (of.kernel * kernel.data[i]! + of.outer * Math.exp(-logQ) * (mean[Math.floor(i / 3)]! * mean[i % 3]! + left[i]!));
      });
    });
    const terms = hiddenKernelTerms(law, posterior, data, tables);
    const { vectors } = problem.spectrum;
    trainHiddenKernels(terms, data, tables, vectors).forEach((found, l) => expectClose(found, expected[l]!, { relative: 1e-10 }));
    hiddenKernelsAt(terms, data, tables, projectCross(vectors, kernel), kernel).forEach((found, l) =>
      expectClose(found, expected[l]!, { relative: 1e-10 }),
    );
  });

  it("fixture posterior-zero-temperature", () => {
    const { inputs, expected, tolerance } = readFixture<Fixture<{ cases: ScalarCase[] }, { cases: ScalarExpected[] }>>(
      "deep-linear/posterior-zero-temperature",
    );
    for (const [i, c] of inputs.cases.entries()) {
      const { problem, data, posterior, tables, logEvidence } = solveScalar(c);
      const e = expected.cases[i]!;
      expectClose([logEvidence, posteriorMean(posterior, Math.exp)], [e.logEvidence, e.meanQ], tolerance, `case ${i}`);
      const prediction = predictScalar(
        posterior,
        data,
        tables,
        projectCross(problem.spectrum.vectors, matrixFromRows(c.Kx!)),
        matrixFromRows(c.Kxx!),
      );
      expectClose(prediction.mean, e.predictiveMean, tolerance, `mean of case ${i}`);
      expectClose(prediction.covariance!, e.predictiveCovariance, tolerance, `covariance of case ${i}`);
    }
  });

  it("fixture posterior-readout-bias", () => {
    const { inputs, expected, tolerance } = readFixture<Fixture<ScalarCase, ScalarExpected>>("deep-linear/posterior-readout-bias");
    const { posterior, logEvidence } = solveScalar(inputs);
    expectClose(
      [logEvidence, posteriorMean(posterior, Math.exp), posteriorMean(posterior, (u) => u)],
      [expected.logEvidence, expected.meanQ, expected.meanLogQ],
      tolerance,
    );
  });
});
