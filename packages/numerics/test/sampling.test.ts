import { describe, expect, test } from "vitest";
import { stream } from "@finitewidth/random";
import {
  coordinateOf,
  diagnoseChains,
  diagnoseDraws,
  ellipticalSliceChain,
  factorMetric,
  hamiltonianChain,
  langevinChain,
  logMeanExp,
  logSumExp,
  sampleChains,
  systematicResample,
  type HamiltonianOptions,
  type LogDensity,
  type Start,
} from "../src/index.js";
import { expectClose } from "../../../tools/testing.ts";

/** N(mean, diag(sd) R diag(sd)) in two dimensions, correlation r. */
function binormal(mean: readonly [number, number], sd: readonly [number, number], r: number): LogDensity {
  return {
    dimension: 2,
    evaluate: (x, gradient) => {
      const [u, v] = [(x[0]! - mean[0]) / sd[0], (x[1]! - mean[1]) / sd[1]];
      const c = 1 / (1 - r * r);
      gradient[0] = (-c * (u - r * v)) / sd[0];
      gradient[1] = (-c * (v - r * u)) / sd[1];
      return -0.5 * c * (u * u - 2 * r * u * v + v * v);
    },
  };
}
const fromNormal: Start = (random, out) => void random.normals(out);
const streams = (seed: number, n = 4) => Array.from({ length: n }, (_, i) => stream(seed, i));
const base: HamiltonianOptions = { draws: 1000, warmup: 400 };

/** z-scores of means and variances of both coordinates and of their product. */
function scores(
  target: LogDensity,
  options: HamiltonianOptions,
  mean: readonly [number, number],
  sd: readonly [number, number],
  r: number,
  seed: number,
): number[] {
  const draws = sampleChains(target, options, fromNormal, streams(seed));
  const diagnostics = diagnoseDraws(draws, 2);
  const [a, b] = [coordinateOf(draws, 2, 0), coordinateOf(draws, 2, 1)];
  const products = diagnoseChains(a.map((chain, c) => chain.map((value, n) => (value - mean[0]) * (b[c]![n]! - mean[1]))));
  expect(Math.max(...diagnostics.map((d) => d.rHat))).toBeLessThan(1.02);
  return [
    ...diagnostics.flatMap((d, i) => [(d.mean - mean[i]!) / d.standardError.mean, (d.variance - sd[i]! ** 2) / d.standardError.variance]),
    (products.mean - r * sd[0] * sd[1]) / products.standardError.mean,
  ];
}
const worst = (values: readonly number[]): number => Math.max(...values.map(Math.abs));

