import { fit, matrixFromRows, type Matrix, type Tensor } from "@finitewidth/core";
import { theoryChecks } from "@finitewidth/core/conformance";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { largeDeviation } from "../src/rate-function/index.js";
import { claimsAbout, testRegistry } from "./registry.ts";

const registry = testRegistry();

interface Convergence {
  readonly inputs: { readonly K: number[][]; readonly y: number[]; readonly temperature: number; readonly widthRatios: number[] };
  readonly expected: {
    readonly finite: {
      readonly N: number;
      readonly logEvidence: number;
      readonly meanQ: number;
      readonly meanLogQ: number;
      readonly hiddenKernels: number[][][];
    }[];
    readonly limit: {
      readonly q: number;
      readonly action: number;
      readonly hiddenKernels: number[][][];
      readonly meanLogQCorrection: number;
      readonly meanQCorrection: number;
    };
  };
}
const convergence = readFixture<Convergence>("deep-linear/ldp-convergence");

/** Inputs whose kernel X Xᵀ/N0 is the one wanted: rows of its Cholesky factor. */
function inputsWithKernel(rows: number[][]): Matrix {
  const n = rows.length;
  const l = matrixFromRows(rows.map((row) => row.map(() => 0)));
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = rows[i]![j]! * n;
      for (let k = 0; k < j; k++) sum -= l.data[i * n + k]! * l.data[j * n + k]!;
      const pivot = l.data[j * n + j]!;
      // a pivot of rounding size: the kernel has no more directions
      if (i === j) l.data[i * n + j] = sum > 1e-9 ? Math.sqrt(sum) : 0;
      else l.data[i * n + j] = pivot > 0 ? sum / pivot : 0;
    }
  }
  return l;
}

describe("mean-field scaling", () => {
  const { K, y, temperature, widthRatios } = convergence.inputs;
  const { limit, finite } = convergence.expected;
  // The fixture divides outputs by the square root of the first width N, the theory by that of the last, 2N: with K and T doubled both
  // describe the same networks, and the theory's action is half the fixture's.
  const last = widthRatios.at(-1)!;
  const solve = (N: number) =>
    fit(
      largeDeviation,
      {
        network: { type: "fully-connected", widths: widthRatios.map((ratio) => ratio * N), activation: "identity" },
        inputs: inputsWithKernel(K.map((row) => row.map((value) => value * last))),
        targets: y,
        temperature: temperature * last,
        scaling: "mean-field",
      },
      { registry },
    );

  it("minimises φ + ½yᵀ(qK + T)⁻¹y with widths in units of the last one", async () => {
    // in these cases the last width is the fixture's reference width
    const equal = readFixture<{
      inputs: { cases: { K: number[][]; y: number[]; temperature: number; widths: number[]; scaling: string }[] };
      expected: { cases: { q: number; action: number; logEvidenceLaplace: number; meanLogQCorrection: number; layerFactors: number[] }[] };
    }>("deep-linear/ldp-scalar");
    for (const i of [0, 1, 2, 3]) {
      const entry = equal.inputs.cases[i]!;
      const expected = equal.expected.cases[i]!;
      const { posterior } = await fit(
        largeDeviation,
        {
          network: { type: "fully-connected", widths: entry.widths, activation: "identity" },
          inputs: inputsWithKernel(entry.K),
          targets: entry.y,
          temperature: entry.temperature,
          scaling: entry.scaling === "mean-field" ? "mean-field" : "standard",
        },
        { registry },
      );
      const { action, meanLogQCorrection, layerFactors } = posterior.diagnostics as {
        action: number;
        meanLogQCorrection: number;
        layerFactors: number[];
      };
      expectClose(
        [posterior.orderParameter as number, posterior.logEvidence!, action, meanLogQCorrection, ...layerFactors],
        [expected.q, expected.logEvidenceLaplace, expected.action, expected.meanLogQCorrection, ...expected.layerFactors],
        { relative: 1e-9, absolute: 1e-10 },
      );
    }
  });

  it("is what exact posteriors of growing width converge to, with errors of order 1/N", async () => {
    const limits = await Promise.all(finite.map(({ N }) => solve(N)));
    const scaled = finite.map(({ N, logEvidence, meanLogQ, hiddenKernels }, k) => ({
      evidence: N * (logEvidence - limits[k]!.posterior.logEvidence!),
      logQ: N * (meanLogQ - Math.log(limit.q)),
      kernel: N * (hiddenKernels[1]![0]![0]! - limit.hiddenKernels[1]![0]![0]!),
    }));
    for (const quantity of ["evidence", "logQ", "kernel"] as const)
      expect(scaled.at(-1)![quantity] / scaled.at(-2)![quantity], quantity).toBeCloseTo(1, 1);
    expect(scaled.at(-1)!.logQ).toBeCloseTo(limit.meanLogQCorrection, 1);
  });

  it("has the hidden kernels and the corrections of the limit", async () => {
    const { posterior } = await solve(100);
    const { action, meanLogQCorrection } = posterior.diagnostics as { action: number; meanLogQCorrection: number };
    expectClose(
      [posterior.orderParameter as number, action * last, meanLogQCorrection / last],
      [limit.q, limit.action, limit.meanLogQCorrection],
      { relative: 1e-8 },
    );
    posterior.hiddenKernels!.forEach((kernel, l) =>
      expectClose(
        kernel.data.map((value) => value / last),
        limit.hiddenKernels[l]!,
        { relative: 1e-8, absolute: 1e-9 },
        `layer ${l + 1}`,
      ),
    );
  });
});

