import { matrixFromRows, type RandomStream } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  createScalarProblem,
  orderParameterMoment,
  sampleVarianceGamma,
  scalarIntegral,
  scalarMinima,
  varianceGammaLogCharacteristic,
  varianceGammaLogDensity,
} from "../src/index.js";

interface Case {
  readonly case: string;
  readonly inputs: { readonly K: number[][]; readonly f: number[]; readonly width: number; readonly s: number[] };
  readonly expected: {
    readonly logDensity: number;
    readonly posteriorQMoments: Record<string, number>;
    readonly logCharacteristic: number;
    readonly QSaddleZeroTemperature: number;
  };
  readonly tolerance: { readonly relative: number };
}

describe.each(readFixture<{ cases: Case[] }>("effective-action/variance-gamma").cases.map((c) => [c.case, c] as const))(
  "fixture: %s",
  (_, { inputs, expected, tolerance }) => {
    const law = { kernel: matrixFromRows(inputs.K), width: inputs.width };
    const value = Float64Array.from(inputs.f);
    it("density, moments of Q, characteristic function", () => {
      expectClose(varianceGammaLogDensity(law, value), expected.logDensity, tolerance);
      for (const [power, moment] of Object.entries(expected.posteriorQMoments))
        expectClose(orderParameterMoment(law, value, Number(power)), moment, tolerance, `E Q^${power}`);
      expectClose(varianceGammaLogCharacteristic(law, Float64Array.from(inputs.s)), expected.logCharacteristic, tolerance);
    });
    it("is the effective action at T = 0", () => {
      const problem = createScalarProblem({ kernel: law.kernel, targets: value, temperature: 0, width: law.width });
      const integral = scalarIntegral(problem);
      expectClose(integral.logEvidence, expected.logDensity, tolerance);
      expectClose(integral.mean, expected.posteriorQMoments["1"]!, tolerance);
      expectClose(scalarMinima(problem).minima[0].orderParameter, expected.QSaddleZeroTemperature, tolerance);
    });
  },
);

describe("variance-gamma law", () => {
  it("is finite at 0 only for N > P", () => {
    const kernel = matrixFromRows([
      [2, 0.3],
      [0.3, 1],
    ]);
    const zero = new Float64Array(2);
    expect(varianceGammaLogDensity({ kernel, width: 2 }, zero)).toBe(Infinity);
    const width = 5;
    const near = varianceGammaLogDensity({ kernel, width }, Float64Array.of(1e-9, 0));
    expectClose(varianceGammaLogDensity({ kernel, width }, zero), near, { absolute: 1e-6 });
  });
  it("integrates to 1 in one dimension", () => {
    let sum = 0;
    const h = 0.01;
    for (let i = -4000; i < 4000; i++)
      sum += h * Math.exp(varianceGammaLogDensity({ kernel: matrixFromRows([[1.7]]), width: 4 }, Float64Array.of((i + 0.5) * h)));
    expectClose(sum, 1, { absolute: 1e-6 });
  });
  it("samples have covariance K and kurtosis 3(1 + 2/N)", () => {
    const width = 6;
    const kernel = matrixFromRows([
      [1.5, -0.4],
      [-0.4, 0.8],
    ]);
    const count = 200_000;
    const draws = sampleVarianceGamma({ kernel, width }, count, stream(3, 1) satisfies RandomStream);
    let [xx, xy, yy, x4] = [0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const [x, y] = [draws.data[2 * i]!, draws.data[2 * i + 1]!];
      xx += (x * x) / count;
      xy += (x * y) / count;
      yy += (y * y) / count;
      x4 += x ** 4 / count;
    }
    expectClose([xx, xy, yy], [1.5, -0.4, 0.8], { absolute: 0.03 });
    expectClose(x4 / xx ** 2, 3 * (1 + 2 / width), { relative: 0.05 });
  });
});
