import { rowsOf } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { expectClose, flatten, readFixture } from "../../../tools/testing.ts";
import { runCommand } from "./command.js";
import { inputsWithKernel } from "./kernel-inputs.js";

// Fixture cases are read loosely: each test states the fields that it uses.
interface Case {
  readonly case: string;
  readonly inputs: ReturnType<typeof JSON.parse>;
  readonly expected: ReturnType<typeof JSON.parse>;
  readonly tolerance: ReturnType<typeof JSON.parse>;
}
const cases = (name: string): (readonly [string, Case])[] =>
  readFixture<{ cases: Case[] }>(`forward-backward/${name}`).cases.map((entry) => [entry.case, entry]);
const activationOf = (name: string): string => (name === "linear" ? "identity" : name);

/**
 * The fixture's own quadrature for three training points (44 Gauss–Hermite nodes per axis) is converged to 7e-5 of the largest entry only;
 * two and fewer to 1e-11.
 */
const attainable = (inputs: Case["inputs"], relative: number): number =>
  inputs.X.length === 3 && inputs.activation !== "linear" ? Math.max(relative, 1e-4) : relative;

async function solve(inputs: Case["inputs"], options: object) {
  const { status, stderr, result } = await runCommand("run", {
    data: { train: { inputs: inputs.X, targets: inputs.Y }, ...(inputs.XTest ? { test: { inputs: inputs.XTest } } : {}) },
    network: {
      type: "fully-connected",
      widths: inputs.widths,
      activation: activationOf(inputs.activation),
      weightVariance: inputs.weightVariances,
      biasVariance: inputs.biasVariances,
    },
    likelihood: { temperature: inputs.temperature },
    methods: [{ method: "forward-backward", ...options }],
  });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return result.results["forward-backward"];
}

/** Tolerances of these fixtures are relative to the largest entry of an array. */
function expectNear(
  actual: Parameters<typeof expectClose>[0],
  expected: Parameters<typeof expectClose>[1],
  relative: number,
  what: string,
): void {
  const scale = Math.max(...flatten(expected).map(Math.abs));
  expectClose(actual, expected, { absolute: relative * scale }, what);
}

function compare(result: ReturnType<typeof JSON.parse>, expected: Case["expected"], relative: number): void {
  if (expected.hiddenKernels)
    expectNear(
      result.hiddenKernels.map((entry: { mean: number[][] }) => entry.mean),
      expected.hiddenKernels,
      relative,
      "hiddenKernels",
    );
  if (expected.logEvidence !== undefined) expectNear(result.logEvidence, expected.logEvidence, relative, "logEvidence");
  if (expected.testMean) expectNear(result.predictive.mean, expected.testMean, relative, "predictive.mean");
  if (expected.testVariance)
    expectNear(
      result.predictive.variance.map((row: number[]) => row[0]),
      expected.testVariance,
      relative,
      "predictive.variance",
    );
  if (expected.trainMean) expectNear(result.train.mean, expected.trainMean, relative, "train.mean");
  if (expected.trainVariance)
    expectNear(
      result.train.variance.map((row: number[]) => row[0]),
      expected.trainVariance,
      relative,
      "train.variance",
    );
}

describe("finitewidth run reproduces the forward–backward equations", () => {
  it.each(cases("saddle"))("full: %s", async (_name, { inputs, expected, tolerance }) => {
    const result = await solve(inputs, {});
    const relative = attainable(inputs, tolerance.relative);
    compare(result, expected, relative);
    expectClose(result.diagnostics.alignment.uncentred, expected.alignment.uncentred, { relative }, "alignment");
  });

  it.each(cases("saddle-quasi-monte-carlo"))("full, quasi-Monte Carlo: %s", async (_name, { inputs, expected, tolerance }) => {
    compare(await solve(inputs, {}), expected, tolerance.relative);
  });

  it.each(cases("first-order"))("first order: %s", async (_name, { inputs, expected, tolerance }) => {
    compare(await solve(inputs, { order: "first" }), { ...expected, logEvidence: undefined }, attainable(inputs, tolerance.relative));
  });

  it.each(cases("gaussian-variational"))("variational closure: %s", async (_name, { inputs, expected, tolerance }) => {
    compare(await solve(inputs, { closure: "gaussian-variational" }), expected, tolerance.relative);
  });

  it.each(cases("proportional").filter(([, entry]) => entry.inputs.K1 !== undefined))(
    "proportional: %s",
    async (_name, { inputs, expected, tolerance }) => {
      const result = await solve(
        {
          X: rowsOf(inputsWithKernel(inputs.K1)),
          Y: inputs.Y,
          widths: [inputs.width],
          activation: inputs.activation,
          weightVariances: [1, inputs.weightVariance],
          biasVariances: [0, inputs.biasVariance],
          temperature: inputs.temperature,
        },
        { order: "proportional" },
      );
      // Nodes are drawn afresh for nonlinear activations, so only their accuracy is asked for.
      const relative = inputs.activation === "linear" ? Math.max(tolerance.relative, 1e-6) : 5e-3;
      expectNear(result.train.mean, expected.trainMean, relative, "train.mean");
    },
  );
});

describe("finitewidth phase-diagram", () => {
  it("reproduces criticality", async () => {
    for (const [name, { inputs, expected, tolerance }] of cases("criticality")) {
      if (inputs.activation === undefined || inputs.weightVariance === undefined) continue;
      const { status, result } = await runCommand("phase-diagram", {
        activation: activationOf(inputs.activation),
        weightVariance: [inputs.weightVariance],
        biasVariance: [inputs.biasVariance],
      });
      expect(status, name).toBe(0);
      const at = (key: string): number | null => result[key][0][0];
      for (const key of [
        "variance",
        "chiPerp",
        "chiParallel",
        "correlation",
        "correlationSlope",
        "depthScaleVariance",
        "depthScaleCorrelation",
      ]) {
        const known = expected[key];
        if (typeof known === "number" && Number.isFinite(known))
          expectClose(at(key) ?? Number.NaN, known, { relative: tolerance.relative, absolute: 1e-9 }, `${name} ${key}`);
      }
      if (["ordered", "critical", "chaotic"].includes(expected.phase)) expect(result.regime[0][0], name).toBe(expected.phase);
    }
  });

  it("reproduces the adaptation curve and its maximum", async () => {
    const [, { inputs, expected, tolerance }] = cases("adaptation-curve")[0]!;
    // The gram matrix of the fixture is K1 without weight and bias variance. The three points around the maximum are enough here.
    const around = [2, 3, 4];
    const pick = (values: number[]): number[] => around.map((i) => values[i]!);
    const { status, stderr, result } = await runCommand("phase-diagram", {
      activation: inputs.activation,
      weightVariance: pick(inputs.weightVariances),
      biasVariance: [inputs.biasVariance],
      adaptation: {
        data: { train: { inputs: rowsOf(inputsWithKernel(inputs.gram)), targets: inputs.Y } },
        widths: Array.from({ length: inputs.depth }, () => inputs.width),
        likelihood: { temperature: inputs.temperature },
      },
    });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expectClose(
      result.adaptation.shift.map((row: number[]) => row[0]),
      pick(expected.shift),
      { relative: tolerance.relative },
      "shift",
    );
    expect(result.adaptation.maximum.weightVariance).toBe(expected.weightVarianceAtMaximum);
    expectClose(
      result.chiPerp.map((row: number[]) => row[0]),
      pick(expected.chiPerp),
      { relative: 1e-7 },
      "chiPerp",
    );
  });
});
