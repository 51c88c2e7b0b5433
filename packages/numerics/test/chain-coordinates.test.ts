import { type WishartChain } from "@finitewidth/core";
import { describe, it } from "vitest";
import {
  addCoordinateGradient,
  chainFactors,
  chainAdjoint,
  chainLayout,
  coordinateLogPrior,
  coordinatesToFactors,
  signedRoot,
} from "../src/index.js";
import { expectClose, readFixture } from "../../../tools/testing.ts";

interface LikelihoodFixture {
  readonly inputs: {
    readonly widths: number[];
    readonly variances: number[];
    readonly factors: number[][][];
    readonly coordinates: number[];
  };
  readonly expected: { readonly chain: number[][][]; readonly logPrior: number; readonly logPriorGradient: number[] };
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}

const chainOf = (widths: readonly number[], variances: readonly number[]): WishartChain => ({
  layers: widths.map((width, l) => ({
    width,
    sites: 1,
    variance: variances[l]!,
    taps: l + 1 < widths.length ? [{ data: Float64Array.of(1), shape: [1, 1] }] : [],
    biasVariance: 0,
    biasWeights: Float64Array.of(1),
  })),
  readoutBiasVariance: 0,
});

describe("coordinates of a Wishart chain", () => {
  it("fixture likelihood-matrix: factors, prior density and its gradient", () => {
    const { inputs, expected, tolerance } = readFixture<LikelihoodFixture>("deep-linear/likelihood-matrix");
    const layout = chainLayout(chainOf(inputs.widths, inputs.variances), 3);
    const x = Float64Array.from(inputs.coordinates);
    const factors = coordinatesToFactors(layout, x);
    for (const l of [0, 1]) expectClose(factors.z[l]!, inputs.factors[l]!, tolerance, `Z_${l + 1}`);
    const gradient = new Float64Array(layout.dimension);
    expectClose(coordinateLogPrior(layout, x, factors, gradient), expected.logPrior, tolerance);
    expectClose(gradient, expected.logPriorGradient, tolerance);
  });

  it("signed root solves its equation and its derivatives are those of its values, small and large arguments", () => {
    for (const degrees of [1, 4, 300]) {
      for (const x of [-30, -4, -1e-2, -1e-3 * Math.sqrt(2 * degrees), 1e-5, 1e-3 * Math.sqrt(2 * degrees), 0.3, 5, 40]) {
        const { delta, logSlope, logSlopeDerivative } = signedRoot(x, degrees);
        if (Math.abs(x) > 1e-2) expectClose(degrees * (Math.expm1(2 * delta) - 2 * delta), x * x, { relative: 1e-11 }, `deviance at ${x}`);
        const h = 1e-4 * Math.max(1, Math.abs(x));
        const [up, down] = [signedRoot(x + h, degrees), signedRoot(x - h, degrees)];
        expectClose(Math.exp(logSlope), (up.delta - down.delta) / (2 * h), { relative: 1e-6 }, `slope at ${x}`);
        expectClose(
          logSlopeDerivative,
          (up.logSlope - down.logSlope) / (2 * h),
          { relative: 1e-5, absolute: 1e-6 },
          `second derivative at ${x}`,
        );
      }
    }
  });

  it("gradients through the chain agree with differences, bottleneck included", () => {
    const layout = chainLayout(chainOf([4, 2], [0.8, 1.5]), 3);
    const x = Float64Array.from({ length: layout.dimension }, (_, i) => Math.sin(1 + 3 * i));
    const weight = [
      [1, 0.3, -0.2],
      [0.3, 2, 0.5],
      [-0.2, 0.5, -1],
    ];
    const value = (at: Float64Array): number => {
      const { f } = chainFactors(layout, coordinatesToFactors(layout, at).z)[0]!;
      const r = f.shape[1];
      let sum = 0;
      for (let a = 0; a < 3; a++)
        for (let b = 0; b < 3; b++) for (let c = 0; c < r; c++) sum += weight[a]![b]! * f.data[a * r + c]! * f.data[b * r + c]!;
      return sum;
    };
    const factors = coordinatesToFactors(layout, x);
    const bars = chainAdjoint(layout, chainFactors(layout, factors.z), [
      { data: Float64Array.from(weight.flat()), shape: [3, 3] },
      undefined,
    ]);
    const gradient = new Float64Array(layout.dimension);
    addCoordinateGradient(layout, factors, bars, gradient);
    const numeric = Array.from(x, (_, i) => {
      const shift = (h: number) => value(x.map((entry, k) => (k === i ? entry + h : entry)));
      return (shift(1e-5) - shift(-1e-5)) / 2e-5;
    });
    expectClose(gradient, numeric, { relative: 1e-7, absolute: 1e-8 });
  });
});
