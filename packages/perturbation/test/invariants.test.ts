import { createProblem, fit, inlineRun, matrixFromRows, validate, type Fitted } from "@finitewidth/core";
import { theoryChecks } from "@finitewidth/core/conformance";
import { symmetricEigenvalues } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { expectClose } from "../../../tools/testing.ts";
import {
  atWidths,
  fullyConnectedChain,
  perturbative,
  pairFlow,
  pointFlow,
  vertexFlow,
  vertexOnPairs,
  type PerturbativeOptions,
} from "../src/index.js";
import { activation, firstKernel, registry } from "./networks.js";

const inputs = [
  [1, 0.2, -0.5, 0.3],
  [-0.4, 1.1, 0.6, -0.2],
  [0.8, -0.3, 0.2, 0.9],
];
const targets = [
  [1, -0.3],
  [-0.7, 0.8],
  [0.4, 0.5],
];
const network = {
  type: "fully-connected",
  widths: [80, 60],
  activation: "erf",
  weightVariance: [1.3, 1.7, 1.5],
  biasVariance: [0.1, 0.05, 0.05],
};
const fitTo = (
  changes: { targets?: number[][]; inputs?: number[][]; temperature?: number; network?: Record<string, unknown> } = {},
): Promise<Fitted> =>
  fit(
    perturbative,
    {
      network: { ...network, ...changes.network },
      inputs: changes.inputs ?? inputs,
      targets: changes.targets ?? targets,
      temperature: changes.temperature ?? 0.2,
    },
    { registry },
  );
const evidence = (fitted: Fitted): number => (fitted.posterior.diagnostics["logEvidence"] as { correction: number }).correction;
const infinitely = { widths: [80e9, 60e9] };

