import {
  createRegistry,
  hiddenWidths,
  inlineRun,
  resolveArchitecture,
  type Claim,
  type FittedScenario,
  type Registry,
  type Theory,
} from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import {
  criticalScore,
  familiesFor,
  family,
  fullyConnected,
  runVerification,
  standardPlugins,
  type ScenarioFamily,
  type VerificationSettings,
} from "../src/index.js";

const widthOf = ({ scenario }: FittedScenario, registry: Registry): number =>
  hiddenWidths(resolveArchitecture(registry, scenario.problem.network))[0]!;
/** Claims of numbers that say where they come from. */
const told = (name: string, claims: (width: number, fitted: FittedScenario) => readonly Partial<Claim>[]): Theory => ({
  name,
  summary: name,
  options: createRegistry(standardPlugins).theory("nngp").options,
  refuses: ({ temperature }) => (temperature === 13 ? "not at 13" : undefined),
  fit: async (problem, options) => {
    if (problem.temperature === 14) throw new Error("broken");
    const solver = { converged: true, iterations: 1, residual: 0, jitter: 0 };
    return { theory: name, problem, options, state: {}, solver, diagnostics: {}, warnings: [] };
  },
  predict: async ({ problem }) => ({ mean: problem.targets, variance: problem.targets }),
  claims: (fitted, registry) => claims(widthOf(fitted, registry), fitted) as readonly Claim[],
});
const estimand = (quantity: string, layer?: number) => ({ of: "posterior", quantity, ...(layer === undefined ? {} : { layer }) }) as const;
const tensor = (value: number) => ({ data: Float64Array.of(value, value, value, value), shape: [2, 2] });
const claim = (id: string, value: number, more: object = {}) =>
  ({ id, statement: `S ${id}`, source: `R ${id}`, estimand: estimand("train.mean"), error: "exact", value: tensor(value), ...more }) as Partial<Claim>; // prettier-ignore
const plain = told("plain", (width) => [
  claim("mean", width),
  claim("kernel", width, { estimand: estimand("hiddenKernel", 2), standardError: tensor(0.5) }),
]);
const ordered = told("ordered", (width) => [claim("order", width, { error: { order: 1 } }), claim("flat", width)]);
const mute = told("mute", () => []);
const registry = createRegistry([...standardPlugins, { name: "told", theories: [plain, ordered, mute] }]);

const one = (name: string, theories: readonly string[], more: object = {}): ScenarioFamily =>
  family({
    name,
    theories: theories.map((theory) => ({ name: theory })),
    network: (factor) => fullyConnected("identity", [4, 3], [1.3, 0.7, 1])(factor),
    points: 2,
    outputs: 2,
    features: 2,
    temperature: 0.3,
    sampling: { kind: "importance", samples: 40 },
    factors: [1, 2, 3],
    seed: 11,
    ...more,
  });
const families = [
  one("first", ["plain", "mute"]),
  one("Second", ["ordered", "plain"]),
  one("cold", ["plain"], { temperature: 13 }),
  one("broken", ["plain"], { temperature: 14 }),
  one("large", ["plain"], { suite: "full" }),
];
const verify = async (settings: Partial<VerificationSettings> = {}, seen: string[] = []) => {
  const found = await runVerification(
    { suite: "quick", families, ...settings },
    inlineRun({ registry, seed: 3 }),
    (name) => void seen.push(name),
  );
  return {
    ...found,
    names: found.claims.map(({ theory, scenario, id }) => `${theory} / ${scenario} / ${id}`),
    failed: found.failures.map(({ theory, scenario, reason }) => `${theory} / ${scenario}: ${reason}`),
  };
};
const everything = ["plain / first / mean", "plain / first / kernel", "ordered / Second / order", "ordered / Second / flat", "plain / Second / mean", "plain / Second / kernel"]; // prettier-ignore
const all = ["mute / first: states no claims here", "plain / cold: [plain] not at 13", "plain / broken: broken"];

