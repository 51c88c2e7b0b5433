import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, expectWithinStandardErrors, readFixture } from "../../../tools/testing.ts";
import { atWidths, excessKurtosis, outputDensityFactor, outputLogDensity, pointFlow, vertexFlow } from "../src/index.js";
import { activation, firstKernel } from "./networks.js";

interface Flow {
  readonly inputs: { firstKernel: number[][]; activation: string; widths: number[]; weightVariances: number[]; biasVariances: number[] };
  readonly expected: {
    kernels: number[][][];
    covariances: number[][][];
    meanShifts: number[][][];
    widthCoefficientsOfOutputMeanShift: number[][][];
  };
  readonly tolerance: { relative: number; absolute: number };
}

describe("flow of kernel, mean shift and covariance", () => {
  it.each(["erf", "relu"])("vertex-flow-%s", (name) => {
    const { inputs, expected, tolerance } = readFixture<Flow>(`perturbative/vertex-flow-${name}`);
    const flow = vertexFlow(
      {
        activation: activation(inputs.activation),
        widths: inputs.widths,
        weightVariance: inputs.weightVariances,
        biasVariance: inputs.biasVariances,
      },
      matrixFromRows(inputs.firstKernel),
    );
    flow.kernels.forEach((kernel, l) => expectClose(kernel, expected.kernels[l]!, tolerance, `kernel ${l}`));
    flow.covariances.forEach((covariance, l) => expectClose(covariance, expected.covariances[l]!, tolerance, `covariance ${l}`));
    flow.meanShifts.forEach((shift, l) => expectClose(shift, expected.meanShifts[l]!, tolerance, `mean shift ${l}`));
    flow.coefficients.meanShifts
      .at(-1)!
      .forEach((c, k) => expectClose(c, expected.widthCoefficientsOfOutputMeanShift[k]!, tolerance, `coefficient ${k}`));
  });

  it("single-input-flow", () => {
    interface Single {
      readonly inputs: {
        networks: { k1: number; activation: string; widths: number[]; weightVariances: number[]; biasVariances: number[] }[];
      };
      readonly expected: { flows: { kernel: number[]; variance: number[]; meanShift: number[]; outputExcessKurtosis: number }[] };
      readonly tolerance: { relative: number; absolute: number };
    }
    const { inputs, expected, tolerance } = readFixture<Single>("perturbative/single-input-flow");
    inputs.networks.forEach(({ k1, activation: name, widths, weightVariances, biasVariances }, i) => {
      const flow = pointFlow({ activation: activation(name), weightVariance: weightVariances, biasVariance: biasVariances }, k1);
      const sum = (values: Float64Array): number => values.reduce((total, value, k) => total + value / widths[k]!, 0);
      const [variance, meanShift] = [flow.variance.map(sum), flow.meanShift.map(sum)];
      expectClose(flow.kernel, expected.flows[i]!.kernel, tolerance, `kernel ${i}`);
      expectClose(variance, expected.flows[i]!.variance, tolerance, `variance ${i}`);
      expectClose(meanShift, expected.flows[i]!.meanShift, tolerance, `shift ${i}`);
      expectClose(
        excessKurtosis({ kernel: flow.kernel.at(-1)!, variance: variance.at(-1)! }),
        expected.flows[i]!.outputExcessKurtosis,
        tolerance,
        `kurtosis ${i}`,
      );
    });
  });

  it.each(["erf", "relu"])("mc-prior-%s", (name) => {
    interface Sampled {
      readonly inputs: {
        inputs: number[][];
        activation: string;
        widthRatios: number[];
        weightVariances: number[];
        biasVariances: number[];
      };
      readonly expected: {
        coefficient: {
          meanShift: { estimate: number[]; standardError: number[] };
          covariance: { estimate: number[][]; standardError: number[][] };
        };
      };
      readonly tolerance: { standardErrors: number };
    }
    const { inputs, expected, tolerance } = readFixture<Sampled>(`perturbative/mc-prior-${name}`);
    const [w1, ...w] = inputs.weightVariances;
    const [b1, ...b] = inputs.biasVariances;
    const flow = vertexFlow(
      { activation: activation(inputs.activation), widths: [1, 1], weightVariance: w, biasVariance: b },
      firstKernel(inputs.inputs, w1!, b1!),
    );
    const shift = atWidths(flow.coefficients.meanShifts.at(-1)!, inputs.widthRatios);
    const covariance = atWidths(flow.coefficients.covariances.at(-1)!, inputs.widthRatios);
    const { coefficient } = expected;
    expectWithinStandardErrors(
      [0, 1, 2, 4, 5, 8].map((i) => shift.data[i]!),
      coefficient.meanShift.estimate,
      coefficient.meanShift.standardError,
      tolerance.standardErrors,
      "shift",
    );
    expectWithinStandardErrors(
      covariance,
      coefficient.covariance.estimate,
      coefficient.covariance.standardError,
      tolerance.standardErrors,
      "covariance",
    );
  });

  it("prior-output-density", () => {
    interface Density {
      readonly inputs: { outputs: number[][]; outputsTwo: number[][]; kernel: number; variance: number; meanShift: number };
      readonly expected: { factor: number[]; factorTwo: number[] };
      readonly tolerance: { relative: number; absolute: number };
    }
    const { inputs, expected, tolerance } = readFixture<Density>("perturbative/prior-output-density");
    expectClose(
      inputs.outputs.map((f) => outputDensityFactor(f, inputs)),
      expected.factor,
      tolerance,
    );
    expectClose(
      inputs.outputsTwo.map((f) => outputDensityFactor(f, inputs)),
      expected.factorTwo,
      tolerance,
    );
    const far = outputLogDensity([4], { kernel: 0.8, variance: -0.5, meanShift: 0 });
    expect(far.positive).toBe(false);
    expect(Number.isFinite(far.logDensity)).toBe(true);
  });
});
