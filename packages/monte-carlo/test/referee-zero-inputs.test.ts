import { inlineRun, resolveNetworkInput, zeros, type FittedMethod, type Matrix, type Problem } from "@finitewidth/core";
import { describe, expect, it, test } from "vitest";
import { referee } from "../src/index.js";
import { stuckChains } from "../src/referee/judgement.js";
import { registry } from "./helpers.js";

const [points, features, temperature] = [4, 3, 0.3];
const column = (values: readonly number[]): Matrix => ({ data: Float64Array.from(values), shape: [values.length, 1] });
const targets = column([0.7, -1.2, 0.4, 1.9]);
const tests = { inputs: zeros(3, features), targets: column([0.2, 0.1, -0.4]) };
const filled = (rows: number, columns: number, value: number): Matrix => ({
  data: new Float64Array(rows * columns).fill(value),
  shape: [rows, columns],
});

/** What is left of a network whose hidden units are 0: the readout bias, b ~ N(0, s), y = b + noise. */
function truthOf(bias: number, layers: number): FittedMethod {
  const sum = targets.data.reduce((a, b) => a + b, 0);
  const square = targets.data.reduce((a, b) => a + b * b, 0);
  const total = points * bias + temperature;
  return {
    predictive: { mean: filled(3, 1, (bias * sum) / total), variance: filled(3, 1, (bias * temperature) / total) },
    logEvidence:
      -0.5 *
      (points * Math.log(2 * Math.PI) +
        (points - 1) * Math.log(temperature) +
        Math.log(total) +
        (square - (bias * sum * sum) / total) / temperature),
    hiddenKernels: Array.from({ length: layers }, () => zeros(points, points)),
  };
}

describe("zero inputs: chains without any scatter are not stuck, and what they say is exact", () => {
  it.each([
    ["erf", [6], 0],
    ["identity", [5, 3], 0.8],
    ["relu", [4, 7], 0],
    ["tanh", [6], 0.8],
  ] as const)("%s, widths %j, readout bias %d", async (activation, widths, bias) => {
    const biasVariance = [...widths.map(() => 0), bias];
    const problem: Problem = {
      network: resolveNetworkInput({ type: "fully-connected", widths, activation, biasVariance } as { type: string }, registry),
      inputs: zeros(points, features),
      targets,
      temperature,
      scaling: "standard",
    };
    const truth = truthOf(bias, widths.length);
    const { mean, variance } = truth.predictive!;
    const methods = {
      truth,
      mean: { ...truth, predictive: { mean: filled(3, 1, mean.data[0]! + 0.5), variance } },
      variance: { ...truth, predictive: { mean, variance: filled(3, 1, variance.data[0]! + 0.01) } },
      kernel: { ...truth, hiddenKernels: truth.hiddenKernels!.map((_, l) => filled(points, points, l === widths.length - 1 ? 1e-3 : 0)) },
    };
    const run = inlineRun({ registry, seed: 2 });
    const { verdicts, referee: own } = await referee(problem, methods, tests, { chains: 8, draws: 7, looks: 1 }, run);
    expect(own).toMatchObject({ checked: true, stuckChains: 0 });
    const statuses = (name: keyof typeof methods) =>
      Object.fromEntries(Object.entries(verdicts[name]!).map(([quantity, { status }]) => [quantity, status]));
    const right = { predictive: "confirmed", generalizationError: "confirmed", logEvidence: "confirmed", hiddenKernels: "confirmed" };
    expect(statuses("truth")).toEqual(right);
    expect(statuses("mean")).toEqual({ ...right, predictive: "contradicted", generalizationError: "contradicted" });
    expect(statuses("variance")).toMatchObject({ ...right, predictive: "contradicted", generalizationError: "contradicted" });
    expect(statuses("kernel")).toEqual({ ...right, hiddenKernels: "contradicted" });
    expect(verdicts["truth"]!.predictive!.error).toBeLessThan(1e-12);
    expect(verdicts["mean"]!.predictive!.error).toBeCloseTo(0.5, 9);
    expect(verdicts["kernel"]!.hiddenKernels!.error).toBeCloseTo(1e-3 * points, 9);
  });
});

test("one chain that stands still among others that stand still elsewhere is stuck; all at one value are not", () => {
  const still = (value: number) => new Float64Array(8).fill(value);
  expect(stuckChains([still(-3), still(-3), still(-3)])).toBe(0);
  expect(stuckChains([still(-3), still(-3), still(-3.5)])).toBe(3);
  const moved = still(-3);
  moved[7] = -2.999;
  expect(stuckChains([still(-3), still(-3), moved])).toBe(2);
  // a single chain has nothing to be compared with
  expect(stuckChains([still(-3)])).toBe(1);
});