describe("large-deviation as a theory", () => {
  const wave = (rows: number, columns: number, phase: number): Matrix => ({
    data: Float64Array.from({ length: rows * columns }, (_, k) => Math.sin(1.3 * k * k + phase)),
    shape: [rows, columns],
  });
  const convolution = {
    type: "convolutional",
    inputShape: [2, 4],
    layers: [{ channels: 12, kernelSize: 2, padding: "circular" }],
    activation: "identity",
  };
  const pooled = {
    type: "convolutional",
    inputShape: [1, 3, 3],
    layers: [
      { channels: 9, kernelSize: 2, padding: "circular" },
      { channels: 14, kernelSize: 2 },
    ],
    readout: "global-average",
    activation: "identity",
    weightVariance: [1.2, 0.9, 1],
  };
  const cases = [
    {
      problem: {
        network: { type: "fully-connected", widths: [20, 30], activation: "identity", weightVariance: [1, 0.8, 1.4] },
        inputs: wave(6, 3, 1),
        targets: wave(6, 1, 2),
        temperature: 0.1,
      },
      testInputs: wave(3, 3, 3),
    },
    {
      problem: {
        network: { type: "fully-connected", widths: [25], activation: "identity" },
        inputs: wave(4, 5, 1),
        targets: wave(4, 2, 2),
        temperature: 0,
        scaling: "mean-field" as const,
      },
      testInputs: wave(3, 5, 3),
    },
    {
      problem: {
        network: { type: "fully-connected", widths: [25, 15], activation: "identity", biasVariance: [0.2, 0.3, 0.1] },
        inputs: wave(4, 5, 1),
        targets: wave(4, 2, 2),
        temperature: 0.2,
        scaling: "mean-field" as const,
      },
      testInputs: wave(3, 5, 3),
    },
    {
      problem: { network: convolution, inputs: wave(5, 8, 1), targets: wave(5, 1, 2), temperature: 0.2, scaling: "mean-field" as const },
      testInputs: wave(3, 8, 3),
    },
    { problem: { network: pooled, inputs: wave(4, 9, 1), targets: wave(4, 2, 2), temperature: 0.3 }, testInputs: wave(3, 9, 3) },
  ];
  const suite = {
    registry,
    cases,
    refused: {
      network: { type: "fully-connected", widths: [5], activation: "erf" },
      inputs: wave(3, 2, 0),
      targets: wave(3, 1, 0),
      temperature: 0.1,
    },
  };
  for (const check of theoryChecks(largeDeviation, suite)) it(check.name, () => check.run());

  it("has train and test predictions that agree, and covariances with the variances on the diagonal", async () => {
    for (const { problem } of cases) {
      const { posterior, predict } = await fit(largeDeviation, problem, { registry });
      const { mean, variance, covariance } = await predict(problem.inputs, { covariance: true });
      expectClose(mean, posterior.train!.mean, { relative: 1e-9, absolute: 1e-11 });
      expectClose(variance, posterior.train!.variance, { relative: 1e-6, absolute: 1e-10 });
      const n = variance.data.length;
      expectClose(
        variance.data.map((_, k) => covariance!.data[k * n + k]!),
        variance.data,
        { relative: 1e-8, absolute: 1e-10 },
      );
    }
  });

  it("reports the mixing matrix over (output, site) and a map of the sites", async () => {
    const { posterior } = await fit(largeDeviation, cases[4]!.problem, { registry });
    expect((posterior.orderParameter as Tensor).shape).toEqual([18, 18]);
    const one = await fit(largeDeviation, cases[3]!.problem, { registry });
    expect((one.posterior.orderParameter as Tensor).shape).toEqual([4, 4]);
    expect(one.posterior.figures?.[0]?.kind).toBe("heatmaps");
    expect(one.posterior.hiddenKernels?.length).toBe(1);
  });

  it("warns of two minima and gives both", async () => {
    const { posterior } = await fit(
      largeDeviation,
      {
        network: { type: "fully-connected", widths: [400, 400], activation: "identity" },
        inputs: [[1]],
        targets: [Math.sqrt(800 * Math.exp(10))],
        temperature: Math.exp(10),
        scaling: "mean-field",
      },
      { registry },
    );
    const minima = posterior.diagnostics["minima"] as { action: number; logQ: number }[];
    expectClose(
      minima.map(({ logQ, action }) => [logQ, action]),
      [
        [10.488883928864698, 335.3281987004208],
        [0.07694274047919185, 399.98113815588044],
      ],
      { relative: 1e-9 },
    );
    expect(posterior.warnings[0]).toContain("2 minima");
  });

  it.each(["standard", "mean-field"] as const)(
    "each layer's kernel has the variances before it and no others, %s scaling",
    async (scaling) => {
      const solved = async (columns: number, weightVariance: readonly number[]) =>
        (
          await fit(
            largeDeviation,
            {
              network: { type: "fully-connected", widths: [20, 30, 25], activation: "identity", weightVariance },
              inputs: [[1, 0.5, -0.2], [0.3, -1, 0.8], [-0.6, 0.4, 1.5], [0.9, 0.9, 0.1]], // prettier-ignore
              targets: [[1.2, -0.4], [-0.7, 0.9], [0.5, 1.1], [0.2, -1.6]].map((row) => row.slice(0, columns)), // prettier-ignore
              temperature: 0.3,
              scaling,
            },
            { registry },
          )
        ).posterior;
      for (const columns of [1, 2]) {
        const variances = [1.3, 0.8, 1.7, 0.6];
        const posterior = await solved(columns, variances);
        for (let l = 1; l < variances.length; l++) {
          // what a layer's weights gain the next ones lose: outputs are the same, and of the hidden kernels only that of layer l is not
          const moved = await solved(columns, variances.map((v, k) => (k === l - 1 ? 3 * v : k === l ? v / 3 : v))); // prettier-ignore
          expectClose(moved.logEvidence!, posterior.logEvidence!, { relative: 1e-9 });
          posterior.hiddenKernels!.forEach((kernel, k) =>
            expectClose(
              moved.hiddenKernels![k]!.data,
              kernel.data.map((value) => (k === l - 1 ? 3 : 1) * value),
              { relative: 1e-7, absolute: 1e-9 },
              `${columns} outputs, layer ${l}, kernel ${k + 1}`,
            ),
          );
        }
      }
    },
  );

  it("makes claims with the order of their error", async () => {
    const claims = await claimsAbout(largeDeviation, cases[0]!.problem, cases[0]!.testInputs);
    expect(claims.map(({ id, error }) => ({ id, error }))).toEqual([
      { id: "predictive-mean", error: { order: 0.5 } },
      { id: "log-evidence", error: { order: 1 } },
    ]);
  });
});