describe("the suite", () => {
  it("judges every claim, tells what could not be checked, and every scenario as it begins; the full one has more", async () => {
    const seen: string[] = [];
    const { names, failed, passed, suite, claims } = await verify({}, seen);
    expect([names, failed, passed, suite]).toEqual([everything, all, false, "quick"]);
    expect(seen).toEqual(["first", "Second", "cold", "broken"]);
    for (const one of claims) {
      expect(one.threshold).toBe(criticalScore(10_000));
      expect([one.statement, one.source, one.shape]).toEqual([`S ${one.id}`, `R ${one.id}`, [2, 2]]);
      const ofWidth = one.comparisons.map(({ factor, claimed }) => [factor, ...claimed]);
      const widths = one.theory === "ordered" ? [1, 2, 3] : [1];
      expect(ofWidth).toEqual(widths.map((factor) => [factor, 4 * factor, 4 * factor, 4 * factor, 4 * factor]));
      for (const { effectiveSamples, sampled, standardError } of one.comparisons) {
        expect(effectiveSamples).toBeGreaterThan(1);
        expect(effectiveSamples).toBeLessThanOrEqual(40);
        expect([sampled.length, standardError.length]).toEqual([4, 4]);
      }
    }
    expect(claims.map(({ quantity }) => quantity)).toEqual([
      "train.mean",
      "hiddenKernel 2",
      "train.mean",
      "train.mean",
      "train.mean",
      "hiddenKernel 2",
    ]);
    expect(claims.map(({ error }) => error)).toEqual(["exact", "exact", { order: 1 }, "exact", "exact", "exact"]);
    // the claim's own error of a half is in it, that of the same number without one is not
    for (const error of claims[1]!.comparisons[0]!.standardError) expect(error).toBeGreaterThan(0.5);
    for (const error of claims[0]!.comparisons[0]!.standardError) expect(error).toBeLessThan(0.5);
    const full = await verify({ suite: "full", filter: "large" });
    expect(full).toMatchObject({ suite: "full", names: ["plain / large / mean", "plain / large / kernel"], failed: [] });
  });

  it.each<[string, string[], string[]]>([
    ["second", everything.slice(2), []],
    ["ordered", everything.slice(2, 4), []],
    ["plain / first", everything.slice(0, 2), []],
    ["KERNEL", [everything[1]!, everything[5]!], []],
    ["ordered / Second / flat", [everything[3]!], []],
    ["cold", [], [all[1]!]],
    ["mute", [], [all[0]!]],
  ])("%s: what the filter names, by scenario and theory or else by the claims' own names", async (filter, names, failed) => {
    const found = await verify({ filter });
    expect([found.names, found.failed]).toEqual([names, failed]);
    expect(found.passed).toBe(false);
  });

  it("where something else is checked too, names of claims do not count, and nothing is no mistake", async () => {
    expect(await verify({ filter: "kernel", mayBeEmpty: true })).toMatchObject({ names: [], failed: [], passed: true });
    await expect(verify({ filter: "nothing" })).rejects.toThrow(/^--filter: expected part of a name/);
  });

  it("passes when all hold", async () => {
    const families = [one("exact", ["exact"], { network: fullyConnected("identity", [2], [1.3, 0.7]), outputs: 1, sampling: { kind: "importance", samples: 8000 } })]; // prettier-ignore
    const { passed, names } = await verify({ families, filter: "exact / exact / predictive-variance" });
    expect([passed, names]).toEqual([true, ["exact / exact / predictive-variance"]]);
  });

  it("theories without scenarios are checked where they do not refuse", () => {
    const scalar: Theory = { ...plain, name: "scalar", refuses: ({ targets }) => (targets.shape[1] > 1 ? "one output" : undefined) };
    const found = familiesFor([scalar, { ...mute, refuses: () => "never" }], registry);
    expect(found.length).toBeGreaterThan(5);
    for (const { theories, build, factors } of found) {
      expect(theories).toEqual([{ name: "scalar" }]);
      for (const factor of factors) expect(build(factor).problem.targets.shape[1]).toBe(1);
    }
  });
});