describe("exact consequences of the expansion", () => {
  it.each(["erf", "relu", "identity"])("Tweedie: mean1 = T ∂e/∂Y and cov1 = T² ∂²e/∂Y², %s", async (name) => {
    const temperature = 0.2;
    const net = { activation: name };
    const base = await fitTo({ network: net });
    const leading = await fitTo({ network: { ...net, ...infinitely } });
    const atTest = await base.predict(inputs, { covariance: true });
    const step = 1e-3;
    const shifted = async (i: number, j: number, sign: number): Promise<number> =>
      evidence(
        await fitTo({
          network: net,
          targets: targets.map((row, r) => row.map((value, c) => (r === i && c === j ? value + sign * step : value))),
        }),
      );
    const e0 = evidence(base);
    for (const [i, j] of [
      [0, 0],
      [2, 1],
    ] as const) {
      const [up, down] = [await shifted(i, j, 1), await shifted(i, j, -1)];
      const at = i * 2 + j;
      const mean1 = base.posterior.train!.mean.data[at]! - leading.posterior.train!.mean.data[at]!;
      const variance1 = base.posterior.train!.variance.data[at]! - leading.posterior.train!.variance.data[at]!;
      // Third and higher derivatives of e in Y are of order e itself: differences are good to step².
      expectClose(mean1, (temperature * (up - down)) / (2 * step), { relative: 1e-5, absolute: 1e-8 }, "mean1");
      expectClose(variance1, (temperature ** 2 * (up - 2 * e0 + down)) / step ** 2, { relative: 1e-4, absolute: 1e-7 }, "cov1");
    }
    expectClose(atTest.mean, base.posterior.train!.mean, { relative: 1e-8, absolute: 1e-10 }, "training points as test points");
    expectClose(
      atTest.variance,
      base.posterior.train!.variance,
      { relative: 1e-8, absolute: 1e-10 },
      "training variances as test variances",
    );
  });

  it("corrections are additive in 1/N_l", async () => {
    const parts = await Promise.all([fitTo({ network: { widths: [80, 60e9] } }), fitTo({ network: { widths: [80e9, 60] } })]);
    expectClose(evidence(parts[0]!) + evidence(parts[1]!), evidence(await fitTo()), { relative: 1e-6 });
  });

  it("rotating the outputs rotates the mean and leaves kernels alone", async () => {
    const [c, s] = [Math.cos(0.7), Math.sin(0.7)];
    const rotate = ([a, b]: readonly number[]): number[] => [c * a! - s * b!, s * a! + c * b!];
    const [base, rotated] = await Promise.all([fitTo(), fitTo({ targets: targets.map(rotate) })]);
    expectClose(rotated.posterior.logEvidence!, base.posterior.logEvidence!, { relative: 1e-12 });
    rotated.posterior.hiddenKernels!.forEach((kernel, l) =>
      expectClose(kernel, base.posterior.hiddenKernels![l]!, { relative: 1e-11, absolute: 1e-13 }),
    );
    const test = [[0.1, 0.9, -0.7, 0.4]];
    expectClose((await rotated.predict(test)).mean, rotate(Array.from((await base.predict(test)).mean.data)), { relative: 1e-10 });
  });

  it("permuting points permutes the answers, duplicates give equal rows", async () => {
    const order = [2, 0, 1];
    const [base, permuted] = await Promise.all([
      fitTo(),
      fitTo({ inputs: order.map((i) => inputs[i]!), targets: order.map((i) => targets[i]!) }),
    ]);
    expectClose(permuted.posterior.logEvidence!, base.posterior.logEvidence!, { relative: 1e-12 });
    const doubled = await fitTo({ inputs: [...inputs, inputs[0]!], targets: [...targets, [0.9, -0.1]], network: { activation: "relu" } });
    const kernel = doubled.posterior.hiddenKernels![1]!.data;
    for (let j = 0; j < 4; j++) expect(Math.abs(kernel[j]! - kernel[12 + j]!)).toBeLessThan(1e-12);
    const prediction = await doubled.predict([inputs[1]!, inputs[1]!]);
    expect(prediction.mean.data[0]).toBeCloseTo(prediction.mean.data[2]!, 12);
  });

  it("T → 0 interpolates, T → ∞ leaves no data-driven shift", async () => {
    const cold = await fitTo({ temperature: 0 });
    const atTraining = await cold.predict(inputs);
    expectClose(atTraining.mean, targets, { absolute: 1e-9 });
    expectClose(
      atTraining.variance,
      targets.map((row) => row.map(() => 0)),
      { absolute: 1e-9 },
    );
    const shift = (fitted: Fitted): number =>
      Math.abs((fitted.posterior.diagnostics["preactivationKernels"] as { dataShift: number[][] }[])[2]!.dataShift[0]![0]!);
    const [hot, hotter] = await Promise.all([fitTo({ temperature: 1e4 }), fitTo({ temperature: 1e5 })]);
    expect(shift(hot) / shift(hotter)).toBeCloseTo(10, 2);
  });

  it("ReLU without biases is homogeneous: K → cK gives δ → cδ, Σ → c²Σ", () => {
    const flow = (scale: number) =>
      vertexFlow(
        { activation: activation("relu"), widths: [70, 50], weightVariance: [2, 1.8], biasVariance: [0, 0] },
        firstKernel(inputs, scale, 0),
      );
    const [one, three] = [flow(1), flow(3)];
    expectClose(
      three.meanShifts[2]!,
      one.meanShifts[2]!.data.map((value) => 3 * value),
      { relative: 1e-9, absolute: 1e-13 },
    );
    expectClose(
      three.covariances[1]!,
      one.covariances[1]!.data.map((value) => 9 * value),
      { relative: 1e-9 },
    );
  });

  it.each(["erf", "relu", "sign", "quadratic", "tanh"])("C is symmetric and positive semidefinite, and two inputs close, %s", (name) => {
    const kernel = firstKernel(inputs.slice(0, name === "tanh" ? 2 : 3), 1.3, 0.1);
    const phi = activation(name);
    const chain = fullyConnectedChain({ activation: phi, widths: [1, 1], weightVariance: [1.2, 1.3], biasVariance: [0.1, 0] }, kernel);
    const values = symmetricEigenvalues(vertexOnPairs(phi, kernel, chain.layers[0]!.secondMoment));
    expect(values[0]!).toBeGreaterThan(-1e-8 * values.at(-1)!);
    const parameters = { activation: phi, weightVariance: [1.2, 1.3], biasVariance: [0.1, 0] };
    const whole = vertexFlow({ ...parameters, widths: [90, 70] }, kernel);
    const n = kernel.shape[0];
    const [a, b] = [pointFlow(parameters, kernel.data[0]!), pointFlow(parameters, kernel.data[n + 1]!)];
    const pair = pairFlow(parameters, a, b, kernel.data[1]!).meanShift[2]!;
    expectClose(pair[0]! / 90 + pair[1]! / 70, whole.meanShifts[2]!.data[1]!, { relative: 1e-10, absolute: 1e-15 });
    expectClose(a.variance[2]![0]! / 90 + a.variance[2]![1]! / 70, whole.covariances[1]!.data[0]!, { relative: 1e-6, absolute: 1e-14 });
  });

  it("ReLU mean shifts are continuous up to parallel inputs", () => {
    const parameters = { activation: activation("relu"), weightVariance: [2, 2, 2], biasVariance: [0.1, 0.1, 0.1] };
    const point = pointFlow(parameters, 1);
    const shift = (gap: number): number => pairFlow(parameters, point, point, 1 - gap).meanShift[3]!.reduce((sum, value) => sum + value, 0);
    for (const gap of [1e-6, 1e-9, 1e-12, 1e-15]) expect(Math.abs(shift(gap) - shift(0))).toBeLessThan(20 * Math.sqrt(gap) + 1e-7);
  });

  it("coefficients serve any widths", () => {
    const first = firstKernel(inputs, 1.3, 0.1);
    const chain = { activation: activation("erf"), weightVariance: [1.7, 1.5], biasVariance: [0, 0.1] };
    const { coefficients } = vertexFlow({ ...chain, widths: [10, 20] }, first);
    expectClose(atWidths(coefficients.covariances[1]!, [70, 30]), vertexFlow({ ...chain, widths: [70, 30] }, first).covariances[1]!, {
      relative: 1e-12,
    });
  });
});

