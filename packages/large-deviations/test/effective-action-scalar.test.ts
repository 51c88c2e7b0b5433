import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  createScalarProblem,
  learnedKernel,
  pointMass,
  predictScalar,
  predictScalarTrain,
  scalarAction,
  scalarIntegral,
  scalarMinima,
  scalarSaddle,
  trainError,
  type OrderParameterNodes,
  type ScalarProblem,
} from "../src/index.js";

interface Predicted {
  readonly mean: number[];
  readonly variance: number[];
  readonly generalisationError: number;
  readonly trainError: number;
}

interface ScalarCase {
  readonly case: string;
  readonly inputs: {
    readonly K: number[][];
    readonly y: number[];
    readonly temperature: number;
    readonly width: number;
    readonly readoutBiasVariance: number;
    readonly KCross: number[][];
    readonly kTest: number[];
    readonly yTest: number[];
  };
  readonly expected: {
    readonly actionAt: readonly {
      readonly Q: number;
      readonly S: number;
      readonly dS_du: number;
      readonly d2S_du2: number;
      readonly d3S_du3: number;
    }[];
    readonly minima: readonly { readonly Q: number; readonly S: number }[];
    readonly logEvidenceLaplace: number;
    readonly QMeanLaplace: number;
    readonly d2S_du2: number;
    readonly posteriorQ: { readonly logEvidence: number; readonly QMean: number; readonly QVariance: number };
    readonly trainErrorSaddle: number;
    readonly learnedKernelSaddle: number[][] | null;
    readonly infinite?: Predicted;
    readonly saddle?: Predicted;
    readonly integral?: Predicted;
  };
  readonly tolerance: { readonly relative: number };
}

const cases = ["effective-action/scalar-action", "effective-action/two-minima"].flatMap(
  (name) => readFixture<{ cases: ScalarCase[] }>(name).cases,
);

const problemOf = ({ inputs }: ScalarCase): ScalarProblem =>
  createScalarProblem({
    kernel: matrixFromRows(inputs.K),
    targets: Float64Array.from(inputs.y),
    temperature: inputs.temperature,
    width: inputs.width,
    biasVariance: inputs.readoutBiasVariance,
  });

describe.each(cases.map((c) => [c.case, c] as const))("fixture: %s", (_, fixture) => {
  const problem = problemOf(fixture);
  const { expected, inputs, tolerance } = fixture;
  const within = { relative: tolerance.relative, absolute: tolerance.relative };
  it("action and derivatives", () => {
    for (const at of expected.actionAt) {
      const { value, first, second, third } = scalarAction(problem, at.Q);
      expectClose([value, first, second, third], [at.S, at.dS_du, at.d2S_du2, at.d3S_du3], within);
    }
  });
  it("minima, Laplace and the exact integral", () => {
    const found = scalarMinima(problem);
    expect(found.converged).toBe(true);
    expect(found.residual).toBeLessThan(1e-11 * (1 + found.minima[0].orderParameter));
    expectClose(
      found.minima.flatMap(({ orderParameter, action }) => [orderParameter, action]),
      expected.minima.flatMap(({ Q, S }) => [Q, S]),
      within,
    );
    const saddle = scalarSaddle(problem, found);
    expectClose(
      [saddle.logEvidence, saddle.meanOrderParameter, saddle.second],
      [expected.logEvidenceLaplace, expected.QMeanLaplace, expected.d2S_du2],
      within,
    );
    const integral = scalarIntegral(problem, found);
    expectClose(
      [integral.logEvidence, integral.mean, integral.variance],
      [expected.posteriorQ.logEvidence, expected.posteriorQ.QMean, expected.posteriorQ.QVariance],
      within,
    );
    expect(integral.error).toBeLessThan(1e-9);
  });
  it("train error and learned kernel at the saddle", () => {
    const point = pointMass(scalarMinima(problem).minima[0].orderParameter);
    expectClose(trainError(problem, point).total, expected.trainErrorSaddle, within);
    if (expected.learnedKernelSaddle) expectClose(learnedKernel(problem, point), expected.learnedKernelSaddle, within);
  });
  const posteriors: readonly (readonly ["infinite" | "saddle" | "integral", OrderParameterNodes])[] = [
    ["infinite", pointMass(1)],
    ["saddle", pointMass(scalarMinima(problem).minima[0].orderParameter)],
    ["integral", scalarIntegral(problem)],
  ];
  for (const [mode, posterior] of posteriors) {
    const wanted = expected[mode];
    if (!wanted) continue;
    it(`predictions, ${mode}`, () => {
      const { mean, variance } = predictScalar(problem, posterior, matrixFromRows(inputs.KCross), Float64Array.from(inputs.kTest));
      expectClose(mean, wanted.mean, within, "mean");
      expectClose(variance, wanted.variance, within, "variance");
      expectClose(trainError(problem, posterior).total, wanted.trainError, within, "train error");
      const error = inputs.yTest.reduce((sum, y, t) => sum + (mean[t]! - y) ** 2 + variance[t]!, 0) / inputs.yTest.length;
      expectClose(error, wanted.generalisationError, within, "generalisation error");
    });
    it(`training points are test points like others, ${mode}`, () => {
      const kernel = matrixFromRows(inputs.K);
      const size = inputs.y.length;
      const test = predictScalar(
        problem,
        posterior,
        kernel,
        Float64Array.from({ length: size }, (_, i) => kernel.data[i * size + i]!),
        kernel,
      );
      const train = predictScalarTrain(problem, posterior);
      expectClose(train.mean, test.mean, { absolute: 1e-8 }, "mean");
      expectClose(train.variance, test.variance, { absolute: 1e-8 }, "variance");
      expectClose(
        Array.from({ length: size }, (_, i) => test.covariance!.data[i * size + i]!),
        test.variance,
        { absolute: 1e-8 },
        "diagonal of the covariance",
      );
      const total = inputs.y.reduce((sum, y, i) => sum + (train.mean[i]! - y) ** 2 + train.variance[i]!, 0) / size;
      expectClose(total, trainError(problem, posterior).total, { relative: 1e-8, absolute: 1e-12 }, "train error");
    });
  }
});
