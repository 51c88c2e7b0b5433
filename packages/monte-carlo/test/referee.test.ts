import {
  inlineRun,
  matrixFromRows,
  resolveNetworkInput,
  type FittedMethod,
  type Matrix,
  type Problem,
  type RefereeOptions,
  type RefereeReport,
} from "@finitewidth/core";
import { exact } from "@finitewidth/posterior";
import { describe, expect, it, test } from "vitest";
import { readFixture } from "../../../tools/testing.ts";
import { referee } from "../src/index.js";
import { registry } from "./helpers.js";

interface DigitsFixture {
  readonly cases: readonly {
    readonly inputs: {
      readonly X: number[][];
      readonly y: number[];
      readonly Xtest: number[][];
      readonly ytest: number[];
      readonly T: number;
      readonly activation: string;
    };
    readonly expected: readonly {
      readonly widths: number[];
      readonly truth: { readonly gen: number; readonly se: number; readonly bias2: number; readonly var: number };
      readonly truthMean: number[];
      readonly theories: Record<string, { readonly bias2: number; readonly variance: number }>;
    }[];
  }[];
}
const { inputs: digits, expected: rows } = readFixture<DigitsFixture>("evidence-trust/referee-digits").cases[0]!;
const column = (values: readonly number[]): Matrix => matrixFromRows(values.map((value) => [value]));

const problemOf = (widths: readonly number[]): Problem => ({
  network: resolveNetworkInput({ type: "fully-connected", widths, activation: digits.activation } as { type: string }, registry),
  inputs: matrixFromRows(digits.X),
  targets: column(digits.y),
  temperature: digits.T,
  scaling: "standard",
});
const tests = { inputs: matrixFromRows(digits.Xtest), targets: column(digits.ytest) };

/** A theory whose outputs have the given error and variance: the sampled mean, moved towards or away from the labels. */
function theoryOf(mean: readonly number[], bias2: number, variance: number): FittedMethod {
  const own = mean.reduce((sum, m, i) => sum + (m - digits.ytest[i]!) ** 2 / mean.length, 0);
  const scale = Math.sqrt(bias2 / own);
  return {
    predictive: {
      mean: column(mean.map((m, i) => digits.ytest[i]! + scale * (m - digits.ytest[i]!))),
      variance: column(mean.map(() => variance)),
    },
  };
}
const judge = (
  widths: readonly number[],
  methods: Record<string, FittedMethod>,
  options: RefereeOptions = {},
  seed = 1,
): Promise<RefereeReport> => referee(problemOf(widths), methods, tests, options, inlineRun({ registry, seed }));

describe("handwritten digits, against long runs of an independent sampler", () => {
  test.each(rows.map((row) => [row.widths[0]!, row] as const))(
    "N = %d: wrong theories are contradicted, the truth is not",
    async (_, row) => {
      const methods = {
        truth: theoryOf(row.truthMean, row.truth.bias2, row.truth.var),
        ...Object.fromEntries(
          Object.entries(row.theories).map(([name, { bias2, variance }]) => [name, theoryOf(row.truthMean, bias2, variance)]),
        ),
      };
      const { verdicts, referee: own } = await judge(row.widths, methods, { seconds: 100, looks: 2 });
      expect(verdicts["truth"]!.generalizationError!.status).toBe("confirmed");
      for (const name of Object.keys(row.theories)) expect(verdicts[name]!.generalizationError!.status, name).toBe("contradicted");
      const found = (own["generalizationError"] as { total: number }).total;
      const error = (own["generalizationErrorStandardError"] as { total: number }).total;
      expect(Math.abs(found - row.truth.gen) / Math.hypot(error, row.truth.se)).toBeLessThan(4);
    },
    120_000,
  );
});

