import { rowsOf } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { runCommand } from "./command.js";
import { inputsWithKernel } from "./kernel-inputs.js";

interface ScalarCase {
  readonly K: number[][];
  readonly y: number[];
  readonly temperature: number;
  readonly widths: number[];
  readonly variances: number[];
  readonly Kx?: number[][];
  readonly Kxx?: number[][];
}

function experimentOf(inputs: ScalarCase) {
  const X = rowsOf(inputsWithKernel(inputs.K, inputs.Kx, inputs.Kxx));
  const P = inputs.K.length;
  return {
    data: {
      train: { inputs: X.slice(0, P), targets: inputs.y.map((y) => [y]) },
      ...(X.length > P ? { test: { inputs: X.slice(P) } } : {}),
    },
    network: { type: "fully-connected", widths: inputs.widths, activation: "identity", weightVariance: [1, ...inputs.variances] },
    likelihood: { temperature: inputs.temperature },
    methods: ["exact"],
  };
}

interface ScalarExpected {
  readonly logEvidence: number;
  readonly meanQ: number;
  readonly predictiveMean?: number[];
  readonly predictiveCovariance?: number[][];
  readonly hiddenKernels?: number[][][];
}

async function check(
  inputs: ScalarCase,
  expected: ScalarExpected,
  tolerance: { readonly relative: number; readonly absolute: number },
): Promise<void> {
  const { status, stderr, result } = await runCommand("run", experimentOf(inputs));
  expect(stderr).toBe("");
  expect(status).toBe(0);
  const { exact } = result.results;
  expectClose(exact.logEvidence, expected.logEvidence, tolerance, "logEvidence");
  expectClose(exact.orderParameter, expected.meanQ, tolerance, "orderParameter");
  if (expected.predictiveMean) expectClose(exact.predictive.mean, expected.predictiveMean, tolerance, "predictive.mean");
  if (expected.predictiveCovariance)
    expectClose(
      exact.predictive.variance,
      expected.predictiveCovariance.map((row, i) => row[i]!),
      tolerance,
      "predictive.variance",
    );
  if (expected.hiddenKernels)
    expectClose(
      exact.hiddenKernels.map((kernel: { mean: number[][] }) => kernel.mean),
      expected.hiddenKernels,
      tolerance,
      "hiddenKernels",
    );
}

describe("finitewidth run reproduces the exact posterior of one output", () => {
  it.each(["one-layer", "two-layers", "three-layers", "large-load"])("%s", async (name) => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: ScalarCase;
      expected: ScalarExpected;
      tolerance: { relative: number; absolute: number };
    }>(`deep-linear/posterior-scalar-${name}`);
    await check(inputs, expected, tolerance);
  });

  it("zero temperature", async () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: { cases: ScalarCase[] };
      expected: { cases: ScalarExpected[] };
      tolerance: { relative: number; absolute: number };
    }>("deep-linear/posterior-zero-temperature");
    for (const [i, entry] of inputs.cases.entries()) await check(entry, expected.cases[i]!, tolerance);
  });

  it("readout bias", async () => {
    const { inputs, expected, tolerance } = readFixture<{
      inputs: ScalarCase & { readoutBiasVariance: number };
      expected: ScalarExpected;
      tolerance: { relative: number; absolute: number };
    }>("deep-linear/posterior-readout-bias");
    const experiment = experimentOf({ ...inputs, variances: inputs.widths.map(() => 1) });
    const { result } = await runCommand("run", {
      ...experiment,
      network: { ...experiment.network, biasVariance: [...inputs.widths.map(() => 0), inputs.readoutBiasVariance] },
    });
    expectClose(result.results.exact.logEvidence, expected.logEvidence, tolerance, "logEvidence");
    expectClose(result.results.exact.orderParameter, expected.meanQ, tolerance, "orderParameter");
  });
});
