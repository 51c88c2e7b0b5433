import { createRegistry, matrixFromRows, rowsOf } from "@finitewidth/core";
import { addDiagonal, combine, gram, multiply, solve, trace } from "@finitewidth/linalg";
import { kernelMap, plugin as activations } from "@finitewidth/activations";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  createMultiOutputProblem,
  createScalarProblem,
  meanIntegral,
  meanLearnedKernel,
  meanSaddle,
  multiOutputLearnedKernel,
  multiOutputState,
  predictMeanIntegral,
  predictMeanIntegralTrain,
  predictMultiOutput,
  predictMultiOutputTrain,
  scalarIntegral,
  scalarMinima,
  learnedKernel,
  predictScalar,
} from "../src/index.js";

const { activation } = createRegistry([activations]);
interface Case {
  readonly case: string;
  readonly inputs: {
    readonly X: number[][];
    readonly XTest: number[][];
    readonly y: number[];
    readonly activation: string;
    readonly width: number;
    readonly temperature: number;
  };
  readonly expected: {
    readonly K: number[][];
    readonly phiMean: number[];
    readonly Q: number;
    readonly zeta: number;
    readonly xi: number;
    readonly xiVariance: number;
    readonly mean: number[];
    readonly variance: number[];
    readonly QPlainScalarTheory: number;
    readonly integral: {
      readonly logEvidence: number;
      readonly Q: number;
      readonly xi: number;
      readonly xi2: number;
      readonly mean: number[];
      readonly variance: number[];
    };
  };
  readonly tolerance: { readonly relative: number; readonly integralRelative: number };
}
const cases = readFixture<{ cases: Case[] }>("effective-action/non-odd").cases;

/** Kernels of train and test inputs together, centred, cut into blocks. */
function build(
  { inputs }: Pick<Case, "inputs">,
  change: Partial<{ biasVariance: number; targets: number[][]; width: number; mean: "none" }> = {},
) {
  const all = matrixFromRows([...inputs.X, ...inputs.XTest]);
  const size = inputs.X.length;
  const scale = gram(all);
  const first = { data: scale.data.map((value) => value / inputs.X[0]!.length), shape: scale.shape };
  const act = activation(inputs.activation);
  const kernel = kernelMap(act, first);
  const total = all.shape[0];
  const m = Float64Array.from({ length: total }, (_, i) => (change.mean === "none" ? 0 : act.moments.mean(first.data[i * (total + 1)]!)));
  const at = (i: number, j: number): number => kernel.data[i * total + j]! - m[i]! * m[j]!;
  const rows = (from: number, to: number, columns: readonly [number, number]) =>
    matrixFromRows(
      Array.from({ length: to - from }, (_, i) => Array.from({ length: columns[1] - columns[0] }, (__, j) => at(from + i, columns[0] + j))),
    );
  const train = rows(0, size, [0, size]);
  const mean = m.slice(0, size);
  const problem = createMultiOutputProblem({
    kernel: train,
    targets: change.targets ? matrixFromRows(change.targets) : matrixFromRows(inputs.y.map((y) => [y])),
    temperature: inputs.temperature,
    width: change.width ?? inputs.width,
    mean,
    biasVariance: change.biasVariance ?? 0,
  });
  const points = {
    cross: rows(size, total, [0, size]),
    variances: Float64Array.from({ length: total - size }, (_, i) => at(size + i, size + i)),
    own: rows(size, total, [size, total]),
    mean: m.slice(size),
  };
  const trainPoints = { cross: train, variances: Float64Array.from({ length: size }, (_, i) => at(i, i)), own: train, mean };
  return { problem, points, trainPoints, mean, train };
}

describe.each(cases.map((c) => [c.case, c] as const))("fixture: %s", (_, fixture) => {
  const { expected, tolerance } = fixture;
  const within = { relative: tolerance.relative, absolute: tolerance.relative };
  const { problem, points, trainPoints } = build(fixture);
  it("two order parameters", () => {
    const saddle = meanSaddle(problem);
    expect(saddle.converged).toBe(true);
    expectClose(
      [saddle.orderParameter.data[0]!, saddle.zeta.data[0]!, saddle.xi[0]!, saddle.xiCovariance.data[0]!],
      [expected.Q, expected.zeta, expected.xi, expected.xiVariance],
      within,
    );
    const state = multiOutputState(problem, saddle.orderParameter, saddle.zeta);
    const { mean, variance, covariance } = predictMultiOutput(problem, state, points);
    expectClose(mean, expected.mean, within);
    expectClose(variance, expected.variance, within);
    expectClose(
      rowsOf(covariance!).map((row, t) => row[t]!),
      expected.variance,
      within,
    );
    const train = predictMultiOutputTrain(problem, state);
    const test = predictMultiOutput(problem, state, trainPoints);
    expectClose(train.mean, test.mean, { absolute: 1e-10 });
    expectClose(train.variance, test.variance, { absolute: 1e-10 });
  });
  it("plain theory", () => {
    const scalar = createScalarProblem({
      kernel: matrixFromRows(expected.K),
      targets: Float64Array.from(fixture.inputs.y),
      temperature: fixture.inputs.temperature,
      width: fixture.inputs.width,
    });
    expectClose(scalarMinima(scalar).minima[0].orderParameter, expected.QPlainScalarTheory, within);
  });
  it("exact integral over both", () => {
    const integral = meanIntegral(problem, [expected.Q]);
    const close = { relative: tolerance.integralRelative, absolute: tolerance.integralRelative };
    expectClose(
      [integral.logEvidence, integral.mean, integral.xiMean, integral.xiSquareMean],
      [expected.integral.logEvidence, expected.integral.Q, expected.integral.xi, expected.integral.xi2],
      close,
    );
    const { mean, variance, covariance } = predictMeanIntegral(problem, integral, points);
    expectClose(mean, expected.integral.mean, close);
    expectClose(variance, expected.integral.variance, close);
    expectClose(
      rowsOf(covariance!).map((row, t) => row[t]!),
      variance,
      { absolute: 1e-10 },
    );
    const train = predictMeanIntegralTrain(problem, integral);
    const test = predictMeanIntegral(problem, integral, trainPoints);
    expectClose(train.mean, test.mean, { absolute: 1e-10 });
    expectClose(train.variance, test.variance, { absolute: 1e-10 });
    expect(integral.error).toBeLessThan(1e-9);
  });
});

