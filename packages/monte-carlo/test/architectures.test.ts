import { fit, matrixFromRows, rowRange } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { flatten, readFixture } from "../../../tools/testing.ts";
import { monteCarlo } from "../src/index.js";
import { inputsOfKernel, registry, worstScore } from "./helpers.js";

interface Estimated {
  readonly estimate: number[][];
  readonly standardError: number[][];
}
interface MatrixFixture {
  readonly inputs: {
    readonly K: number[][];
    readonly Y: number[][];
    readonly temperature: number;
    readonly widths: number[];
    readonly variances: number[];
    readonly Kx: number[][];
    readonly Kxx: number[][];
  };
  readonly expected: { readonly predictiveMean: Estimated; readonly predictiveSecondMoment: Estimated };
}
interface ConvolutionFixture {
  readonly inputs: {
    readonly layers: readonly {
      readonly kernel: number[];
      readonly stride: number[];
      readonly padding: number[];
      readonly dilation: number[];
    }[];
    readonly channels: number[];
    readonly variances: number[];
    readonly X: number[][][];
    readonly Y: number[][];
    readonly temperature: number;
  };
  readonly expected: { readonly predictiveMean: Estimated; readonly predictiveSecondMoment: Estimated };
}

const bound = 4.5;
const options = { draws: 500, warmup: 300 };

/** Means and second moments of a prediction against a long run of importance sampling. */
function compare(
  prediction: {
    readonly mean: { readonly data: Float64Array };
    readonly variance: { readonly data: Float64Array };
    readonly standardError?: { readonly mean: { readonly data: Float64Array }; readonly variance: { readonly data: Float64Array } };
  },
  { predictiveMean, predictiveSecondMoment }: MatrixFixture["expected"],
): void {
  const { mean, variance, standardError } = prediction;
  expect(
    worstScore(mean.data, standardError!.mean.data, flatten(predictiveMean.estimate), flatten(predictiveMean.standardError)),
  ).toBeLessThan(bound);
  const second = mean.data.map((m, i) => m * m + variance.data[i]!);
  const error = second.map((_, i) => Math.hypot(standardError!.variance.data[i]!, 2 * mean.data[i]! * standardError!.mean.data[i]!));
  expect(worstScore(second, error, flatten(predictiveSecondMoment.estimate), flatten(predictiveSecondMoment.standardError))).toBeLessThan(
    bound,
  );
}

describe("posteriors of other architectures, against importance sampling of their exact mixing law", () => {
  it("two outputs, two linear layers", async () => {
    const { inputs, expected } = readFixture<MatrixFixture>("deep-linear/posterior-matrix-monte-carlo-two-layers");
    const P = inputs.K.length;
    const joint = inputsOfKernel([
      ...inputs.K.map((row, i) => [...row, ...inputs.Kx[i]!]),
      ...inputs.Kxx.map((row, i) => [...inputs.Kx.map((cross) => cross[i]!), ...row]),
    ]);
    const network = { type: "fully-connected", widths: inputs.widths, activation: "identity", weightVariance: [1, ...inputs.variances] };
    const { posterior, predict } = await fit(
      monteCarlo,
      { network, inputs: rowRange(joint, 0, P), targets: inputs.Y, temperature: inputs.temperature },
      { registry, options, seed: 2 },
    );
    expect(posterior.warnings).toEqual([]);
    compare(await predict(rowRange(joint, P, joint.shape[0])), expected);
  });

  it("two convolutional linear layers", async () => {
    const { inputs, expected } = readFixture<ConvolutionFixture>("deep-linear/conv-posterior-monte-carlo-two-layers");
    const rows = matrixFromRows(inputs.X.map((image) => image.flat()));
    const P = inputs.Y.length;
    const layers = inputs.layers.map(({ kernel, stride, padding, dilation }, l) => ({
      channels: inputs.channels[l],
      kernelSize: kernel,
      stride,
      padding,
      dilation,
    }));
    const network = {
      type: "convolutional",
      inputShape: [2, 5],
      layers,
      activation: "identity",
      weightVariance: inputs.variances,
      readout: "flatten",
    };
    const { posterior, predict } = await fit(
      monteCarlo,
      { network, inputs: rowRange(rows, 0, P), targets: inputs.Y, temperature: inputs.temperature },
      { registry, options, seed: 2 },
    );
    expect(posterior.warnings).toEqual([]);
    compare(await predict(rowRange(rows, P, rows.shape[0])), expected);
  });
});