describe("Hamiltonian chains", () => {
  test.each([
    ["diagonal metric", { ...base }, [1, -2], [1, 30], 0],
    ["dense metric", { ...base, adapt: "dense" }, [0, 5], [0.01, 3], 0.95],
    ["no adaptation of the metric", { ...base, adapt: "none" }, [0, 0], [1, 2], 0.5],
    ["one leapfrog step (adjusted Langevin)", { draws: 4000, warmup: 500, steps: 1, targetAcceptance: 0.57 }, [1, 0], [1, 1], 0.3],
    ["short warm-up", { draws: 2000, warmup: 15 }, [0, 0], [1, 1], 0],
  ] as const)("moments of a normal target: %s", (_name, options, mean, sd, r) => {
    expect(worst(scores(binormal(mean, sd, r), options, mean, sd, r, 21))).toBeLessThan(4.5);
  });

  test("the check catches a variance that is ten percent off", () => {
    expect(worst(scores(binormal([0, 0], [1.05, 1], 0), { draws: 4000, warmup: 400 }, [0, 0], [1, 1], 0, 22))).toBeGreaterThan(4.5);
  });

  test("a law that is not normal: logarithm of a gamma variable", () => {
    const shape = 2.5;
    const target: LogDensity = {
      dimension: 1,
      evaluate: (x, gradient) => {
        gradient[0] = shape - Math.exp(x[0]!);
        return shape * x[0]! - Math.exp(x[0]!);
      },
    };
    const draws = sampleChains(target, { draws: 2000, warmup: 500 }, fromNormal, streams(23));
    const moment = diagnoseChains(coordinateOf(draws, 1, 0).map((chain) => chain.map(Math.exp)));
    expect(Math.abs(moment.mean - shape) / moment.standardError.mean).toBeLessThan(4.5);
    expect(Math.abs(moment.variance - shape) / moment.standardError.variance).toBeLessThan(4.5);
  });

  test("a fresh draw nearly every iteration on a normal target in 50 dimensions", () => {
    const target: LogDensity = {
      dimension: 50,
      evaluate: (x, gradient) => {
        let value = 0;
        for (let i = 0; i < 50; i++) {
          gradient[i] = -x[i]!;
          value -= 0.5 * x[i]! ** 2;
        }
        return value;
      },
    };
    const draws = sampleChains(target, { draws: 500, warmup: 300 }, fromNormal, streams(24, 2));
    expect(Math.min(...diagnoseDraws(draws, 50).map((d) => d.bulkEss))).toBeGreaterThan(400);
    for (const report of draws.reports) {
      expect(report.acceptance).toBeGreaterThan(0.75);
      expect(report.divergences).toBe(0);
      expect(report.energyFraction).toBeGreaterThan(0.5);
    }
  });

  test("a starting metric whitens a badly scaled target", () => {
    const target = binormal([0, 0], [100, 0.01], 0);
    const draws = sampleChains(
      target,
      { draws: 500, warmup: 60, adapt: "none", metric: factorMetric(Float64Array.of(100, 0, 0, 0.01)) },
      (random, out) => void out.set([100 * random.normal(), 0.01 * random.normal()]),
      streams(25),
    );
    expect(Math.min(...diagnoseDraws(draws, 2).map((d) => d.bulkEss))).toBeGreaterThan(800);
  });

  test("a region where the density is not a number is never entered, and counts as divergences", () => {
    const target: LogDensity = {
      dimension: 1,
      evaluate: (x, gradient) => {
        gradient[0] = 1 / x[0]! - x[0]!;
        return Math.log(x[0]!) - 0.5 * x[0]! ** 2; // NaN for x < 0
      },
    };
    const draws = sampleChains(
      target,
      { draws: 2000, warmup: 0, stepSize: 1.2, steps: 1 },
      (_random, out) => void out.fill(1),
      streams(26),
    );
    expect(draws.reports.reduce((sum, report) => sum + report.divergences, 0)).toBeGreaterThan(0);
    expect(draws.positions.every((kept) => kept.every((value) => value > 0))).toBe(true);
    const square = diagnoseChains(coordinateOf(draws, 1, 0).map((chain) => chain.map((value) => value * value)));
    expect(Math.abs(square.mean - 2) / square.standardError.mean).toBeLessThan(4.5);
  });

  test("a start without density is refused", () => {
    const target: LogDensity = { dimension: 1, evaluate: () => Number.NaN };
    expect(() => sampleChains(target, base, fromNormal, streams(1))).toThrow(/cannot start/);
  });

  test("the same streams give the same draws; `tick` cancels", () => {
    const target = binormal([0, 0], [1, 1], 0.5);
    const run = (): Float64Array => sampleChains(target, { draws: 50, warmup: 50 }, fromNormal, streams(27, 1)).positions[0]!;
    expect(run()).toEqual(run());
    let calls = 0;
    expect(() =>
      sampleChains(target, base, fromNormal, streams(27), (fraction) => {
        expect(fraction).toBeGreaterThanOrEqual(0);
        expect(fraction).toBeLessThanOrEqual(1);
        if (++calls === 100) throw new Error("cancelled");
      }),
    ).toThrow("cancelled");
    expect(calls).toBe(100);
  });

  test("warm-up and draws come in order", () => {
    const chain = hamiltonianChain(binormal([0, 0], [1, 1], 0), { draws: 3, warmup: 2 }, fromNormal, stream(1));
    expect([...chain].map(({ iteration, warmup }) => [iteration, warmup])).toEqual([
      [0, true],
      [1, true],
      [2, false],
      [3, false],
      [4, false],
    ]);
  });
});

