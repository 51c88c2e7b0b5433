import { matrixFromRows, type Matrix } from "@finitewidth/core";
import { lu } from "@finitewidth/linalg";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import type { FullyConnectedNetwork } from "@finitewidth/prior-fc";
import { logGamma } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";
import { describe, expect, it } from "vitest";
import {
  characteristicFunction,
  cumulantsFromMoments,
  logDeterminantMoment,
  mixingSecondMoment,
  mixingThirdTraces,
  multiOutputPrior,
  outputFourthMoment,
  outputMoment,
  scalarMixingMoments,
} from "../src/index.js";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { layersOf } from "./registry.js";

interface Fixture {
  readonly inputs: {
    readonly cases: readonly {
      readonly widths: number[];
      readonly variances: number[];
      readonly K: number[][];
      readonly points: number[][];
      readonly t: number[];
    }[];
    readonly matrix: {
      readonly D: number;
      readonly widths: number[];
      readonly logDetPowers: number[];
      readonly cfWidth: number;
      readonly cfK: number[][];
      readonly cfT: number[][];
    };
  };
  readonly expected: {
    readonly cases: readonly {
      readonly qMoments: number[];
      readonly qCumulants: number[];
      readonly outputMoments: number[];
      readonly outputCumulants: number[];
      readonly characteristicFunctionScalar: number;
      readonly matrixSecondMomentAlpha: number;
      readonly matrixSecondMomentBeta: number;
    }[];
    readonly matrix: { readonly traceMoments: number[]; readonly logDetMoments: number[]; readonly characteristicFunctionMatrix: number };
  };
  readonly tolerance: { readonly relative: number; readonly characteristicFunctionScalar: number };
}

const { inputs, expected, tolerance } = readFixture<Fixture>("deep-linear/prior-moments");
const close = { relative: tolerance.relative, absolute: 1e-13 };
const sampling = () => ({ draws: 20_000, stream: stream(4) });

describe("moments of the mixing matrix", () => {
  it("fixture prior-moments: one output", () => {
    for (const [i, c] of inputs.cases.entries()) {
      const e = expected.cases[i]!;
      const kernel = matrixFromRows(c.K);
      const moments = scalarMixingMoments(c, e.qMoments.length - 1);
      expectClose(moments, e.qMoments, close, "moments");
      expectClose(cumulantsFromMoments(moments), e.qCumulants, close, "cumulants");
      expectClose(
        c.points.map((points) => outputMoment(c, kernel, points)),
        e.outputMoments,
        close,
        "output moments",
      );
      expectClose(
        c.points.map((points) => outputMoment(c, kernel, points, { cumulant: true })),
        e.outputCumulants,
        close,
        "output cumulants",
      );
      const { value, standardError } = characteristicFunction(c, kernel, matrixFromRows(c.t.map((t) => [t])), sampling());
      expectClose(value, e.characteristicFunctionScalar, { absolute: tolerance.characteristicFunctionScalar }, "characteristic function");
      expect(standardError).toBe(0);
      const { alpha, beta } = mixingSecondMoment(c);
      expectClose([alpha, beta], [e.matrixSecondMomentAlpha, e.matrixSecondMomentBeta], close, "E Q ⊗ Q");
    }
  });

  it("fixture prior-moments: several outputs", () => {
    const { D, widths, logDetPowers, cfWidth, cfK, cfT } = inputs.matrix;
    const e = expected.matrix;
    expectClose(mixingThirdTraces({ widths }, D), e.traceMoments, close, "third order");
    expectClose(
      logDetPowers.map((power) => logDeterminantMoment({ widths }, D, power)),
      e.logDetMoments,
      close,
      "determinant",
    );
    expectClose(
      characteristicFunction({ widths: [cfWidth] }, matrixFromRows(cfK), matrixFromRows(cfT), sampling()).value,
      e.characteristicFunctionMatrix,
      close,
      "characteristic function",
    );
  });

  it("rejects a determinant that vanishes and widths that are not integers", () => {
    expect(() => logDeterminantMoment({ widths: [5, 2] }, 3, 1)).toThrow("widths[1]: expected at least 3");
    expect(() => scalarMixingMoments({ widths: [2.5] }, 2)).toThrow("widths[0]: expected a positive integer, got 2.5");
  });
});