describe("deep linear networks, against exact answers", () => {
  const random = (i: number): number => Math.sin(12.9898 * (i + 1)) * 1.3;
  const [points, features] = [20, 6];
  const X = Array.from({ length: points + 30 }, (_, i) => Array.from({ length: features }, (__, j) => random(i * features + j)));
  const label = (x: number[]): number => x[0]! - 0.5 * x[1]! + 0.2 * Math.sin(9 * x[2]!);
  const problem: Problem = {
    network: resolveNetworkInput({ type: "fully-connected", widths: [6, 8], activation: "identity" } as { type: string }, registry),
    inputs: matrixFromRows(X.slice(0, points)),
    targets: column(X.slice(0, points).map(label)),
    temperature: 0.1,
    scaling: "standard",
  };
  const held = { inputs: matrixFromRows(X.slice(points)), targets: column(X.slice(points).map(label)) };
  const run = (seed: number) => inlineRun({ registry, seed });
  async function exactMethod(): Promise<FittedMethod & { readonly logEvidence: number }> {
    const posterior = await exact.fit(problem, {}, run(1));
    return {
      predictive: await exact.predict(posterior, held.inputs, { covariance: false }, run(1)),
      logEvidence: posterior.logEvidence!,
      hiddenKernels: posterior.hiddenKernels!,
      orderParameter: posterior.orderParameter!,
    };
  }
  const scaled = (m: Matrix, factor: number): Matrix => ({ data: m.data.map((value) => factor * value), shape: m.shape });

  it("exact is never contradicted, and its faults are", async () => {
    const truth = await exactMethod();
    const wrong: FittedMethod = {
      predictive: { mean: truth.predictive!.mean, variance: scaled(truth.predictive!.variance, 1.3) },
      logEvidence: truth.logEvidence + 4,
      hiddenKernels: truth.hiddenKernels!.map((kernel) => scaled(kernel, 1.3)),
    };
    for (const seed of [1, 2, 3]) {
      const { verdicts } = await referee(problem, { truth, wrong }, held, { seconds: 60 }, run(seed));
      for (const [quantity, verdict] of Object.entries(verdicts["truth"]!)) {
        expect(verdict.status, `${quantity}: ${verdict.how}`).not.toBe("contradicted");
        expect(verdict.error === null || Number.isFinite(verdict.error)).toBe(true);
      }
      expect(verdicts["truth"]!.orderParameter!.status).toBe("unchecked");
      for (const quantity of ["predictive", "generalizationError", "hiddenKernels"] as const)
        expect(verdicts["wrong"]![quantity]!.status, `${quantity}: ${verdicts["wrong"]![quantity]!.how}`).toBe("contradicted");
      expect(verdicts["wrong"]!.logEvidence!.status).not.toBe("confirmed");
    }
  }, 120_000);

  it("scores of the sampled error have unit variance", async () => {
    const truth = await exactMethod();
    const expected = truth.predictive!.mean.data.reduce((sum, m, i) => sum + (m - held.targets.data[i]!) ** 2 / 30, 0);
    const spread = truth.predictive!.variance.data.reduce((sum, v) => sum + v / 30, 0);
    const scores: number[] = [];
    for (let seed = 1; seed <= 16; seed++) {
      const { referee: own } = await referee(problem, { truth }, held, { seconds: 0.3 }, run(seed));
      const [found, error] = [own["generalizationError"], own["generalizationErrorStandardError"]] as Record<string, number>[];
      scores.push((found!["total"]! - expected - spread) / error!["total"]!);
    }
    const square = scores.reduce((sum, z) => sum + z * z, 0) / scores.length;
    expect(square).toBeGreaterThan(0.3);
    expect(square).toBeLessThan(2.5);
  }, 120_000);

  it("without labels the outputs alone are judged; without test inputs, at the training points", async () => {
    const truth = await exactMethod();
    const { verdicts } = await referee(problem, { truth }, { inputs: held.inputs }, { seconds: 20 }, run(1));
    expect(Object.keys(verdicts["truth"]!).sort()).toEqual(["hiddenKernels", "logEvidence", "orderParameter", "predictive"]);
    const posterior = await exact.fit(problem, {}, run(1));
    const atTraining = await referee(problem, { truth: { predictive: posterior.train! } }, undefined, { seconds: 20 }, run(1));
    expect(atTraining.verdicts["truth"]!.predictive!.status).not.toBe("contradicted");
  });

  it("the same seed gives the same verdicts; what cannot be run is unchecked and says why", async () => {
    const truth = await exactMethod();
    const first = await referee(problem, { truth }, held, { seconds: 0.3 }, run(4));
    expect(await referee(problem, { truth }, held, { seconds: 0.3 }, run(4))).toEqual(first);
    const cold = await referee({ ...problem, temperature: 0 }, { truth }, held, {}, run(1));
    expect(cold.verdicts["truth"]!.predictive).toMatchObject({ status: "unchecked", error: null });
    expect(cold.verdicts["truth"]!.predictive!.how).toContain("T > 0");
    const hasty = await referee(problem, { truth }, held, { seconds: 1e-6 }, run(1));
    expect(hasty.verdicts["truth"]!.logEvidence!.how).toContain("referee.seconds");
  });
});

it("judges nothing where a method found separate modes: chains of the network stay in one", async () => {
  const problem = problemOf([20]);
  const blank = { mean: column(digits.ytest), variance: column(digits.ytest.map(() => 0.1)) };
  const methods: Record<string, FittedMethod> = { seer: { predictive: blank, modes: 2 }, blind: { predictive: blank, logEvidence: -10 } };
  const { verdicts, referee: own } = await referee(problem, methods, tests, { draws: 4, chains: 8 }, inlineRun({ registry, seed: 1 }));
  expect(Object.values(verdicts["blind"]!).map(({ status }) => status)).toEqual(["unchecked", "unchecked", "unchecked"]);
  expect(verdicts["blind"]!.predictive!.how).toMatch(/^the posterior has 2 separate modes \(seer\)/);
  expect(own["checked"]).toBe(false);
});
