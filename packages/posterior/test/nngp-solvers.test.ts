import { describe, expect, test } from "vitest";
import { plugin as activations } from "@finitewidth/activations";
import { createRegistry, fit, inlineRun, resolveArchitecture, zeros, type Matrix, type Prediction } from "@finitewidth/core";
import { posteriorFromNpz, posteriorToNpz } from "@finitewidth/core/npz";
import { outputKernel } from "@finitewidth/kernels";
import { diagonalOf } from "@finitewidth/linalg";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { plugin as priorConv } from "@finitewidth/prior-conv";
import { stream } from "@finitewidth/random";
import { nngp, plugin } from "../src/index.js";
import { chosenForm, fitTiles, predictTiles, trainTiles } from "../src/infinite-width/large.js";
import { normalMatrix } from "../../../tools/testing.ts";

const registry = createRegistry([activations, priorFc, priorConv, plugin]);

function problem(points: number, outputs: number, network: Record<string, unknown> & { readonly type: string }, features = 8) {
  const random = stream(11, points);
  const normals = (rows: number): Matrix => normalMatrix(random, rows, features);
  const inputs = normals(points);
  const targets = zeros(points, outputs);
  for (let i = 0; i < points; i++)
    for (let a = 0; a < outputs; a++) targets.data[i * outputs + a] = Math.sin(2 * inputs.data[i * features + a]!) + 0.1 * random.normal();
  return { given: { network, inputs, targets, temperature: 0.05 }, test: normals(7) };
}
const erf = { type: "fully-connected", widths: [10, 10], activation: "erf", biasVariance: 0.1 };

const expectPredictions = (found: Prediction, expected: Prediction, digits: number): void => {
  for (const key of ["mean", "variance", "covariance"] as const)
    found[key]!.data.forEach((value, i) => expect(value).toBeCloseTo(expected[key]!.data[i]!, digits));
};

