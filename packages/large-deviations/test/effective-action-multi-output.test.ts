import { matrix, matrixFromRows, rowsOf, type Matrix } from "@finitewidth/core";
import {
  affine,
  cholesky,
  diagonalMatrix,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveCholesky,
  symmetricEigen,
  transpose,
} from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  createMultiOutputProblem,
  createScalarProblem,
  learnedKernel,
  majoriseMinimiseStep,
  matrixAction,
  matrixLogEvidence,
  matrixMinima,
  multiOutputAction,
  multiOutputLearnedKernel,
  multiOutputState,
  pointMass,
  predictMultiOutput,
  predictMultiOutputTrain,
  requireMinimum,
  scalarMinima,
  zeroTemperatureMinimum,
} from "../src/index.js";

interface Case {
  readonly case: string;
  readonly inputs: {
    readonly K: number[][];
    readonly Y: number[][];
    readonly temperature: number;
    readonly width: number;
    readonly readoutBiasVariance: number;
    readonly KCross: number[][];
    readonly kTest: number[];
    readonly QTest: number[][];
  };
  readonly expected: {
    readonly actionAtQTest: number;
    readonly gradientAtQTest: number[][];
    readonly mmStepFromIdentity: number[][];
    readonly Q: number[][];
    readonly S: number;
    readonly logEvidenceLaplace: number;
    readonly mean: number[][];
    readonly covariance: number[][][];
  };
  readonly tolerance: { readonly relative: number; readonly logEvidenceLaplace: number };
}
const cases = readFixture<{ cases: Case[] }>("effective-action/multi-output").cases;
const problemOf = ({ inputs }: Pick<Case, "inputs">, targets = matrixFromRows(inputs.Y), width = inputs.width) =>
  createMultiOutputProblem({
    kernel: matrixFromRows(inputs.K),
    targets,
    temperature: inputs.temperature,
    width,
    biasVariance: inputs.readoutBiasVariance,
  });

