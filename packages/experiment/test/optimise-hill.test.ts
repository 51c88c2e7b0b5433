import type { EvidenceGradient, Posterior, Problem, Theory } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { optimiseEvidence, type Evaluation } from "../src/index.js";
import { base, counted, registryWith, told } from "./cases.js";

interface Network {
  readonly widths: readonly number[];
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
}
/** log T, log σ_w²(1), log σ_w²(2), log σ_b²(1), log σ_b²(2). */
const coordinates = ({ network, temperature }: Problem): number[] => {
  const { weightVariance, biasVariance } = network as unknown as Network;
  return [temperature, ...weightVariance, ...biasVariance].map(Math.log);
};
const top = [Math.log(0.2), Math.log(3), Math.log(0.4), Math.log(0.05), Math.log(0.6)];
/** Curvatures of a hill over the coordinates, every entry its own. */
const hill = [
  [9, 1, -0.5, 0.7, 0.2],
  [1, 6, 0.9, -0.8, 0.4],
  [-0.5, 0.9, 7, 0.3, -0.6],
  [0.7, -0.8, 0.3, 5, 1.1],
  [0.2, 0.4, -0.6, 1.1, 8],
];
const times = (matrix: readonly (readonly number[])[], x: readonly number[]): number[] =>
  matrix.map((row) => row.reduce((sum, value, j) => sum + value * x[j]!, 0));
const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
const fromTop = (problem: Problem): number[] => coordinates(problem).map((value, k) => value - top[k]!);
const height = (problem: Problem): number => 4 - 0.5 * dot(fromTop(problem), times(hill, fromTop(problem)));

const quadratic = told("quadratic", (problem) => ({ logEvidence: height(problem) })) as Theory;
const withGradients: Theory = {
  ...quadratic,
  name: "with-gradients",
  async evidenceGradient({ problem }: Posterior): Promise<EvidenceGradient> {
    const [t, w1, w2, b1, b2] = times(hill, fromTop(problem)).map((value) => -value);
    return { logTemperature: t!, logWeightVariance: [w1!, w2!], logBiasVariance: [b1!, b2!], widths: [0] };
  },
};
/** The same about a network of N units that is best at 23 and at two layers. */
const wide = told("wide", ({ network, temperature }) => {
  const { widths } = network as unknown as Network;
  return {
    logEvidence: -2 * Math.log(widths[0]! / 23) ** 2 - (widths.length - 2) ** 2 - Math.log(temperature / 0.7) ** 2,
    standardError: { logEvidence: 0.25 },
  };
}) as Theory;
const limit = told("limit", ({ temperature }) => ({ logEvidence: -7 - Math.log(temperature / 0.3) ** 2 })) as Theory;
const slope = told("slope", ({ temperature }) => ({ logEvidence: Math.log(temperature) })) as Theory;
/** A low hill in the middle of 1/100 … 100, a high one at 20. */
const twoHills = told("two-hills", ({ temperature }) => {
  const t = Math.log(temperature);
  return { logEvidence: Math.exp(-2 * (t - 0.1) ** 2) + 2 * Math.exp(-2 * (t - Math.log(20)) ** 2) };
}) as Theory;
const silent = told("silent") as Theory;
const unwilling: Theory = { ...silent, name: "unwilling", refuses: () => "not today" };
const registry = registryWith({ name: "told", theories: [quadratic, withGradients, wide, limit, slope, twoHills, silent, unwilling] });
const { methods: _methods, ...rest } = base;
const file = {
  ...rest,
  network: { ...base.network, weightVariance: [1.2, 0.9], biasVariance: [0.3, 0.2] },
  likelihood: { temperature: 0.5 },
  seed: 1,
};

