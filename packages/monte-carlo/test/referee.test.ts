import { inlineRun, matrixFromRows, resolveNetworkInput, type Matrix, type Problem } from "@finitewidth/core";
import { exact } from "@finitewidth/posterior";
import { describe, expect, it, test } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import { referee, type FittedMethod, type RefereeOptions, type RefereeReport } from "../src/index.js";
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
const judge = (widths: readonly number[], methods: Record<string, FittedMethod>, options: RefereeOptions = {}, seed = 1): Promise<RefereeReport> =>
  referee(problemOf(widths), methods, tests, options, inlineRun({ registry, seed }));

describe("handwritten digits, against long runs of an independent sampler", () => {
  test.each(rows.map((row) => [row.widths[0]!, row] as const))("N = %d: wrong theories are contradicted, the truth is not", async (_, row) => {
    const methods = {
      truth: theoryOf(row.truthMean, row.truth.bias2, row.truth.var),
      ...Object.fromEntries(Object.entries(row.theories).map(([name, { bias2, variance }]) => [name, theoryOf(row.truthMean, bias2, variance)])),
    };
    const { verdicts, referee: own } = await judge(row.widths, methods, { seconds: 100 });
    expect(verdicts["truth"]!.generalizationError!.status).toBe("confirmed");
    for (const name of Object.keys(row.theories)) expect(verdicts[name]!.generalizationError!.status, name).toBe("contradicted");
    const found = (own["generalizationError"] as { total: number }).total;
    const error = (own["generalizationErrorStandardError"] as { total: number }).total;
    expect(Math.abs(found - row.truth.gen) / Math.hypot(error, row.truth.se)).toBeLessThan(4);
  });
});
