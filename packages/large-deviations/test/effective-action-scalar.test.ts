import { fit, matrixFromRows } from "@finitewidth/core";
import { logGamma } from "@finitewidth/numerics";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  createScalarProblem,
  effectiveAction,
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
import { testRegistry } from "./registry.ts";

const registry = testRegistry();

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

describe("two modes of the order parameter", () => {
  const [N, noise] = [2, 0.5];
  const k = Array.from({ length: 8 }, (_, i) => (i < 6 ? 100 : 0.01));
  const targets = k.map((value) => (value > 1 ? 0.3 : 7.7));
  const at = (options: Record<string, unknown> = {}, given: readonly number[] = targets) => {
    const inputs = k.map((value, i) => k.map((_, j) => (i === j ? Math.sqrt(8 * value) : 0)));
    const network = { type: "fully-connected", widths: [N], activation: "identity" };
    return fit(effectiveAction, { network, inputs, targets: [...given], temperature: noise }, { registry, options });
  };
  const action = (Q: number): number =>
    Q - Math.log(Q) + k.reduce((sum, value, i) => sum + Math.log(noise + Q * value) + targets[i]! ** 2 / (noise + Q * value), 0) / N;
  it("are counted, warned about, drawn, and summed over", async () => {
    const { posterior } = await at();
    expect(posterior.modes).toBe(2);
    expect(posterior.warnings.join()).toMatch(/the action has 2 minima/);
    const minima = posterior.diagnostics["minima"] as { orderParameter: number; action: number }[];
    const [low, high] = minima.map(({ orderParameter }) => Math.log(orderParameter)).toSorted((a, b) => a - b) as [number, number];
    const lowest = minima[0]!.action;
    for (const { orderParameter, action: value } of minima) expectClose(value, action(orderParameter), { relative: 1e-12 });
    expect(lowest).toBeLessThan(minima[1]!.action);
    expect([posterior.orderParameter, posterior.diagnostics["action"]]).toEqual([minima[0]!.orderParameter, lowest]);
    const grid = Array.from({ length: 4600 }, (_, i) => -40 + 0.01 * i);
    const weights = grid.map((u) => 0.01 * Math.exp(-0.5 * N * (action(Math.exp(u)) - lowest)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    const scale = 0.5 * N * (Math.log(0.5 * N) - lowest) - logGamma(0.5 * N) - 4 * Math.log(2 * Math.PI);
    expectClose(posterior.logEvidence!, Math.log(sum) + scale, { relative: 1e-10 });
    const mean = grid.reduce((total, u, i) => total + (weights[i]! / sum) * Math.exp(u), 0);
    expectClose((posterior.diagnostics["orderParameterPosterior"] as { mean: number }).mean, mean, { relative: 1e-9 });
    const [curve, density] = posterior.figures as unknown as {
      series: { x: Float64Array; y: Float64Array }[];
      marks: { label: string; x: number }[];
    }[];
    const { x, y: height } = curve!.series[0]!;
    for (const i of x.keys()) expectClose(height[i]!, action(x[i]!) - lowest, { absolute: 1e-9 });
    // two e-folds beyond the minima
    expectClose([Math.log(x[0]!), Math.log(x.at(-1)!)], [low - 2, high + 2], { absolute: 1e-9 });
    expect(curve!.marks).toEqual(
      minima.map(({ orderParameter }, i) => ({ label: `${["global", "local"][i]!} minimum`, x: orderParameter })),
    );
    expect(density!.marks[0]).toEqual({ label: "saddle", x: posterior.orderParameter });
    // the density is one of log Q
    const shown = density!.series[0]!;
    const step = Math.log(shown.x[1]! / shown.x[0]!);
    const area = shown.y.reduce((total, value) => total + value * step, 0);
    expectClose(area, 1, { absolute: 1e-6 });
  });
  it("mode saddle takes the lowest, its Laplace evidence and the 1/N mean, and says when that is not to be trusted", async () => {
    const [far, near] = [await at({ mode: "saddle" }), await at({ mode: "saddle" }, targets.map((value) => 0.1 * value))]; // prettier-ignore
    for (const { posterior } of [far, near]) {
      const { laplaceMean, laplaceVarianceOfLog } = posterior.diagnostics["orderParameterPosterior"] as Record<string, number>;
      const second = posterior.diagnostics["actionSecondDerivative"] as number;
      expectClose(laplaceVarianceOfLog!, 2 / (N * second), { relative: 1e-12 });
      expect(posterior.logEvidence).toBe(posterior.diagnostics["logEvidenceLaplace"]);
      expect(posterior.logEvidence).not.toBe(posterior.diagnostics["logEvidenceIntegral"]);
      const strong = Math.abs(laplaceMean! / (posterior.orderParameter as number) - 1) > 0.25;
      expect(posterior.warnings.some((text) => text.includes("fluctuates strongly"))).toBe(strong);
    }
    const u = Math.log(far.posterior.orderParameter as number);
    const along = (shift: number): number => action(Math.exp(u + shift));
    const curvature = (along(1e-3) - 2 * along(0) + along(-1e-3)) / 1e-6;
    expectClose(far.posterior.diagnostics["actionSecondDerivative"] as number, curvature, { relative: 1e-5 });
    expect([far.posterior.modes, near.posterior.modes]).toEqual([2, undefined]);
  });
});