/** Where the hill is highest when every name moves its coordinates together, the others where the file has them; and the deviations. */
function expected(moves: readonly (readonly number[])[]) {
  const rest = [0.5, 1.2, 0.9, 0.3, 0.2].map((value, k) => (moves.some((own) => own.includes(k)) ? 0 : Math.log(value)) - top[k]!);
  const unit = moves.map((own) => [0, 1, 2, 3, 4].map((k) => (own.includes(k) ? 1 : 0)));
  const curvature = unit.map((u) => unit.map((w) => dot(u, times(hill, w))));
  const right = unit.map((u) => -dot(u, times(hill, rest)));
  // Gauss–Jordan, for a few unknowns
  const rows = curvature.map((row, i) => [...row, ...unit.map((_, j) => (i === j ? 1 : 0)), right[i]!]);
  rows.forEach((row, k) => {
    const pivot = row[k]!;
    row.forEach((value, j) => (row[j] = value / pivot));
    rows.forEach((other, i) => {
      const factor = i === k ? 0 : other[k]!;
      other.forEach((value, j) => (other[j] = value - factor * row[j]!));
    });
  });
  return { values: rows.map((row) => Math.exp(row.at(-1)!)), deviations: rows.map((row, k) => Math.sqrt(row[moves.length + k]!)) };
}

describe("the maximum of a hill", () => {
  it.each<[string, Record<string, readonly number[]>]>([
    ["quadratic", { temperature: [0], weightVariance: [1, 2], biasVariance: [3, 4] }],
    ["with-gradients", { temperature: [0], weightVariance: [1, 2], biasVariance: [3, 4] }],
    ["with-gradients", { "network.biasVariance[1]": [4], "network.weightVariance[0]": [1], "likelihood.temperature": [0] }],
    ["with-gradients", { "network.biasVariance[0]": [3], "network.weightVariance[1]": [2] }],
    ["quadratic", { "network.biasVariance[0]": [3], "network.weightVariance[1]": [2] }],
  ])("%s: is that of the variables in question, and as sharp (%#)", async (method, moves) => {
    const names = Object.keys(moves);
    const over = Object.fromEntries(names.map((name) => [name, [1e-3, 50]]));
    const seen: [Evaluation, number][] = [];
    const onEvaluation = (evaluation: Evaluation, count: number): void => void seen.push([evaluation, count]);
    const found = await optimiseEvidence({ ...file, optimise: { over, method, starts: 1 } }, { registry, onEvaluation });
    const { values, deviations } = expected(Object.values(moves));
    expect(found.optimum).toMatchObject({ converged: true, atBounds: [] });
    names.forEach((name, i) => {
      // the search ends when no logarithm moves by more than a thousandth
      expect(Math.abs(Math.log(found.optimum.values[name]! / values[i]!)), name).toBeLessThan(2e-3);
      expect(found.optimum.logDeviations[name], name).toBeCloseTo(deviations[i]!, 5);
    });
    expect(seen).toEqual(found.trace.map((evaluation, i) => [evaluation, i + 1]));
    expect(new Set(found.trace.map(({ values: at }) => JSON.stringify(at))).size).toBe(found.trace.length);
    // mean squared distance of [[0.4, 0.1], [-0.2, 1], [0.6, -0.7]] from [[0.5, 1.5], [1, 2], [-0.3, 0.7]], and the variances 1, 1, 0.64
    const bias = (0.1 ** 2 + 1.4 ** 2 + 1.2 ** 2 + 1 + 0.9 ** 2 + 1.4 ** 2) / 6;
    expect(found.optimum.generalizationError).toBeCloseTo(bias + (1 + 1 + 0.64) / 3, 12);
    expect(found.optimum).not.toHaveProperty("standardError");
  });

  it("nothing outside the ranges is looked at, also for the curvature of an optimum near a bound", async () => {
    const over = { temperature: [0.01, 0.1875], biasVariance: [0.001, 10] };
    const own = { ...file, network: { ...file.network, weightVariance: [3, 0.4], biasVariance: [0.05, 0.6] } };
    const { trace, optimum } = await optimiseEvidence({ ...own, optimise: { over, method: "quadratic", starts: 2 } }, { registry });
    for (const { values } of trace)
      for (const [name, [low, high]] of Object.entries(over)) {
        expect(values[name]).toBeGreaterThanOrEqual(low! * (1 - 1e-12));
        expect(values[name]).toBeLessThanOrEqual(high! * (1 + 1e-12));
      }
    expect(trace[0]!.values["temperature"]).toBeCloseTo(Math.sqrt(0.01 * 0.1875), 12);
    expect(trace[0]!.values["biasVariance"]).toBeCloseTo(0.1, 12);
    // nearer to it than the step of a difference, and not at it
    expect(optimum.values["temperature"]! / 0.1875).toBeGreaterThan(Math.exp(-0.05));
    expect(optimum.atBounds).toEqual([]);
  });

  it("loads the data of the experiment once, and every fit has its seed, 1 where there is none", async () => {
    const seeds: number[] = [];
    const seen: Theory = { ...quadratic, name: "seen", fit: (...call) => (seeds.push(call[2].seed), quadratic.fit(...call)) };
    const own = registryWith({ name: "seen", theories: [seen] });
    const { seed: _seed, ...unseeded } = file;
    const request = { data: { dataset: "numbers", train: 4, seed: 2 }, optimise: { over: { temperature: [0.1, 1] }, method: "seen" } };
    counted.loads = 0;
    await optimiseEvidence({ ...unseeded, ...request }, { registry: own });
    expect([counted.loads, new Set(seeds)]).toEqual([1, new Set([1])]);
    seeds.length = 0;
    await optimiseEvidence({ ...unseeded, ...request, seed: 5 }, { registry: own });
    expect(new Set(seeds)).toEqual(new Set([5]));
  });

  it("is the highest of several starts, three where none are said", async () => {
    const at = async (more: object): Promise<number> =>
      (await optimiseEvidence({ ...file, optimise: { over: { temperature: [0.01, 100] }, method: "two-hills", ...more } }, { registry }))
        .optimum.values["temperature"]!;
    expect(Math.log(await at({ starts: 1 }))).toBeCloseTo(0.1, 1);
    expect(Math.log(await at({ starts: 3 }))).toBeCloseTo(Math.log(20), 1);
    expect(await at({})).toBe(await at({ starts: 3 }));
  });

  it("at bounds it has no deviation, a sentence says so; a search that ends too early is told", async () => {
    const of = (over: object) => optimiseEvidence({ ...file, optimise: { over, method: "slope", starts: 1 } }, { registry });
    const bounded = await of({ temperature: [0.5, 4], "network.biasVariance[0]": [0.1, 1] });
    expect(bounded.optimum).toMatchObject({ atBounds: ["temperature"], converged: true });
    expect(bounded.optimum.values["temperature"]).toBeCloseTo(4, 12);
    expect(bounded.optimum.logDeviations).not.toHaveProperty("temperature");
    expect(bounded.warnings[0]).toMatch(/^temperature stopped at its bound 4\.00: the evidence still rises there/);
    // at most one unit of the logarithm a step, and forty steps
    const far = await of({ temperature: [1e-40, 1e40] });
    expect(far.optimum.converged).toBe(false);
    expect(far.warnings).toEqual([expect.stringContaining("did not converge")]);
  });
});