describe("prior questions", () => {
  const ask = (changes: Record<string, unknown>, question: { inputs?: number[][]; evaluateAt?: number[][][]; outputs?: number } = {}) => {
    const problem = createProblem(
      {
        network: { ...network, ...changes },
        inputs: question.inputs ?? inputs,
        targets: (question.inputs ?? inputs).map(() => [0]),
        temperature: 1,
      },
      registry,
    );
    return perturbative.prior!(
      {
        network: problem.network,
        inputs: problem.inputs,
        outputs: question.outputs ?? 1,
        evaluateAt: (question.evaluateAt ?? []).map((f) => matrixFromRows(f)),
        samples: 1,
      },
      validate(perturbative.options, {}) as PerturbativeOptions,
      inlineRun({ registry }),
    );
  };

  it("agrees with the flow, and the log density of one input with its closed form", async () => {
    const flow = vertexFlow(
      { activation: activation("erf"), widths: [80, 60], weightVariance: [1.7, 1.5], biasVariance: [0.05, 0.05] },
      firstKernel(inputs, 1.3, 0.1),
    );
    const result = await ask({});
    expectClose(result.kernelMeanShift!, flow.meanShifts[2]!, { relative: 1e-12 });
    expect(result.kernelCovariance!.data[0]).toBeCloseTo(flow.covariances[1]!.data[0]!, 12);
    expectClose(result.excessKurtosis!.subarray(0, 1), [(3 * flow.covariances[1]!.data[0]!) / flow.kernels[2]!.data[0]! ** 2], {
      relative: 1e-10,
    });
    expectClose(result.fourthCumulant!.data.subarray(0, 1), [3 * flow.covariances[1]!.data[0]!], { relative: 1e-10 });
    const [k, v, d] = [flow.kernels[2]!.data[0]!, flow.covariances[1]!.data[0]!, flow.meanShifts[2]!.data[0]!];
    const single = await ask({}, { inputs: inputs.slice(0, 1), evaluateAt: [[[0.4, -0.9]]], outputs: 2 });
    const r = (0.16 + 0.81) / k;
    const factor = 1 + (d / (2 * k)) * (r - 2) + (v / (8 * k * k)) * (r * r - 8 * r + 8);
    expectClose(single.logDensity!, [-r / 2 - Math.log(2 * Math.PI * k) + Math.log(factor)], { relative: 1e-11 });
  });

  it("exact fourth moment of linear units with one hidden layer", async () => {
    const result = await ask({ activation: "identity", widths: [7], weightVariance: [1.3, 0.9], biasVariance: 0 });
    const flow = firstKernel(inputs, 1.3, 0);
    expectClose(result.kernelCovariance!.data.subarray(0, 1), [(2 * (0.9 * flow.data[0]!) ** 2) / 7], { relative: 1e-12 });
    expectClose(result.excessKurtosis!.subarray(0, 1), [6 / 7], { relative: 1e-12 });
  });

  it("warns instead of a log of a negative density, and leaves out densities of singular kernels", async () => {
    const tail = await ask({ activation: "identity", widths: [2, 2] }, { inputs: inputs.slice(0, 1), evaluateAt: [[[2.2]], [[0.1]]] });
    expect(tail.logDensity!.every(Number.isFinite)).toBe(true);
    const negative = await ask(
      { activation: "relu", widths: [1, 1], weightVariance: [1, 2, 2], biasVariance: 0 },
      { inputs: inputs.slice(0, 1), evaluateAt: [[[1.2]]] },
    );
    expect(negative.logDensity!.every(Number.isFinite)).toBe(true);
    expect(negative.warnings.join()).toMatch(/negative/);
    const singular = await ask({}, { inputs: [inputs[0]!, inputs[0]!], evaluateAt: [[[1], [1]]] });
    expect(singular.logDensity).toBeUndefined();
    expect(singular.warnings.join()).toMatch(/singular/);
  });
});

describe("conformance", () => {
  const problem = { network, inputs, targets, temperature: 0.2 };
  const testInputs = matrixFromRows([
    [0.1, 0.9, -0.7, 0.4],
    [1.2, -0.6, 0.3, -0.5],
    [0.3, 0.3, 0.3, 0.3],
  ]);
  const checks = theoryChecks(perturbative as never, {
    registry,
    cases: [
      { problem, testInputs },
      { problem: { ...problem, network: { ...network, activation: "identity" } }, testInputs },
      { problem, testInputs, options: { engine: "sampled", samples: 512 }, tolerance: 0.05 },
      { problem, testInputs, options: { engine: "networks", samples: 64 }, tolerance: 0.3 },
    ],
  });
  for (const check of checks) it(check.name, () => check.run());
});