describe("unadjusted Langevin", () => {
  const target: LogDensity = {
    dimension: 1,
    evaluate: (x, gradient) => {
      gradient[0] = -x[0]!;
      return -0.5 * x[0]! ** 2;
    },
  };
  test("its variance is off by the known bias, 1/(1 − η/2), and the bias is seen", () => {
    for (const stepSize of [0.2, 0.6]) {
      const chains = streams(31).map((random) => {
        const kept: number[] = [];
        for (const state of langevinChain(target, { draws: 20_000, warmup: 100, stepSize }, fromNormal, random))
          if (!state.warmup) kept.push(state.position[0]!);
        return Float64Array.from(kept);
      });
      const found = diagnoseChains(chains);
      expect(Math.abs(found.variance - 1 / (1 - stepSize / 2)) / found.standardError.variance).toBeLessThan(4.5);
      expect(Math.abs(found.variance - 1) / found.standardError.variance).toBeGreaterThan(4.5);
    }
  });
  test("too large a step is an error, not a number", () => {
    expect(() => [
      ...langevinChain(
        { dimension: 1, evaluate: (x, g) => ((g[0] = -(x[0]! ** 3)), -0.25 * x[0]! ** 4) },
        { draws: 1000, warmup: 0, stepSize: 5 },
        fromNormal,
        stream(1),
      ),
    ]).toThrow(/ran away/);
    expect(() => [...langevinChain(target, { draws: 1, warmup: 0, stepSize: 0 }, fromNormal, stream(1))]).toThrow(/stepSize/);
  });
});

describe("elliptical slice sampling", () => {
  test.each([1, 2])("conjugate normal and a likelihood with a jump, %d blocks", (blocks) => {
    // x0: prior N(0, 1) × N(1 | x0, ¼): N(0.8, 0.2). x1: prior × [x1 > 0 three times as likely]: mean ½·√(2/π)
    const target = { dimension: 2, evaluate: (x: Float64Array) => -2 * (x[0]! - 1) ** 2 + (x[1]! > 0 ? Math.log(3) : 0) };
    const chains = streams(41).map((random) => {
      const kept: number[][] = [];
      for (const state of ellipticalSliceChain(target, { draws: 1500, warmup: 50, blocks }, fromNormal, random))
        if (!state.warmup) kept.push([...state.position]);
      return kept;
    });
    const [a, b] = [0, 1].map((i) => diagnoseChains(chains.map((kept) => Float64Array.from(kept, (x) => x[i]!))));
    expect(Math.abs(a!.mean - 0.8) / a!.standardError.mean).toBeLessThan(4.5);
    expect(Math.abs(a!.variance - 0.2) / a!.standardError.variance).toBeLessThan(4.5);
    expect(Math.abs(b!.mean - 0.5 * Math.sqrt(2 / Math.PI)) / b!.standardError.mean).toBeLessThan(4.5);
  });
  test("a likelihood that is not a number at the start is refused, and elsewhere avoided", () => {
    expect(() => [
      ...ellipticalSliceChain({ dimension: 1, evaluate: () => Number.NaN }, { draws: 1, warmup: 0 }, fromNormal, stream(1)),
    ]).toThrow(/cannot start/);
    const half = { dimension: 1, evaluate: (x: Float64Array) => (x[0]! > 0 ? 0 : Number.NaN) };
    for (const state of ellipticalSliceChain(half, { draws: 100, warmup: 0 }, (_random, out) => void out.fill(1), stream(2)))
      expect(state.position[0]).toBeGreaterThan(0);
  });
});

describe("importance weights", () => {
  test("logSumExp and logMeanExp survive any scale", () => {
    expectClose(logSumExp([-1e5, -1e5 + Math.log(3)]), -1e5 + Math.log(4), { relative: 1e-15 });
    expect(logSumExp([])).toBe(-Infinity);
    expect(logSumExp([-Infinity, -Infinity])).toBe(-Infinity);
    const { value, standardError } = logMeanExp(Float64Array.of(1000, 1000 + Math.log(3)));
    expectClose(value, 1000 + Math.log(2), { relative: 1e-15 });
    // values ½ and 3⁄2 of the mean: variance ½, over 2
    expectClose(standardError, 0.5, { relative: 1e-12 });
  });
  test("systematic resampling keeps every index as often as its weight says, to one", () => {
    const weights = Float64Array.of(0.1, 0.4, 0, 0.5);
    for (let seed = 0; seed < 20; seed++) {
      const counts = [0, 0, 0, 0];
      for (const i of systematicResample(weights, 25, stream(seed))) counts[i]!++;
      weights.forEach((w, i) => expect(Math.abs(counts[i]! - 25 * w)).toBeLessThan(1));
    }
  });
});
