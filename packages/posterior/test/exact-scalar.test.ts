import { fit, inlineRun, matrixFromRows, rowsOf } from "@finitewidth/core";
import { symmetricSquareRoot } from "@finitewidth/linalg";
import { describe, expect, it } from "vitest";
import { exact, nngp } from "../src/index.js";
import type { ScalarState } from "../src/exact/state.js";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { testRegistry } from "./registry.ts";
import type { ScalarCase } from "./kernel-fixtures.ts";

const registry = testRegistry();

/** Inputs X (P × P) with X Xᵀ/P = K. */
const inputsOf = (kernel: number[][]): number[][] => {
  const root = symmetricSquareRoot(matrixFromRows(kernel));
  return rowsOf({ data: root.data.map((value) => value * Math.sqrt(kernel.length)), shape: root.shape });
};
const linear = (widths: number[], extra: object = {}) => ({ type: "fully-connected", activation: "identity", widths, ...extra });

describe("theory exact, one output", () => {
  it("fixture posterior-scalar-two-layers through the theory", async () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: ScalarCase;
      expected: {
        logEvidence: number;
        meanQ: number;
        hiddenKernels: number[][][];
        predictiveMean: number[];
        predictiveCovariance: number[][];
      };
      tolerance: { relative: number; absolute: number };
    }>("deep-linear/posterior-scalar-two-layers");
    const full = [
      ...inputs.K.map((row, i) => [...row, ...inputs.Kx![i]!]),
      ...inputs.Kxx!.map((row, i) => [...inputs.K.map((_, j) => inputs.Kx![j]![i]!), ...row]),
    ];
    const x = inputsOf(full);
    const network = linear(inputs.widths, { weightVariance: [1, ...inputs.variances!] });
    const { posterior, predict } = await fit(
      exact,
      { network, inputs: x.slice(0, 5), targets: inputs.y, temperature: inputs.temperature },
      { registry },
    );
    expectClose([posterior.logEvidence!, posterior.orderParameter as number], [expected.logEvidence, expected.meanQ], tolerance);
    posterior.hiddenKernels!.forEach((kernel, l) => expectClose(kernel, expected.hiddenKernels[l]!, tolerance, `hidden kernel ${l + 1}`));
    const prediction = await predict(x.slice(5), { covariance: true });
    expectClose(prediction.mean, expected.predictiveMean, tolerance);
    expectClose(prediction.covariance!, expected.predictiveCovariance, tolerance);
    expectClose(
      (await predict(x.slice(5))).variance,
      expected.predictiveCovariance.map((row, i) => row[i]!),
      tolerance,
    );
    expect(posterior.warnings).toEqual([]);
    expect(structuredClone(posterior).logEvidence).toBe(posterior.logEvidence);
  });

  const inputs = [
    [1, 0.2, -0.5],
    [0.3, -1, 0.4],
    [-0.7, 0.8, 0.1],
    [1, 0.2, -0.5],
    [0.1, 0.9, 1.2],
  ];
  const targets = [1.3, -0.4, 0.2, 1.2, 0.9];

  it("more points than features and duplicates: same as the kernel of full rank it tends to", async () => {
    const network = linear([4, 3]);
    const at = async (x: number[][]) => (await fit(exact, { network, inputs: x, targets, temperature: 0.1 }, { registry })).posterior;
    const low = await at(inputs);
    // scaled so that the added features change K by 1e-11 only
    const high = await at(
      inputs.map((row, i) => [...row, ...inputs.map((_, j) => (i === j ? 1e-5 : 0))].map((value) => value * Math.sqrt(8 / 3))),
    );
    expectClose(low.logEvidence!, high.logEvidence!, { absolute: 1e-8 });
    expectClose(low.hiddenKernels![1]!, high.hiddenKernels![1]!, { absolute: 1e-8 });
  });

  it("infinite width: the limit is the Gaussian process, biases included", async () => {
    const extra = { weightVariance: [1.2, 0.7, 1.5], biasVariance: [0.1, 0, 0.4] };
    const wide = await fit(exact, { network: linear([4e6, 3e6], extra), inputs, targets, temperature: 0.1 }, { registry });
    const limit = await fit(nngp, { network: linear([4e6, 3e6], extra), inputs, targets, temperature: 0.1 }, { registry });
    expectClose(wide.posterior.logEvidence!, limit.posterior.logEvidence!, { absolute: 1e-5 });
    const [p, q] = [await wide.predict([[0.4, 0.4, 1]]), await limit.predict([[0.4, 0.4, 1]])];
    expectClose([p.mean.data[0]!, p.variance.data[0]!], [q.mean.data[0]!, q.variance.data[0]!], { relative: 1e-5 });
    expectClose(wide.posterior.train!.variance, limit.posterior.train!.variance, { relative: 1e-5 });
    expectClose(wide.posterior.hiddenKernels![1]!, limit.posterior.hiddenKernels![1]!, { relative: 1e-4, absolute: 1e-5 });
  });

  it("no data: the hidden kernels are those of the prior; order of layers does not matter", async () => {
    const quiet = await fit(
      exact,
      { network: linear([4, 3], { weightVariance: [1, 0.5, 2] }), inputs, targets, temperature: 1e12 },
      { registry },
    );
    const k = quiet.posterior.hiddenKernels!;
    expectClose(
      k[1]!,
      k[0]!.data.map((value) => 0.5 * value),
      { relative: 1e-9 },
    );
    const [a, b] = await Promise.all(
      [
        [2, 7, 3],
        [7, 3, 2],
      ].map((widths) => fit(exact, { network: linear(widths), inputs, targets, temperature: 0.2 }, { registry })),
    );
    expectClose(a!.posterior.logEvidence!, b!.posterior.logEvidence!, { relative: 1e-12 });
  });

  it("T = 0, one layer: (1 − 1/N) K + E[1/q] y yᵀ/N and interpolation", async () => {
    const x = inputs.slice(0, 3);
    const { posterior } = await fit(exact, { network: linear([5]), inputs: x, targets: targets.slice(0, 3), temperature: 0 }, { registry });
    const { logQ, weights } = posterior.state as ScalarState;
    const inverse = logQ.reduce((sum, u, i) => sum + weights[i]! * Math.exp(-u), 0);
    const kernel = x.map((a) => x.map((b) => a.reduce((sum, value, i) => sum + (value * b[i]!) / 3, 0)));
    expectClose(
      posterior.hiddenKernels![0]!,
      kernel.map((row, i) => row.map((value, j) => 0.8 * value + (inverse * targets[i]! * targets[j]!) / 5)),
      { relative: 1e-11, absolute: 1e-12 },
    );
    expectClose(posterior.train!.mean, targets.slice(0, 3), { relative: 1e-10 });
    expect(Math.max(...posterior.train!.variance.data)).toBeLessThan(1e-12);
  });

  it("T → 0 with a readout bias outside the span of the inputs is the limit of small T", async () => {
    const x = [
      [1, 0.3, 2, 0.5],
      [0.4, -1, 0.2, 1],
      [2, 0.1, -1, 0.4],
    ];
    const network = linear([4, 5], { biasVariance: [0, 0, 0.7] });
    const at = (temperature: number) => fit(exact, { network, inputs: x, targets: targets.slice(0, 3), temperature }, { registry });
    const [zero, small] = [await at(0), await at(1e-9)];
    expectClose(zero.posterior.logEvidence!, small.posterior.logEvidence!, { absolute: 1e-6 });
    const low = {
      network,
      inputs: [
        [1, 0],
        [2, 0],
        [-1, 0],
      ],
      targets: [1.5, 2.5, -0.5],
    };
    const pinned = await fit(exact, { ...low, temperature: 0 }, { registry });
    const hot = await fit(exact, { ...low, temperature: 1e-8 }, { registry });
    const [p, q] = [await pinned.predict([[3, 1]]), await hot.predict([[3, 1]])];
    expectClose([p.mean.data[0]!, p.variance.data[0]!], [q.mean.data[0]!, q.variance.data[0]!], { relative: 1e-4 });
    // the density on the range (2 of 3 directions) against the one that includes noise in the third
    expectClose(pinned.posterior.logEvidence!, hot.posterior.logEvidence! + 0.5 * Math.log(2 * Math.PI * 1e-8), { absolute: 1e-5 });
  });

  it.each([
    [{ network: linear([3]), targets: [0, 0, 0, 0, 0], temperature: 0 }, "targets: expected values that are not all zero"],
    [
      { network: linear([3]), targets: [1, 0, 0, 0.5, 0], temperature: 0 },
      "targets: expected no component outside the range of the kernel",
    ],
    [{ network: linear([3], { activation: "erf" }), targets, temperature: 0.1 }, "[exact] the network must be linear"],
  ])("rejects %j", async (problem, message) => {
    await expect(fit(exact, { inputs, ...problem }, { registry })).rejects.toThrow(message);
  });
});

