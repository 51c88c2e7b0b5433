import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { matrixTarget, spectralProblem, type PlainChain } from "../src/index.js";
import { farthestCoordinate } from "../src/sampling/target.js";
import { expectClose, readFixture } from "../../../tools/testing.ts";

interface LikelihoodFixture {
  readonly inputs: {
    readonly K: number[][];
    readonly Y: number[][];
    readonly temperature: number;
    readonly widths: number[];
    readonly variances: number[];
    readonly coordinates: number[];
    readonly biasVariances: number[];
  };
  readonly expected: {
    readonly chain: number[][][];
    readonly logLikelihood: number;
    readonly gradientQ: number[][];
    readonly logPrior: number;
    readonly logPosteriorGradient: number[];
    readonly biasLogLikelihood: number;
    readonly biasGradients: number[][][];
  };
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}

describe("likelihood of a mixing matrix", () => {
  const { inputs, expected, tolerance } = readFixture<LikelihoodFixture>("deep-linear/likelihood-matrix");
  const x = Float64Array.from(inputs.coordinates);
  const gradients = () => ({ prior: new Float64Array(x.length), likelihood: new Float64Array(x.length) });
  const plain: PlainChain = { widths: inputs.widths, variances: inputs.variances, hiddenBias: [0, 0], readoutBias: 0 };
  const biased: PlainChain = { ...plain, hiddenBias: [0, inputs.biasVariances[0]!], readoutBias: inputs.biasVariances[1]! };

  it("fixture likelihood-matrix: values and gradients", () => {
    const target = matrixTarget(plain, spectralProblem(matrixFromRows(inputs.K), matrixFromRows(inputs.Y), inputs.temperature));
    const g = gradients();
    const value = target.evaluate(x, g);
    expectClose([value.logPrior, value.logLikelihood + target.logConstant!], [expected.logPrior, expected.logLikelihood], tolerance);
    expectClose(target.likelihood.gradientQ, expected.gradientQ, tolerance);
    expectClose(
      g.prior.map((p, i) => p + g.likelihood[i]!),
      expected.logPosteriorGradient,
      tolerance,
    );
  });

  it("fixture likelihood-matrix: biases in all layers", () => {
    const target = matrixTarget(
      biased,
      spectralProblem(matrixFromRows(inputs.K), matrixFromRows(inputs.Y), inputs.temperature, {
        readout: biased.readoutBias,
        hidden: true,
      }),
    );
    const g = gradients();
    expectClose(target.evaluate(x, g).logLikelihood + target.logConstant!, expected.biasLogLikelihood, tolerance);
    expectClose(target.likelihood.gradientQ, expected.biasGradients[0]!, tolerance);
    expectClose(
      target.likelihood.gradientB.map((value) => value * inputs.biasVariances[0]!),
      expected.biasGradients[1]!,
      tolerance,
    );
    const numeric = Array.from(x, (_, i) => {
      const at = (h: number) => target.evaluate(x.map((entry, k) => (k === i ? entry + h : entry))).logLikelihood;
      return (at(1e-5) - at(-1e-5)) / 2e-5;
    });
    expectClose(g.likelihood, numeric, { relative: 1e-6, absolute: 1e-7 });
  });

  it("points beyond the bound have density 0", () => {
    const target = matrixTarget(plain, spectralProblem(matrixFromRows(inputs.K), matrixFromRows(inputs.Y), inputs.temperature));
    expect(target.evaluate(x.map(() => 2 * farthestCoordinate)).logPrior).toBe(-Infinity);
    expect(target.evaluate(x.map(() => Number.NaN)).logLikelihood).toBe(-Infinity);
  });
});