describe("invariants", () => {
  const fixture = cases[0]!;
  it("the equations hold, with a readout bias too", () => {
    for (const biasVariance of [0, 0.7]) {
      const { problem, mean, train } = build(fixture, { biasVariance });
      const { orderParameter, zeta, xi, xiCovariance } = meanSaddle(problem);
      const [Q, ze] = [orderParameter.data[0]!, zeta.data[0]!];
      const size = mean.length;
      const column = { data: mean, shape: [size, 1] as const };
      const rank = multiply(column, { data: mean, shape: [1, size] });
      let a = addDiagonal(combine(Q, train, ze, rank), fixture.inputs.temperature);
      a = { data: a.data.map((value) => value + biasVariance), shape: a.shape };
      const r = solve(a, { data: Float64Array.from(fixture.inputs.y), shape: [size, 1] });
      const kr = multiply(train, r).data;
      const rkr = r.data.reduce((sum, value, i) => sum + value * kr[i]!, 0);
      const n = fixture.inputs.width;
      expectClose(1 / ze, 1 + (trace(solve(a, train)) - rkr) / n, { relative: 1e-10 });
      const hat = ze * mean.reduce((sum, value, i) => sum + value * r.data[i]!, 0);
      const am = solve(a, column).data;
      const varXi = ze - ze * ze * mean.reduce((sum, value, i) => sum + value * am[i]!, 0);
      expectClose([xi[0]!, xiCovariance.data[0]!, Q], [hat, varXi, ze + (hat * hat + varXi - ze) / n], { relative: 1e-10 });
    }
  });
  it("without a mean both integrals are the scalar one, predictions and learned kernel included", () => {
    for (const biasVariance of [0, 0.4]) {
      const { problem, points, train } = build(fixture, { mean: "none", biasVariance });
      const scalar = createScalarProblem({
        kernel: train,
        targets: Float64Array.from(fixture.inputs.y),
        temperature: fixture.inputs.temperature,
        width: fixture.inputs.width,
        biasVariance,
      });
      const [a, b] = [meanIntegral(problem, [1]), scalarIntegral(scalar)];
      expectClose([a.logEvidence, a.mean], [b.logEvidence, b.mean], { relative: 1e-9 });
      const [p, q] = [predictMeanIntegral(problem, a, points), predictScalar(scalar, b, points.cross, points.variances, points.own)];
      expectClose(p.mean, q.mean, { absolute: 1e-9 });
      expectClose(p.variance, q.variance, { absolute: 1e-9 });
      expectClose(p.covariance!, q.covariance!, { absolute: 1e-9 });
      expectClose(meanLearnedKernel(problem, a), learnedKernel(scalar, b), { absolute: 1e-9 });
    }
  });
  it("the learned kernel of one output is that of the saddle nodes", () => {
    const { problem } = build(fixture, { biasVariance: 0.3 });
    const { orderParameter, zeta, xi, xiCovariance } = meanSaddle(problem);
    const state = multiOutputState(problem, orderParameter, zeta);
    // Given Q, the coefficient ξ and the bias are a joint Gaussian; averaging over them one after the other must agree.
    const nodes = {
      nodes: orderParameter.data,
      weights: Float64Array.of(1),
      xi,
      xiSquare: Float64Array.of(xi[0]! ** 2 + xiCovariance.data[0]!),
    };
    expectClose(multiOutputLearnedKernel(problem, state), meanLearnedKernel(problem, nodes), { absolute: 1e-9 });
  });
  it("narrow networks: widths 1, 2 and 3 integrate to finite answers that agree with the Gamma mixture for centred targets", () => {
    for (const width of [1, 2, 3]) {
      const { problem } = build(fixture, { width });
      const integral = meanIntegral(problem, [1]);
      expect(Number.isFinite(integral.logEvidence)).toBe(true);
      expect(integral.xiSquareMean).toBeLessThanOrEqual(width * integral.mean * (1 + 1e-12));
    }
  });
  it("two outputs: duplicates give equal rows and columns", () => {
    const { problem } = build(fixture, { targets: fixture.inputs.y.map((y) => [y, y]), biasVariance: 0.2 });
    const { orderParameter: q, zeta, converged } = meanSaddle(problem);
    expect(converged).toBe(true);
    expectClose([q.data[0]!, zeta.data[0]!], [q.data[3]!, zeta.data[3]!], { relative: 1e-9 });
  });
});