describe("widths and depths", () => {
  const over = { temperature: [0.1, 5], widths: [2, 200], depth: [1, 3, 2] };
  it("the best of every depth, widths as integers; infinite width has its own temperature and no width", async () => {
    const own = { ...file, network: { ...base.network, widths: [9] }, referee: { draws: 20 } };
    const found = await optimiseEvidence(
      { ...own, optimise: { over, method: { method: "wide", level: 2 }, starts: 1, reference: "limit" } },
      { registry },
    );
    expect(found.method).toBe("wide");
    expect(found.depths.map(({ values }) => values["depth"])).toEqual([1, 3, 2]);
    const { depth, widths, temperature } = found.optimum.values;
    expect(depth).toBe(2);
    expect(Math.abs(widths! - 23)).toBeLessThanOrEqual(1);
    // steps of sampled evidences are coarse: a twentieth
    expect(Math.abs(Math.log(temperature! / 0.7))).toBeLessThan(0.06);
    // and differences about the optimum are wide, or errors of 0.25 would be all that they see
    expect(found.trace.some(({ values }) => Math.abs(Math.log(values["temperature"]! / temperature!) - 0.5) < 1e-9)).toBe(true);
    expect(found.depths[2]).toEqual(found.optimum);
    expect(found.optimum.standardError).toBe(0.25);
    expect(found.optimum.logDeviations["temperature"]).toBeCloseTo(Math.SQRT1_2, 6);
    expect(Object.keys(found.optimum.logDeviations)).toEqual(["temperature"]);
    const { values: reference, logEvidence } = found.infiniteWidth!;
    expect(Object.keys(reference).toSorted()).toEqual(["depth", "temperature"]);
    expect(reference["depth"]).toBe(2);
    expect(Math.abs(Math.log(reference["temperature"]! / 0.3))).toBeLessThan(2e-3);
    expect(logEvidence).toBeCloseTo(-7, 5);
    // the reference leaves no trace
    expect(Math.max(...found.trace.map((one) => one.logEvidence))).toBe(found.optimum.logEvidence);
    expect(found.trace.every((one) => one.values["widths"] !== undefined)).toBe(true);
    expect(found.experiment).toMatchObject({
      network: { widths: [widths, widths] },
      likelihood: { temperature },
      referee: { draws: 20 },
      methods: [{ method: "wide", level: 2 }],
      seed: 1,
    });
    expect(found.experiment).not.toHaveProperty("optimise");
  });

  it("a width at its bound is told; methods of the file stay; without a reference that is known there is none", async () => {
    const own = { ...file, network: { ...base.network, widths: [9] }, methods: ["limit", "wide"] };
    const request = { over: { widths: [30, 90] }, method: "wide" };
    const found = await optimiseEvidence({ ...own, optimise: { ...request, reference: "nobody" } }, { registry });
    expect(found.optimum).toMatchObject({ values: { widths: 30 }, atBounds: ["widths"], logDeviations: {} });
    expect(found.warnings).toEqual(["widths stopped at its bound 30.0: the evidence still rises there"]);
    expect(found).not.toHaveProperty("infiniteWidth");
    expect(found.experiment).toMatchObject({ methods: ["limit", "wide"] });
    expect(found.experiment).not.toHaveProperty("referee");
    const upper = await optimiseEvidence({ ...own, optimise: { ...request, over: { widths: [3, 11] } } }, { registry });
    expect(upper.optimum).toMatchObject({ values: { widths: 11 }, atBounds: ["widths"] });
    // infinite width is asked where nothing else is said, and not about itself
    expect(upper.infiniteWidth!.values).toEqual({});
    const itself = await optimiseEvidence({ ...own, optimise: { ...request, method: "limit", reference: "limit" } }, { registry });
    expect(itself).not.toHaveProperty("infiniteWidth");
  });
});

