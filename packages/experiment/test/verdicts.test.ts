import type { Plugin, Referee, Verdict } from "@finitewidth/core";
import { plugin as monteCarlo } from "@finitewidth/monte-carlo";
import { describe, expect, it } from "vitest";
import { parseExperiment, resultToJson, runExperiment } from "../src/index.js";
import { refereeToJson } from "../src/verdicts.js";
import { base, registryWith } from "./cases.js";

const calls: Parameters<Referee["judge"]>[] = [];
const said: Verdict = { status: "doubtful", error: 0.1, standardError: 0.2, how: "by guessing" };
const guessing: Plugin = {
  name: "guessing",
  referees: [
    {
      name: "guess",
      summary: "guesses",
      judge: async (...call) => {
        calls.push(call);
        if (call[0].temperature === 7) throw new Error("no idea");
        return { verdicts: Object.fromEntries(Object.keys(call[1]).map((label) => [label, { predictive: said }])), referee: { chains: 3 } };
      },
    },
  ],
};
const registry = registryWith(guessing);
const experiment = { ...base, methods: ["nngp", { method: "exact", label: "solved" }, { method: "exact", label: "broken", draws: 1000 }] };
type Results = Record<string, Record<string, unknown>>;
const resultsOf = async (value: unknown, settings = { registry }): Promise<Record<string, unknown>> => {
  const { plan, steps } = await runExperiment(value, settings);
  return resultToJson(plan, steps);
};

describe("the referee of an experiment", () => {
  it("hears all methods of a network at once, with its options and the seed, and its word stands with every method", async () => {
    calls.length = 0;
    const json = await resultsOf({ ...experiment, seed: 5, referee: { draws: 20 } });
    expect(calls).toHaveLength(1);
    const [problem, methods, tests, options, run] = calls[0]!;
    expect(problem.targets.shape).toEqual([5, 2]);
    expect(Object.keys(methods)).toEqual(["nngp", "solved", "broken"]);
    expect(methods["solved"]!.predictive!.mean.shape).toEqual([3, 2]);
    expect(methods["solved"]!.logEvidence).toBeTypeOf("number");
    expect(tests!.targets!.shape).toEqual([3, 2]);
    expect(options).toEqual({ draws: 20, chains: 32, tolerance: 0.05, seconds: 10 });
    expect(run.seed).toBe(5);
    expect((json["results"] as Results)["nngp"]!["verdict"]).toEqual({ predictive: said });
    expect(json["referee"]).toMatchObject({ chains: 3 });
    expect(json["results"]).not.toHaveProperty("referee");
  });

  it("is on by default and can be switched off; nobody is asked where none is registered", async () => {
    calls.length = 0;
    expect(parseExperiment(experiment).referee).toEqual({ draws: 14, chains: 32, tolerance: 0.05, seconds: 10, steps: "extremes" });
    const json = await resultsOf({ ...experiment, referee: false });
    expect(calls).toHaveLength(0);
    expect(json).not.toHaveProperty("referee");
    expect((json["results"] as Results)["nngp"]).not.toHaveProperty("verdict");
    expect(await resultsOf(experiment, { registry: registryWith() })).not.toHaveProperty("referee");
  });

  it.each([
    [{ draws: 1 }, "referee.draws: expected an integer ≥ 2, got 1"],
    [{ chains: 12 }, "referee.chains: expected a multiple of 8, got 12"],
    [{ seconds: 0 }, "referee.seconds: expected a positive number, got 0"],
    [{ speed: 1 }, /referee\.speed/],
    [true, /^referee: expected false/],
  ])("options are checked: %j", (referee, message) => {
    expect(() => parseExperiment({ ...experiment, referee })).toThrow(message);
  });

  it("sees the first and the last step of a sweep, or all", async () => {
    calls.length = 0;
    const sweep = { widths: [[3], [4], [5], [6]] };
    const json = await resultsOf({ ...experiment, methods: ["nngp"], sweep });
    expect((json["sweep"] as Record<string, unknown>[]).map((step) => "referee" in step)).toEqual([true, false, false, true]);
    expect(calls).toHaveLength(2);
    await resultsOf({ ...experiment, methods: ["nngp"], sweep, referee: { steps: "all" } });
    expect(calls).toHaveLength(6);
  });

  it("several networks have their own", async () => {
    const { network, ...rest } = experiment;
    const json = await resultsOf({
      ...rest,
      networks: [
        { label: "a", ...network },
        { label: "b", ...network, widths: [9] },
      ],
    });
    expect(json["referee"]).toMatchObject({ a: { chains: 3 }, b: { chains: 3 } });
    expect((json["results"] as Record<string, Results>)["b"]!["nngp"]!["verdict"]).toEqual({ predictive: said });
  });

  it("a referee that fails leaves everything unchecked and says why", async () => {
    const json = await resultsOf({ ...experiment, methods: ["nngp"], likelihood: { temperature: 7 } });
    const verdict = (json["results"] as Results)["nngp"]!["verdict"] as Record<string, Verdict>;
    expect(Object.keys(verdict).sort()).toEqual(["generalizationError", "hiddenKernels", "logEvidence", "predictive"]);
    expect(verdict["predictive"]).toMatchObject({ status: "unchecked", how: "the referee failed: no idea" });
  });

  it("the network itself: exact is not contradicted, infinite width is", async () => {
    const hard = {
      ...experiment,
      network: { ...base.network, widths: [2] },
      methods: ["nngp", "exact"],
      likelihood: { temperature: 0.05 },
    };
    const { steps } = await runExperiment(hard, { registry: registryWith(monteCarlo) });
    const { verdicts, referee } = steps[0]!.problems[0]!.verdicts!;
    expect(referee["checked"]).toBe(true);
    expect(Object.values(verdicts["exact"]!).map(({ status }) => status)).not.toContain("contradicted");
    expect(verdicts["nngp"]!.generalizationError!.status).toBe("contradicted");
  }, 60_000);
});

it("every network has the referee's numbers of its own in the file, and the method to believe where there is one", () => {
  const judged = (label: string | undefined, chains: number, believe?: string) =>
    ({
      problem: { label },
      verdicts: { verdicts: {}, referee: { chains }, ...(believe ? { believe: { method: believe } } : {}) },
    }) as never;
  const skipped = { problem: { label: "b" } } as never;
  expect(refereeToJson([judged("a", 2), skipped, judged("c", 4, "exact")])).toEqual({
    referee: { a: { chains: 2 }, c: { chains: 4, believe: { method: "exact" } } },
  });
  expect(refereeToJson([judged(undefined, 3)])).toEqual({ referee: { chains: 3 } });
  expect(refereeToJson([skipped])).toEqual({});
});