describe.each(cases.map((c) => [c.case, c] as const))("fixture: %s", (_, fixture) => {
  const { inputs, expected, tolerance } = fixture;
  const within = { relative: tolerance.relative, absolute: tolerance.relative };
  const problem = problemOf(fixture);
  const action = multiOutputAction(problem);
  it("action, gradient and one step", () => {
    const { value, gradient } = matrixAction(action, matrixFromRows(inputs.QTest));
    expectClose(value, expected.actionAtQTest, within);
    expectClose(gradient, expected.gradientAtQTest, within);
    const outputs = inputs.QTest.length;
    const one = matrixFromRows(inputs.QTest.map((_row, i) => Array.from({ length: outputs }, (__, j) => (i === j ? 1 : 0))));
    expectClose(majoriseMinimiseStep(action, one), expected.mmStepFromIdentity, within);
  });
  it("minimum, evidence, predictions", () => {
    const [minimum] = matrixMinima(action, false);
    expect(minimum.converged).toBe(true);
    expect(minimum.residual).toBeLessThan(1e-10);
    expectClose(minimum.orderParameter, expected.Q, within);
    expectClose(minimum.action, expected.S, within);
    expectClose(matrixLogEvidence(action, minimum, problem.targets.data.length), expected.logEvidenceLaplace, {
      relative: tolerance.logEvidenceLaplace,
    });
    const state = multiOutputState(problem, minimum.orderParameter);
    const { mean, variance } = predictMultiOutput(problem, state, {
      cross: matrixFromRows(inputs.KCross),
      variances: Float64Array.from(inputs.kTest),
    });
    expectClose(mean, expected.mean, within);
    expectClose(
      rowsOf(variance),
      expected.covariance.map((c) => c.map((row, d) => row[d]!)),
      within,
    );
  });
  it("training points are test points like others", () => {
    const kernel = matrixFromRows(inputs.K);
    const state = multiOutputState(problem, matrixFromRows(inputs.QTest));
    const size = inputs.K.length;
    const test = predictMultiOutput(problem, state, {
      cross: kernel,
      variances: Float64Array.from({ length: size }, (__, i) => kernel.data[i * size + i]!),
      own: kernel,
    });
    const train = predictMultiOutputTrain(problem, state);
    expectClose(train.mean, test.mean, { absolute: 1e-10 });
    expectClose(train.variance, test.variance, { absolute: 1e-10 });
  });
  it("one output is the scalar theory, duplicate outputs give equal rows", () => {
    const first = matrixFromRows(inputs.Y.map((row) => [row[0]!]));
    const [one] = matrixMinima(multiOutputAction(problemOf(fixture, first)), false);
    const scalar = scalarMinima(
      createScalarProblem({
        kernel: matrixFromRows(inputs.K),
        targets: first.data,
        temperature: inputs.temperature,
        width: inputs.width,
        biasVariance: inputs.readoutBiasVariance,
      }),
    );
    expectClose(one.orderParameter, [scalar.minima[0].orderParameter], { relative: 1e-9 });
    const scalarProblem = createScalarProblem({
      kernel: matrixFromRows(inputs.K),
      targets: first.data,
      temperature: inputs.temperature,
      width: inputs.width,
      biasVariance: inputs.readoutBiasVariance,
    });
    const single = problemOf(fixture, first);
    expectClose(
      multiOutputLearnedKernel(single, multiOutputState(single, one.orderParameter)),
      learnedKernel(scalarProblem, pointMass(one.orderParameter.data[0]!)),
      { absolute: 1e-8 },
    );
    const doubled = matrixFromRows(inputs.Y.map((row) => [row[0]!, row[0]!]));
    const q = matrixMinima(multiOutputAction(problemOf(fixture, doubled)), false)[0].orderParameter;
    expectClose([q.data[0]!, q.data[1]!], [q.data[3]!, q.data[2]!], { absolute: 1e-9 });
  });
  it("rotating the outputs rotates Q", () => {
    const outputs = inputs.Y[0]!.length;
    const angle = 0.7;
    const rotation = matrixFromRows(
      Array.from({ length: outputs }, (__, i) =>
        Array.from({ length: outputs }, (___, j) =>
          i < 2 && j < 2 ? [Math.cos(angle), -Math.sin(angle), Math.sin(angle), Math.cos(angle)][2 * i + j]! : i === j ? 1 : 0,
        ),
      ),
    );
    const rotated = multiplyTransposedRight(matrixFromRows(inputs.Y), rotation);
    const [minimum] = matrixMinima(multiOutputAction(problemOf(fixture, rotated)), false);
    expectClose(minimum.orderParameter, multiplyTransposedRight(multiply(rotation, matrixFromRows(expected.Q)), rotation), {
      absolute: 1e-8,
    });
  });
  it("S never increases along the steps; wide networks give Q = 1", () => {
    let q = matrixFromRows(inputs.QTest);
    let last = Infinity;
    for (let step = 0; step < 30; step++) {
      const { value } = matrixAction(action, q);
      expect(value).toBeLessThanOrEqual(last + 1e-12);
      last = value;
      q = majoriseMinimiseStep(action, q);
    }
    const wide = matrixMinima(multiOutputAction(problemOf(fixture, matrixFromRows(inputs.Y), 1e8)), false)[0].orderParameter;
    rowsOf(wide).forEach((row, i) => row.forEach((value, j) => expect(Math.abs(value - (i === j ? 1 : 0))).toBeLessThan(1e-5)));
  });
});

