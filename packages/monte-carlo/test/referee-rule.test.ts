import { describe, expect, test } from "vitest";
import { expectClose, readFixture } from "../../../tools/testing.ts";
import {
  chainHealth,
  compareErrors,
  decide,
  stuckChains,
  uStatisticSquare,
  worstStatus,
  type ChainAverages,
} from "../src/referee/judgement.js";

interface Judged {
  readonly theory: number;
  readonly truth: number;
  readonly se: number;
  readonly verdict: string;
}
interface RuleFixture {
  readonly cases: readonly {
    readonly inputs: {
      /** [draw][chain][point]. */
      readonly mean: number[][][];
      readonly variance: number[][][];
      readonly logLikelihood: number[][];
      readonly stein: number[][];
      readonly acceptance: number;
      readonly ytest: number[];
      readonly theoryMean: number[];
      readonly theoryVariance: number[];
      readonly tolerance: number;
      readonly alpha: number;
      readonly trust: number;
    };
    readonly expected: {
      readonly meanDistance2: { readonly estimate: number; readonly se: number };
      readonly generalisationError: Judged;
      readonly bias2: Judged;
      readonly variance: Judged;
      readonly health: { readonly drift_z: number; readonly stein_z: number; readonly stuck: number; readonly ok: boolean };
      readonly verdict: string;
    };
  }[];
}
const named = (verdict: string): string => (verdict === "trusted" ? "confirmed" : verdict);
const { cases } = readFixture<RuleFixture>("evidence-trust/referee-rule");
const tolerance = { relative: 1e-9, absolute: 1e-9 };

describe("the rule on given chains", () => {
  test.each(cases.map((each, i) => [i, each] as const))("fixture referee-rule, case %d", (_, { inputs, expected }) => {
    const count = inputs.mean[0]!.length;
    const draws = inputs.mean.length;
    const over = (values: readonly number[][], f: (x: number) => number): Float64Array =>
      Float64Array.from(values[0]!, (__, i) => values.reduce((sum, row) => sum + f(row[i]!) / draws, 0));
    const chains = Array.from({ length: count }, (__, c): ChainAverages => {
      const rows = inputs.mean.map((draw) => draw[c]!);
      return {
        mean: over(rows, (x) => x),
        square: over(rows, (x) => x * x),
        variance: over(
          inputs.variance.map((draw) => draw[c]!),
          (x) => x,
        ),
      };
    });
    const theory = { mean: Float64Array.from(inputs.theoryMean), variance: Float64Array.from(inputs.theoryVariance) };
    const found = compareErrors(chains, Float64Array.from(inputs.ytest), theory, inputs);
    const parts = [
      [found.total, expected.generalisationError],
      [found.bias, expected.bias2],
      [found.variance, expected.variance],
    ] as const;
    for (const [judged, wanted] of parts) {
      expectClose([judged.theory, judged.truth, judged.standardError], [wanted.theory, wanted.truth, wanted.se], tolerance);
      expect(judged.status).toBe(named(wanted.verdict));
    }
    expect(worstStatus(parts.map(([{ status }]) => status))).toBe(named(expected.verdict));
    const distance = uStatisticSquare(chains.map(({ mean }) => mean.map((m, i) => m - theory.mean[i]!)));
    expectClose([distance.value, distance.standardError], [expected.meanDistance2.estimate, expected.meanDistance2.se], tolerance);
    const trace = (values: number[][]): Float64Array[] =>
      Array.from({ length: count }, (__, c) => Float64Array.from(values, (row) => row[c]!));
    const health = chainHealth(trace(inputs.logLikelihood), trace(inputs.stein), inputs.acceptance);
    expectClose([health.driftScore, health.steinScore], [expected.health.drift_z, expected.health.stein_z], tolerance);
    expect([health.stuckChains, health.healthy]).toEqual([expected.health.stuck, expected.health.ok]);
  });

  test("the square of a mean is not inflated by noise", () => {
    // rows 1 ± 1: (Σ)² − Σ² over pairs of different rows
    expectClose(uStatisticSquare([Float64Array.of(2), Float64Array.of(0), Float64Array.of(2), Float64Array.of(0)]).value, 8 / 12, {
      relative: 1e-14,
    });
  });

  test("decisions: far outside, well inside, in between", () => {
    const rule = { tolerance: 0.05, alpha: 0.002, trust: 0.05 };
    expect(decide(10, 1, 1, 32, rule)).toBe("contradicted");
    expect(decide(0.1, 0.1, 1, 32, rule)).toBe("confirmed");
    expect(decide(3, 1, 1, 32, rule)).toBe("doubtful");
  });

  test("a number that its own noise has moved by more than a fifth of the effect is not confirmed, nor contradicted for it", () => {
    const chains = Array.from({ length: 32 }, (_, c): ChainAverages => {
      const m = 1 + 1e-3 * Math.sin(c);
      return { mean: Float64Array.of(m), square: Float64Array.of(m * m), variance: Float64Array.of(1 + 1e-3 * Math.cos(c)) };
    });
    const at = (variance: number) => ({ mean: Float64Array.of(1), variance: Float64Array.of(variance) });
    const judged = (variance: number, own: number) =>
      compareErrors(
        chains,
        Float64Array.of(0),
        { ...at(variance), own: { bias: 0, variance: own, total: own } },
        { tolerance: 0.1, alpha: 0.002, trust: 0.05 },
        at(1.1),
      ).variance.status;
    expect(judged(1.03, 0.02)).toBe("doubtful");
    expect(judged(1.015, 0.02)).toBe("confirmed");
    expect(judged(1.2, 0.05)).toBe("doubtful");
    expect(judged(1.2, 0.01)).toBe("contradicted");
  });

  test("stuck chains: frozen, or far below", () => {
    const moving = Array.from({ length: 8 }, (_, c) => Float64Array.from({ length: 8 }, (__, k) => Math.sin(7 * k + c)));
    expect(stuckChains(moving)).toBe(0);
    expect(stuckChains([...moving, new Float64Array(8).fill(0.1)])).toBe(1);
    expect(stuckChains([...moving, Float64Array.from({ length: 8 }, (_, k) => Math.sin(k) - 1e3)])).toBe(1);
  });
});
