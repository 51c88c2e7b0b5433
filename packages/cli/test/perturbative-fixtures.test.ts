import { rowsOf } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { runCommand } from "./command.js";
import { inputsWithKernel } from "./kernel-inputs.js";

// Fixtures are read loosely: each test states the fields that it uses.
interface Fixture {
  readonly inputs: ReturnType<typeof JSON.parse>;
  readonly expected: ReturnType<typeof JSON.parse>;
  readonly tolerance: { readonly relative: number; readonly absolute: number };
}
const fixture = (name: string): Fixture => readFixture<Fixture>(`perturbative/${name}`);
const activationOf = (name: string): string => (name === "linear" ? "identity" : name);
const add = (...parts: number[][][]): number[][] =>
  parts[0]!.map((row, i) => row.map((_, j) => parts.reduce((sum, part) => sum + part[i]![j]!, 0)));

describe("finitewidth run reproduces the posterior to first order", () => {
  it.each(["posterior-erf", "posterior-relu", "posterior-quadratic"])("%s", async (name) => {
    const { inputs, expected, tolerance } = fixture(name);
    const { status, stderr, result } = await runCommand("run", {
      data: { train: { inputs: inputs.trainInputs, targets: inputs.targets }, test: { inputs: inputs.testInputs } },
      network: {
        type: "fully-connected",
        widths: inputs.widths,
        activation: activationOf(inputs.activation),
        weightVariance: inputs.weightVariances,
        biasVariance: inputs.biasVariances,
      },
      likelihood: { temperature: inputs.temperature },
      methods: ["perturbative"],
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const { perturbative } = result.results;
    const P = inputs.trainInputs.length;
    const { mean0, mean1, covariance0, covariance1 } = expected.predictive;
    const variance = (mean0 as number[][]).map((row, i) => row.map((_, j) => covariance0[i][j][i][j] + covariance1[i][j][i][j]));
    expectClose(perturbative.predictive.mean, add(mean0, mean1), tolerance, "predictive.mean");
    expectClose(perturbative.predictive.variance, variance, tolerance, "predictive.variance");
    expectClose(perturbative.diagnostics.predictive.infiniteWidth.mean, mean0, tolerance, "infinite-width mean");
    expectClose(
      perturbative.diagnostics.predictive.correction.mean,
      mean1,
      { relative: tolerance.relative, absolute: 1e-10 },
      "correction of the mean",
    );
    expectClose(perturbative.logEvidence, expected.logEvidence.leading + expected.logEvidence.correction, tolerance, "logEvidence");
    expected.hiddenKernels.forEach((kernel: { leading: number[][]; priorShift: number[][]; dataShift: number[][] }, l: number) => {
      const train = add(kernel.leading, kernel.priorShift, kernel.dataShift)
        .slice(0, P)
        .map((row) => row.slice(0, P));
      expectClose(perturbative.hiddenKernels[l].mean, train, tolerance, `hiddenKernels[${l}]`);
    });
  });
});

describe("finitewidth prior reproduces the flow of the vertex", () => {
  it.each(["vertex-flow-erf", "vertex-flow-relu"])("%s", async (name) => {
    const { inputs, expected, tolerance } = fixture(name);
    const { status, stderr, result } = await runCommand("prior", {
      inputs: rowsOf(inputsWithKernel(inputs.firstKernel)),
      network: {
        type: "fully-connected",
        widths: inputs.widths,
        activation: inputs.activation,
        weightVariance: [1, ...inputs.weightVariances],
        biasVariance: [0, ...inputs.biasVariances],
      },
      methods: ["perturbative"],
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const { perturbative } = result.results;
    // The kernel is rebuilt from inputs, which costs a few digits where derivatives diverge.
    const loose = { relative: Math.max(tolerance.relative, 1e-7), absolute: 1e-10 };
    expectClose(perturbative.kernelMeanShift, expected.meanShifts.at(-1), loose, "kernelMeanShift");
    const covariance = inputs.pairs.map(([a, b]: number[]) =>
      inputs.pairs.map(([c, d]: number[]) => perturbative.kernelCovariance[a!][b!][c!][d!]),
    );
    expectClose(covariance, expected.covariances.at(-1), loose, "kernelCovariance");
  });

  it("single inputs", async () => {
    const { inputs, expected, tolerance } = fixture("single-input-flow");
    for (const [i, network] of inputs.networks.entries()) {
      const { result } = await runCommand("prior", {
        inputs: [[Math.sqrt(network.k1)]],
        network: {
          type: "fully-connected",
          widths: network.widths,
          activation: activationOf(network.activation),
          weightVariance: [1, ...network.weightVariances],
          biasVariance: [0, ...network.biasVariances],
        },
        methods: ["perturbative"],
      });
      const { perturbative } = result.results;
      expectClose(
        perturbative.excessKurtosis,
        [expected.flows[i].outputExcessKurtosis],
        { relative: 1e-8, absolute: tolerance.absolute },
        `excessKurtosis ${i}`,
      );
      expectClose(
        perturbative.kernelMeanShift,
        [expected.flows[i].meanShift.at(-1)],
        { relative: 1e-8, absolute: 1e-10 },
        `kernelMeanShift ${i}`,
      );
    }
  });
});