describe("lift to several outputs, against sampled mixing matrices", () => {
  const network: FullyConnectedNetwork = {
    type: "fully-connected",
    activation: "identity",
    widths: [4, 6],
    weightVariance: [1, 0.8, 1.5],
    biasVariance: [0.1, 0, 0],
  };
  const chain = { widths: network.widths, variances: network.weightVariance.slice(1) };
  const x = matrixFromRows([
    [1, 0.5],
    [-0.3, 1],
  ]);
  const outputs = 3;
  const prior = multiOutputPrior(layersOf(network), outputs);

  it("second and third moments, determinant, fourth moments of the outputs", () => {
    const kernel = infiniteWidthKernels(layersOf(network), x).preactivation[0]!;
    const random = stream(11);
    const draws = 20_000;
    const { alpha, beta } = mixingSecondMoment(chain);
    const at = [
      { output: 0, point: 0 },
      { output: 1, point: 1 },
      { output: 0, point: 1 },
      { output: 1, point: 0 },
    ] as const;
    const expectations = [
      alpha,
      beta,
      alpha + 2 * beta,
      ...mixingThirdTraces(chain, outputs),
      Math.exp(logDeterminantMoment(chain, outputs, 1)),
      outputFourthMoment(chain, kernel, at),
    ];
    const sums = expectations.map(() => 0);
    const squares = expectations.map(() => 0);
    for (let k = 0; k < draws; k++) {
      const m = prior.sampleMixing(random);
      const q = (a: number, b: number): number => m.data[a * 3 + b]!;
      const [t1, t2, t3] = traces(m);
      const cov = (a: number, mu: number, b: number, nu: number): number => q(a, b) * kernel.data[mu * 2 + nu]!;
      const fourth = cov(0, 0, 1, 1) * cov(0, 1, 1, 0) + cov(0, 0, 0, 1) * cov(1, 1, 1, 0) + cov(0, 0, 1, 0) * cov(1, 1, 0, 1);
      [q(0, 0) * q(1, 1), q(0, 2) ** 2, q(2, 2) ** 2, t1 ** 3, t1 * t2, t3, Math.exp(lu(m).logAbsoluteDeterminant), fourth].forEach(
        (value, i) => {
          sums[i]! += value / draws;
          squares[i]! += (value * value) / draws;
        },
      );
    }
    expectations.forEach((value, i) =>
      expect(Math.abs(sums[i]! - value) / Math.sqrt((squares[i]! - sums[i]! ** 2) / draws), `moment ${i}`).toBeLessThan(4.5),
    );
  });

  it("characteristic function of a deep network is that of sampled Gaussian mixtures", () => {
    const kernel = infiniteWidthKernels(layersOf(network), x).preactivation[0]!;
    const frequencies = matrixFromRows([
      [0.7, -0.2, 0.4],
      [0.3, 0.5, -0.6],
    ]);
    const { value, standardError } = characteristicFunction(chain, kernel, frequencies, sampling());
    const random = stream(12);
    const draws = 20_000;
    let [sum, squares] = [0, 0];
    for (let k = 0; k < draws; k++) {
      const q = prior.sampleMixing(random);
      let form = 0;
      for (let a = 0; a < 3; a++)
        for (let b = 0; b < 3; b++)
          for (let i = 0; i < 2; i++)
            for (let j = 0; j < 2; j++)
              form += frequencies.data[i * 3 + a]! * frequencies.data[j * 3 + b]! * q.data[a * 3 + b]! * kernel.data[i * 2 + j]!;
      sum += Math.exp(-form / 2) / draws;
      squares += Math.exp(-form) / draws;
    }
    expect(Math.abs(sum - value) / Math.hypot(standardError, Math.sqrt((squares - sum * sum) / draws))).toBeLessThan(4.5);
  });

  it("moments agree with the closed forms; infinite width is block diagonal; covariances carry every bias", () => {
    const { covariance, mean } = prior.moments();
    const { alpha, beta } = mixingSecondMoment(chain);
    expectClose([mean.data[0]!, covariance.data[0]!, covariance.data[1 * 9 + 1]!], [1.2, alpha + 2 * beta - 1.44, beta], {
      relative: 1e-12,
    });
    const infinite = prior.infiniteWidth(x);
    expect(infinite.shape).toEqual([6, 6]);
    expect(infinite.data[3]).toBe(0);
    const biased = multiOutputPrior(layersOf({ ...network, biasVariance: [0, 0.3, 0.5] } as FullyConnectedNetwork), 2);
    const c = biased.sampleCovariance(
      matrixFromRows([
        [0, 0],
        [1, 0],
      ]),
      stream(2),
    );
    // at the zero input only the biases are left: σ_b²(3) + σ_b²(2) M_2
    expect(c.data[0]!).toBeGreaterThan(0.5);
    expectClose(c.data[1]!, c.data[0]!, { relative: 1e-12 });
  });

  it("has the density of a Wishart matrix for one hidden layer, of log q for one output, and none for others", () => {
    const [n, s, d] = [5, 1.7, 2];
    const shallow = { ...network, widths: [n], weightVariance: [0.6, s], biasVariance: [0, 0] } as FullyConnectedNetwork;
    const q = [1.3, -0.4, -0.4, 0.8];
    const determinant = q[0]! * q[3]! - q[1]! * q[2]!;
    const multivariateGamma = 0.5 * Math.log(Math.PI) + logGamma(n / 2) + logGamma((n - 1) / 2);
    const expected =
      ((n - d - 1) / 2) * Math.log(determinant) -
      (n * (q[0]! + q[3]!)) / (2 * s) -
      ((n * d) / 2) * Math.log((2 * s) / n) -
      multivariateGamma;
    expectClose(multiOutputPrior(layersOf(shallow), d).logDensity({ data: Float64Array.from(q), shape: [d, d] }), expected, {
      relative: 1e-12,
    });
    const u = 0.3;
    const one = (n / 2) * (u + Math.log(n / (2 * s))) - (n * Math.exp(u)) / (2 * s) - logGamma(n / 2);
    const found = multiOutputPrior(layersOf(shallow), 1);
    expectClose(found.logDensity({ data: Float64Array.of(Math.exp(u)), shape: [1, 1] }), one, { relative: 1e-10 });
    expect(() => multiOutputPrior(layersOf(network), 2).logDensity({ data: Float64Array.from(q), shape: [d, d] })).toThrow();
  });

  it("refuses nonlinear networks and no outputs", () => {
    expect(() => multiOutputPrior(layersOf({ ...network, activation: "erf" } as FullyConnectedNetwork), 2)).toThrow(
      "network: expected linear layers with a known mixing law",
    );
    expect(() => multiOutputPrior(layersOf(network), 0)).toThrow("outputs: expected a positive integer, got 0");
  });
});

function traces(m: Matrix): [number, number, number] {
  const n = m.shape[0];
  let [t1, t2, t3] = [0, 0, 0];
  for (let a = 0; a < n; a++) {
    t1 += m.data[a * n + a]!;
    for (let b = 0; b < n; b++) {
      t2 += m.data[a * n + b]! * m.data[b * n + a]!;
      for (let c = 0; c < n; c++) t3 += m.data[a * n + b]! * m.data[b * n + c]! * m.data[c * n + a]!;
    }
  }
  return [t1, t2, t3];
}