describe("prior of deep linear networks", () => {
  const run = inlineRun({ registry });
  const x = matrixFromRows([
    [1, 0.4, 0.2],
    [0.2, -1, 0.6],
  ]);
  const resolved = (widths: number[], weightVariance: number[], biasVariance: number[]) => ({
    type: "fully-connected",
    activation: "identity",
    widths,
    weightVariance,
    biasVariance,
  });

  it("fixture prior-moments", async () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: { cases: { widths: number[]; variances: number[]; K: number[][] }[] };
      expected: {
        cases: {
          qMoments: number[];
          qCumulants: number[];
          excessKurtosis: number;
          matrixSecondMomentAlpha: number;
          matrixSecondMomentBeta: number;
        }[];
      };
      tolerance: { relative: number };
    }>("deep-linear/prior-moments");
    for (const [i, c] of inputs.cases.entries()) {
      const e = expected.cases[i]!;
      const answer = await exact.prior!(
        {
          network: resolved(c.widths, [1, ...c.variances], c.widths.map(() => 0).concat(0)),
          inputs: matrixFromRows(inputsOf(c.K)),
          outputs: 1,
          evaluateAt: [],
          samples: 1,
        },
        {},
        run,
      );
      const k = matrixFromRows(c.K).data;
      expectClose(
        answer.secondMoment!,
        k.map((value) => e.qMoments[1]! * value),
        { relative: 1e-10, absolute: 1e-12 },
      );
      expectClose(
        answer.excessKurtosis!,
        [0, 1, 2].map(() => e.excessKurtosis),
        tolerance,
      );
      const [alpha, beta, mean] = [e.matrixSecondMomentAlpha, e.matrixSecondMomentBeta, e.qMoments[1]!];
      const at = (a: number, b: number) => k[a * 3 + b]!;
      const four = (f: (a: number, b: number, m: number, n: number) => number) =>
        Array.from({ length: 81 }, (_, s) => f(Math.floor(s / 27), Math.floor(s / 9) % 3, Math.floor(s / 3) % 3, s % 3));
      expectClose(
        answer.fourthCumulant!,
        four((a, b, m, n) => e.qCumulants[2]! * (at(a, b) * at(m, n) + at(a, m) * at(b, n) + at(a, n) * at(b, m))),
        { relative: 1e-9, absolute: 1e-11 },
      );
      expectClose(
        answer.kernelCovariance!,
        four((a, b, m, n) => (alpha - mean ** 2) * at(a, b) * at(m, n) + beta * (at(a, m) * at(b, n) + at(a, n) * at(b, m))),
        { relative: 1e-9, absolute: 1e-11 },
      );
    }
  });

  it("log density integrates to 1 and its second moment is E q · K", async () => {
    const one = matrixFromRows([[1, 0.5]]);
    const network = resolved([3, 4], [1, 0.8, 1.5], [0, 0, 0.3]);
    const step = 0.5;
    const values = Array.from({ length: 100 }, (_, i) => matrixFromRows([[(i - 49.5) * step]]));
    const answer = await exact.prior!({ network, inputs: one, outputs: 1, evaluateAt: values, samples: 1 }, {}, run);
    const density = answer.logDensity!.map(Math.exp);
    expectClose(
      density.reduce((sum, p) => sum + step * p, 0),
      1,
      { absolute: 1e-5 },
    );
    expectClose(
      density.reduce((sum, p, i) => sum + step * p * values[i]!.data[0]! ** 2, 0),
      answer.secondMoment!.data[0]!,
      { relative: 1e-3 },
    );
  });

  it("density at 0: finite exactly when all widths exceed the rank, and then continuous", async () => {
    const at = (network: ReturnType<typeof resolved>, scale: number) =>
      exact.prior!({ network, inputs: x, outputs: 1, evaluateAt: [matrixFromRows([[scale], [scale]])], samples: 1 }, {}, run);
    const wide = resolved([9, 11], [1, 1, 1], [0, 0, 0]);
    expectClose((await at(wide, 0)).logDensity!, (await at(wide, 1e-5)).logDensity!, { absolute: 1e-6 });
    await expect(at(resolved([2, 11], [1, 1, 1], [0, 0, 0]), 0)).rejects.toThrow("evaluateAt[0]: expected a value other than 0");
  });
});
