import { fit, inlineRun, matrixFromRows } from "@finitewidth/core";
import { addDiagonal, cholesky, solve } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { conditionGaussianProcess, predictGaussianProcess, trainGaussianProcess } from "@finitewidth/numerics";
import { nngp } from "../src/index.js";
import { expectClose } from "../../../tools/testing.ts";
import { testRegistry } from "./registry.ts";

const registry = testRegistry();
const inputs = [
  [1, 2],
  [2, -1],
  [0.5, 0.3],
  [1, 2],
];
const targets = [
  [1, 0],
  [0.5, 1],
  [-1, 0.2],
  [0.9, 0],
];
const network = {
  type: "fully-connected",
  widths: [4, 5],
  activation: "identity",
  weightVariance: [1, 2, 0.5],
  biasVariance: [0.1, 0.2, 0.3],
};

describe("Gaussian process on a kernel", () => {
  const kernel = matrixFromRows([
    [2, 0.3, 0.1],
    [0.3, 1, -0.2],
    [0.1, -0.2, 1.5],
  ]);
  const y = matrixFromRows([
    [1, 2],
    [0, -1],
    [0.4, 0.6],
  ]);

  it.each([0, 0.3, 40])("evidence, mean and variance at T = %d against the formulas", (temperature) => {
    const process = conditionGaussianProcess(kernel, y, temperature);
    const shifted = addDiagonal(kernel, temperature);
    const weights = solve(shifted, y);
    const quadratic = y.data.reduce((sum, value, i) => sum + value * weights.data[i]!, 0);
    expectClose(process.logEvidence, -0.5 * quadratic - cholesky(shifted).logDeterminant - 3 * Math.log(2 * Math.PI), { relative: 1e-13 });
    const train = trainGaussianProcess(process, kernel, y, temperature);
    const direct = predictGaussianProcess(process, kernel, Float64Array.of(2, 1, 1.5));
    expectClose(train.mean.data, direct.mean.data, { relative: 1e-12, absolute: 1e-13 });
    expectClose(train.variance, direct.variance, { relative: 1e-11, absolute: 1e-14 });
  });

  it("T = 0 with duplicate points: density on the range, zero variance, warning; contradictory targets are rejected", () => {
    const doubled = matrixFromRows([
      [2, 2, 0.1],
      [2, 2, 0.1],
      [0.1, 0.1, 1.5],
    ]);
    const process = conditionGaussianProcess(doubled, matrixFromRows([[1], [1], [0.4]]), 0);
    expect(process.warnings[0]).toContain("rank 2 of 3");
    expectClose(predictGaussianProcess(process, doubled, Float64Array.of(2, 2, 1.5)).mean.data, [1, 1, 0.4], { absolute: 1e-12 });
    expect(() => conditionGaussianProcess(doubled, matrixFromRows([[1], [1.1], [0.4]]), 0)).toThrow(
      "targets: expected no component outside the range of the kernel",
    );
  });

  it("an indefinite kernel is rejected", () => {
    expect(() =>
      conditionGaussianProcess(
        matrixFromRows([
          [1, 2],
          [2, 1],
        ]),
        matrixFromRows([[1], [0]]),
        0.1,
      ),
    ).toThrow("not positive semi-definite");
  });
});