describe("what ends a maximisation", () => {
  const of = (more: object, settings: object = {}) =>
    optimiseEvidence({ ...file, optimise: { over: { temperature: [0.1, 1] }, method: "silent", ...more } }, { registry, ...settings });
  it.each<[object, RegExp]>([
    [{}, /^optimise\.method: expected a method with a log evidence/],
    [{ method: "unwilling" }, /unwilling.*not today/],
    [{ over: { depth: [] } }, /^optimise\.over\.depth: expected a list/],
    [{ over: { depth: [1.5] } }, /^optimise\.over\.depth: expected a list of numbers of layers/],
    [{ over: { temperature: [1, 2, 3] } }, /^optimise\.over\.temperature: expected \[least, largest\], the first smaller/],
    [{ over: { temperature: [1, 1] } }, /^optimise\.over\.temperature: .*from 1 to 1/],
    [{ over: {} }, /^optimise\.over: expected at least one value with its range/],
  ])("%j", async (more, message) => {
    await expect(of(more)).rejects.toThrow(message);
  });

  it("sweeps and several networks are refused by name, and a signal", async () => {
    const request = { optimise: { over: { temperature: [0.1, 1] }, method: "slope" } };
    await expect(optimiseEvidence({ ...file, ...request, sweep: { seed: [1] } }, { registry })).rejects.toThrow(
      /^sweep: expected no sweep/,
    );
    await expect(optimiseEvidence({ ...file, ...request, networks: [] }, { registry })).rejects.toThrow(/^networks: expected one network/);
    await expect(optimiseEvidence(file, { registry })).rejects.toThrow(/^optimise: expected an object with "over" and "method"/);
    const controller = new AbortController();
    const onEvaluation = (_: Evaluation, count: number): void => (count === 2 ? controller.abort(new Error("enough")) : undefined);
    await expect(of({ method: "slope" }, { signal: controller.signal, onEvaluation })).rejects.toThrow("enough");
  });
});