describe("solvers of nngp", () => {
  test.each([
    ["one output", 1, erf, "standard"],
    ["three outputs", 3, erf, "standard"],
    ["mean-field scaling", 1, erf, "mean-field"],
    [
      "convolution",
      1,
      { type: "convolutional", inputShape: [1, 8], layers: [{ channels: 5, kernelSize: [2] }], readout: "flatten", activation: "relu" },
      "standard",
    ],
  ] as const)("iterations agree with the Cholesky factor: %s", async (_name, outputs, network, scaling) => {
    const { given, test: others } = problem(150, outputs, network);
    const dense = await fit(nngp, { ...given, scaling }, { registry });
    const found = await fit(nngp, { ...given, scaling }, { registry, options: { solver: "iterative" }, seed: 3 });
    const { posterior } = found;
    expect(posterior.diagnostics["form"]).toBe("iterative");
    expect(posterior.solver.residual).toBeLessThan(1e-9);
    const error = posterior.standardError!.logEvidence!;
    expect(error).toBeGreaterThan(0);
    expect(Math.abs(posterior.logEvidence! - dense.posterior.logEvidence!) / error).toBeLessThan(5);
    expect(posterior.warnings.join()).toMatch(/log evidence is an estimate/);
    expectPredictions(await found.predict(others, { covariance: true }), await dense.predict(others, { covariance: true }), 7);
  });

  test("the same seed gives the same evidence, another seed another", async () => {
    const { given } = problem(120, 1, erf);
    const evidence = async (seed: number) =>
      (await fit(nngp, given, { registry, options: { solver: "iterative" }, seed })).posterior.logEvidence;
    expect(await evidence(1)).toBe(await evidence(1));
    expect(await evidence(1)).not.toBe(await evidence(2));
  });

  test("the stated error of the evidence is its scatter over seeds; what the iterations did is reported", async () => {
    const { given } = problem(60, 2, erf);
    const dense = (await fit(nngp, given, { registry })).posterior.logEvidence!;
    let scores = 0;
    for (let seed = 1; seed <= 24; seed++) {
      const { posterior } = await fit(nngp, given, { registry, options: { solver: "iterative" }, seed });
      const { logEvidence, standardError, diagnostics, solver } = posterior;
      scores += ((logEvidence! - dense) / standardError!.logEvidence!) ** 2 / 24;
      expect(diagnostics).toEqual({
        form: "iterative",
        preconditionerRank: 12,
        probes: 16,
        iterations: solver.iterations,
        residual: solver.residual,
        logEvidenceError: standardError!.logEvidence,
      });
      expect([solver.converged, solver.iterations > 0]).toEqual([true, true]);
      expect(Object.keys(posterior)).not.toContain("train");
      expect(await nngp.evidenceGradient!(posterior, inlineRun({ registry }))).toBeUndefined();
      expect(posterior.warnings[1]).toMatch(/predictions at the training inputs are left out/);
    }
    // χ²₂₄/24, errors from 16 probes: twice or half the error would make 1/4 and 4 of it
    expect(scores).toBeGreaterThan(0.4);
    expect(scores).toBeLessThan(2.5);
  });

  test("a posterior predicts the same from its file", async () => {
    const { given, test: others } = problem(90, 1, erf);
    const found = await fit(nngp, given, { registry, options: { solver: "iterative" } });
    const kept = posteriorFromNpz(posteriorToNpz(found.posterior)) as typeof found.posterior;
    const run = inlineRun({ registry });
    expect(await nngp.predict(kept, others, { covariance: false }, run)).toEqual(await found.predict(others));
  });

  test("tiles of the lower triangle give what one array gives", async () => {
    // more points than a tile has rows
    const { given, test: others } = problem(600, 2, erf);
    const dense = await fit(nngp, given, { registry });
    const architecture = resolveArchitecture(registry, dense.posterior.problem.network);
    const kernel = (inputs: Matrix, more?: Matrix): Matrix => outputKernel(architecture, inputs, more).kernel;
    const { state, logEvidence } = fitTiles(kernel, given.inputs, given.targets, given.temperature, inlineRun({ registry }));
    expect(logEvidence).toBeCloseTo(dense.posterior.logEvidence!, 7);
    const found = predictTiles(state, kernel(given.inputs, others), kernel(others));
    const expected = await dense.predict(others, { covariance: true });
    found.mean.data.forEach((value, i) => expect(value).toBeCloseTo(expected.mean.data[i]!, 9));
    found.variance.forEach((value, j) => {
      expect(value).toBeCloseTo(expected.variance.data[2 * j]!, 9);
      for (let k = 0; k < 7; k++) expect(found.covariance!.data[j * 7 + k]).toBeCloseTo(expected.covariance!.data[2 * j * 14 + 2 * k]!, 9);
    });
    expect(predictTiles(state, kernel(given.inputs, others), diagonalOf(kernel(others)))).toEqual({
      mean: found.mean,
      variance: found.variance,
    });
    const train = trainTiles(state, given.targets, given.temperature);
    train.mean.data.forEach((value, i) => expect(value).toBeCloseTo(dense.posterior.train!.mean.data[i]!, 9));
    train.variance.forEach((value, j) => expect(value).toBeCloseTo(dense.posterior.train!.variance.data[2 * j]!, 9));
  });

  test("auto stays with factors up to 20 000 points and never iterates at T = 0", () => {
    expect([100, 16_000, 16_001, 20_000, 20_001].map((points) => chosenForm(points, 0.1))).toEqual([
      "whole",
      "whole",
      "tiles",
      "tiles",
      "iterative",
    ]);
    expect(chosenForm(40_000, 0.1, "dense")).toBe("tiles");
    expect(chosenForm(40_000, 0)).toBe("whole");
    expect(chosenForm(10, 0.1, "iterative")).toBe("iterative");
  });

  test("what iterations cannot do is refused with the way out", async () => {
    const { given } = problem(10, 1, erf);
    await expect(fit(nngp, { ...given, temperature: 0 }, { registry, options: { solver: "iterative" } })).rejects.toThrow(
      /T > 0; use "solver": "dense"/,
    );
    await expect(fit(nngp, given, { registry, options: { solver: "quick" } })).rejects.toThrow(/options\.solver/);
  });
});