describe("theory nngp", () => {
  it("joint covariance has the variances on its diagonal, outputs independent", async () => {
    const { predict } = await fit(nngp, { network, inputs, targets, temperature: 0.1 }, { registry });
    const { mean, variance, covariance } = await predict(
      [
        [1, 1],
        [0, 3],
        [2, 2],
      ],
      { covariance: true },
    );
    expect(mean.shape).toEqual([3, 2]);
    expectClose(
      [0, 1, 2, 3, 4, 5].map((i) => covariance!.data[i * 6 + i]!),
      variance.data,
      { relative: 1e-12 },
    );
    expect(covariance!.data[1]).toBe(0);
  });

  it("mean-field scaling equals readout variances and temperature divided by the last width", async () => {
    const meanField = await fit(nngp, { network, inputs, targets, temperature: 0.1, scaling: "mean-field" }, { registry });
    const standard = await fit(
      nngp,
      { network: { ...network, weightVariance: [1, 2, 0.1], biasVariance: [0.1, 0.2, 0.06] }, inputs, targets, temperature: 0.02 },
      { registry },
    );
    expectClose(meanField.posterior.logEvidence!, standard.posterior.logEvidence!, { relative: 1e-13 });
  });

  it("hidden kernels are those of the prior; prior cumulants vanish", async () => {
    const { posterior } = await fit(nngp, { network, inputs, targets, temperature: 0.1 }, { registry });
    expect(posterior.hiddenKernels).toHaveLength(2);
    expect(nngp.infiniteKernels!(posterior)).toBe(posterior.hiddenKernels);
    const run = inlineRun({ registry });
    const answer = await nngp.prior!(
      {
        network: posterior.problem.network,
        inputs: matrixFromRows(inputs.slice(0, 2)),
        outputs: 1,
        evaluateAt: [matrixFromRows([[0.3], [1]])],
        samples: 1,
      },
      {},
      run,
    );
    const k = answer.secondMoment!;
    const weights = solve(k, matrixFromRows([[0.3], [1]])).data;
    expectClose(answer.logDensity!, [-0.5 * (0.3 * weights[0]! + weights[1]!) - 0.5 * cholesky(k).logDeterminant - Math.log(2 * Math.PI)], {
      relative: 1e-12,
    });
    expect(Math.max(...answer.excessKurtosis!, ...answer.fourthCumulant!.data)).toBe(0);
    expectClose(posterior.hiddenKernels![0]!.data[0]!, 2.5 + 0.1, { relative: 1e-14 });
  });

  it("prior of two outputs: the density of both, moments of a Gaussian, refusals by name", async () => {
    const run = inlineRun({ registry });
    const { posterior } = await fit(nngp, { network, inputs, targets, temperature: 0.1 }, { registry });
    const [one, two] = [
      [0.3, 1],
      [-0.7, 2],
    ];
    const at = (evaluateAt: readonly number[][][], outputs: number, rows: readonly number[][] = inputs.slice(0, 2)) =>
      nngp.prior!(
        {
          network: posterior.problem.network,
          inputs: matrixFromRows(rows),
          outputs,
          evaluateAt: evaluateAt.map((value) => matrixFromRows(value)),
          samples: 1,
        },
        {},
        run,
      );
    const column = (y: number[]) => y.map((value) => [value]);
    const { logDensity: apart } = await at([column(one!), column(two!)], 1);
    const { logDensity, kernelCovariance, fourthCumulant, kernelMeanShift, excessKurtosis, warnings } = await at(
      [one!.map((y, i) => [y, two![i]!])],
      2,
    );
    expectClose(logDensity!, [apart![0]! + apart![1]!], { relative: 1e-13 });
    for (const tensor of [kernelCovariance!, fourthCumulant!]) expect(tensor).toEqual({ data: new Float64Array(16), shape: [2, 2, 2, 2] });
    expect([kernelMeanShift, excessKurtosis, warnings]).toEqual([{ data: new Float64Array(4), shape: [2, 2] }, new Float64Array(2), []]);
    const many = Array.from({ length: 9 }, (_, i) => [Math.cos(i), Math.sin(2 * i)]);
    expect(Object.keys(await at([], 1, many)).sort()).toEqual(["excessKurtosis", "kernelMeanShift", "secondMoment", "warnings"]);
    expect((await at([], 1, many.slice(1))).kernelCovariance!.shape).toEqual([8, 8, 8, 8]);
    await expect(at([column(one!)], 2)).rejects.toThrow("evaluateAt[0]: expected 2 × 2 numbers, got 2 × 1");
    const twice = [inputs[0]!, inputs[0]!, inputs[1]!];
    expect((await at([column([1, 1, 2])], 1, twice)).warnings.join()).toContain("rank 2 of 3");
    await expect(at([column([1, 1, 2]), column([1, 3, 2])], 1, twice)).rejects.toThrow(
      /evaluateAt\[1\]: expected a value of f that the prior can take/,
    );
  });

  it("at the training points it is the prediction there", async () => {
    const { posterior, predict } = await fit(nngp, { network, inputs, targets, temperature: 0.1 }, { registry });
    const there = await predict(inputs);
    expectClose(posterior.train!.mean, there.mean, { relative: 1e-11, absolute: 1e-12 });
    expectClose(posterior.train!.variance, there.variance, { relative: 1e-9, absolute: 1e-12 });
    expect(posterior.train!.variance.shape).toEqual([4, 2]);
  });
});