describe("several outputs without noise", () => {
  const random = (rows: number, columns: number, seed: number): Matrix =>
    matrix(
      rows,
      columns,
      Float64Array.from({ length: rows * columns }, (_, i) => Math.sin(12.9898 * (i + 1) ** 2 + 78.233 * seed) * 1.7),
    );
  const cases = [
    { points: 4, outputs: 2, width: 9, seed: 1 },
    { points: 7, outputs: 3, width: 5, seed: 2 },
    { points: 3, outputs: 3, width: 3, seed: 3 },
  ];

  it.each(cases)("Q in closed form: $points points, $outputs outputs, width $width", ({ points, outputs, width, seed }) => {
    const features = random(points, points + 3, seed);
    const kernel = multiplyTransposedRight(features, features);
    const targets = random(points, outputs, seed + 10);
    const problem = createMultiOutputProblem({ kernel, targets, temperature: 0, width });
    const best = matrixMinima(multiOutputAction(problem), points <= width)[0];
    expect(best.converged).toBe(true);
    // tr Q − (1 − P/N) log det Q + tr Q⁻¹C: Q shares the eigenvectors of C = YᵀK⁻¹Y/N
    const solved = solveCholesky(cholesky(kernel), targets);
    const c = symmetricEigen(affine(1 / width, multiplyTransposedLeft(targets, solved)));
    const expected = multiplyTransposedRight(
      multiply(c.vectors, diagonalMatrix(c.values.map((value) => zeroTemperatureMinimum(value, points / width)))),
      c.vectors,
    );
    expectClose(best.orderParameter, expected, { relative: 1e-7, absolute: 1e-9 }, "Q");
    const state = multiOutputState(problem, best.orderParameter);
    expectClose(predictMultiOutputTrain(problem, state).mean, targets, { absolute: 1e-10 }, "train mean");
    const cross = multiplyTransposedRight(random(2, points + 3, seed + 20), features);
    const own = Float64Array.of(90, 80);
    const { mean, variance } = predictMultiOutput(problem, state, { cross, variances: own });
    expectClose(mean, multiply(cross, solved), { absolute: 1e-9 }, "mean");
    const explained = multiply(cross, solveCholesky(cholesky(kernel), transpose(cross)));
    const left = matrix(
      2,
      outputs,
      Float64Array.from({ length: 2 * outputs }, (_, at) => {
        const [t, a] = [Math.floor(at / outputs), at % outputs];
        return expected.data[a * (outputs + 1)]! * (own[t]! - explained.data[t * 3]!);
      }),
    );
    expectClose(variance, left, { relative: 1e-7, absolute: 1e-9 }, "variance");
  });

  it("is the limit of little noise, with a readout bias too", () => {
    const features = random(4, 9, 5);
    const input = { kernel: multiplyTransposedRight(features, features), targets: random(4, 2, 6), width: 8, biasVariance: 0.3 };
    const [none, little] = [0, 1e-9].map((temperature) => {
      const problem = createMultiOutputProblem({ ...input, temperature });
      const action = multiOutputAction(problem);
      const [best] = matrixMinima(action, true);
      return { best, evidence: matrixLogEvidence(action, best, 8) };
    });
    expectClose(none!.best.orderParameter, little!.best.orderParameter, { relative: 1e-6 }, "Q");
    expect(none!.evidence).toBeCloseTo(little!.evidence, 6);
  });

  it("refuses a singular kernel, and targets that leave an output to the prior beside as many points as the width", () => {
    const singular = matrixFromRows([
      [1, 1],
      [1, 1],
    ]);
    expect(() => createMultiOutputProblem({ kernel: singular, targets: singular, temperature: 0, width: 3 })).toThrow(
      /temperature: expected a positive number because the kernel is singular/,
    );
    const problem = createMultiOutputProblem({ kernel: identity(2), targets: singular, temperature: 0, width: 2 });
    expect(() => requireMinimum(problem, 2)).toThrow(/the action has no minimum: T = 0 and P ≥ N/);
    expect(() => requireMinimum(problem, 3)).not.toThrow();
    expect(() => requireMinimum({ ...problem, temperature: 1e-3 }, 2)).not.toThrow();
  });
});
