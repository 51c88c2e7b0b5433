import { inlineRun, matrixFromRows, type PriorProblem, type PriorResult, type Theory } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { planPrior, priorOutcomeToJson, runPrior, type PriorOutcome } from "../src/index.js";
import { base, registryWith, rows, told } from "./cases.js";

const asked: { problem: PriorProblem; seed: number; options: unknown }[] = [];
const answering = (name: string, answer: (problem: PriorProblem) => Partial<PriorResult>): Theory =>
  ({
    ...told(name),
    refusesPrior: ({ outputs }: PriorProblem) => (outputs === 4 ? "not four" : undefined),
    prior: async (problem: PriorProblem, options: unknown, { seed }: { seed: number }) => {
      asked.push({ problem, seed, options });
      return { warnings: ["w"], ...answer(problem) };
    },
  }) as Theory;
const tensor = (shape: readonly number[]) => ({
  data: Float64Array.from({ length: shape.reduce((a, b) => a * b) }, (_, i) => i + 1),
  shape,
});
const full = answering("full", () => ({
  secondMoment: matrixFromRows([[1, 2], [3, 4]]), // prettier-ignore
  fourthCumulant: tensor([1, 2, 1, 3]),
  excessKurtosis: Float64Array.of(5, 6),
  logDensity: Float64Array.of(-Infinity, 2),
  standardError: { logDensity: Float64Array.of(0, 0.5), secondMoment: tensor([1, 2]) as never, number: 7 },
  diagnostics: { deep: { list: [1, "a"] } },
  figures: [{ kind: "lines" } as never],
}));
const broken = answering("broken", () => ({ kernelMeanShift: matrixFromRows([[1, Number.NaN]]) }));
const registry = registryWith({ name: "told", theories: [full, broken, told("mute") as Theory] });
const file = { inputs: rows, network: base.network, outputs: 2, methods: ["full"], seed: 9 };

describe("a prior question", () => {
  it("has the inputs, outputs, points and draws of the file, or their defaults; methods their labels and options", async () => {
    asked.length = 0;
    const evaluateAt = [rows.map(([a, b]) => [a!, b!]), rows.map(([, , c, d]) => [c!, d!])];
    const methods = ["full", { method: "full", label: "again", level: 4 }];
    const plan = planPrior({ ...file, methods, evaluateAt, samples: 30 }, registry);
    const outcomes = await runPrior(plan, inlineRun({ registry, seed: 9 }));
    expect(outcomes.map(({ label, method, named, status }) => [label, method, named, status])).toEqual([
      ["full", "full", true, "ok"],
      ["again", "full", true, "ok"],
    ]);
    expect(asked.map(({ options, seed }) => [options, seed])).toEqual([[{ level: 3 }, 9], [{ level: 4 }, 9]]); // prettier-ignore
    expect(asked[1]!.problem).toEqual({
      network: expect.objectContaining({ type: "fully-connected", widths: [5] }) as unknown,
      inputs: matrixFromRows(rows),
      outputs: 2,
      evaluateAt: evaluateAt.map((one) => matrixFromRows(one)),
      samples: 30,
    });
    const { outputs: _outputs, ...short } = file;
    expect(planPrior(short, registry).problem).toMatchObject({ outputs: 1, evaluateAt: [], samples: 100_000 });
  });

  it("failures leave the others alone: refusals, theories that answer none, numbers that are not finite", async () => {
    const plan = planPrior({ ...file, methods: ["broken", "mute", "full"] }, registry);
    const outcomes = await runPrior(plan, inlineRun({ registry }));
    expect(outcomes.map(({ status }) => status)).toEqual(["failed", "failed", "ok"]);
    const messages = outcomes.map((one) => (one.status === "failed" ? one.error.message : ""));
    expect(messages[0]).toMatch(/^\[broken\] kernelMeanShift came out as a number that is not finite/);
    expect(messages[1]).toMatch(/^\[mute\] answers no prior questions/);
    const [refused] = await runPrior(planPrior({ ...file, outputs: 4 }, registry), inlineRun({ registry }));
    expect(refused).toMatchObject({ status: "failed", error: { message: "[full] not four" } });
    expect(priorOutcomeToJson(refused!)).toEqual({ status: "failed", error: "[full] not four", seconds: refused!.seconds });
    const applicable = (outputs: number) =>
      planPrior({ ...file, outputs, methods: "applicable" }, registry).methods.map(({ label, named }) => [label, named]);
    expect(applicable(2)).toEqual([["nngp", false], ["exact", false], ["full", false], ["broken", false]]); // prettier-ignore
    expect(applicable(4)).toEqual([["nngp", false], ["exact", false]]); // prettier-ignore
  });

  it("takes what an earlier run has kept, tells what is begun and what came out, and ends when it is cancelled", async () => {
    asked.length = 0;
    const plan = planPrior({ ...file, methods: ["full", { method: "full", label: "b" }, { method: "full", label: "c" }] }, registry);
    const kept = { label: "b", method: "full", named: true, seconds: 1, status: "ok", result: { warnings: [] } } as PriorOutcome;
    const events: string[] = [];
    const controller = new AbortController();
    const run = inlineRun({ registry, signal: controller.signal });
    const hooks = {
      recall: ({ label }: { label: string }) => (label === "b" ? kept : undefined),
      onStart: ({ label }: { label: string }) => void events.push(`start ${label}`),
      onResult: async ({ label }: { label: string }, outcome: PriorOutcome) => void events.push(`end ${label} ${outcome === kept}`),
    };
    const outcomes = await runPrior(plan, run, hooks);
    expect(events).toEqual(["start full", "end full false", "end b true", "start c", "end c false"]);
    expect(outcomes[1]).toBe(kept);
    expect(asked).toHaveLength(2);
    await expect(runPrior(plan, run, { ...hooks, onStart: () => controller.abort(new Error("enough")) })).rejects.toThrow("enough");
  });

  it("is written as nested lists, figures left out", async () => {
    const [outcome] = await runPrior(planPrior(file, registry), inlineRun({ registry }));
    expect(priorOutcomeToJson(outcome!)).toEqual({
      status: "ok",
      secondMoment: [[1, 2], [3, 4]], // prettier-ignore
      fourthCumulant: [[[[1, 2, 3]], [[4, 5, 6]]]],
      excessKurtosis: [5, 6],
      logDensity: [-Infinity, 2],
      standardError: { logDensity: [0, 0.5], secondMoment: [[1, 2]], number: 7 },
      diagnostics: { deep: { list: [1, "a"] } },
      warnings: ["w"],
      seconds: outcome!.seconds,
    });
  });

  it.each([
    [{ evaluateAt: [[[1, 2]]] }, "evaluateAt[0]: expected 5 × 2 numbers, got 1 × 2"],
    [{ evaluateAt: [rows.map(() => [1, 2]), rows.map(() => [1])] }, "evaluateAt[1]: expected 5 × 2 numbers, got 5 × 1"],
    [{ evaluateAt: [rows.map(() => [1, -1e101])] }, "evaluateAt[0][0][1]: expected at most 1e+100 in size, got -1e+101"],
    [{ samples: 1e10 }, "samples: expected at most 1000000000, got 10000000000"],
    [{ methods: [{ method: "full", level: 1e8 }] }, "methods[0].level: expected at most 10000000, got 100000000"],
    [{ network: { ...base.network, widths: [1e8] } }, "network.widths[0]: expected at most 10000000, got 100000000"],
    [{ inputs: [] }, /^inputs: expected at least one row/],
    [{ inputs: [[1, 2], [1]] }, /^inputs\[1\]/],
    [{ targets: [] }, /^targets: unknown key; expected one of inputs, network, outputs, methods, evaluateAt, samples, plugins, seed/],
  ])("%j is refused", (change, message) => expect(() => planPrior({ ...file, ...change }, registry)).toThrow(message));

  it.each([
    [{ outputs: 1.5 }, "outputs: expected a positive integer, got 1.5"],
    [{ outputs: null }, "outputs: expected a positive integer, got null"],
    [{ methods: [""] }, 'methods[0]: expected a name, got ""'],
    [{ methods: [7] }, /^methods\[0\]: expected a method's name or an object with "method", got 7$/],
    [{ network: { ...base.network, widths: 1e300 } }, "network.widths: expected at most 10000000, got 1e+300"],
    [{ network: { ...base.network, weightVariance: [1, 1e300] } }, "network.weightVariance[1]: expected at most 1e+100, got 1e+300"],
    [{ network: { type: "sequential", inputShape: [1e300], layers: [] } }, "network.inputShape[0]: expected at most 10000000, got 1e+300"],
    [{ network: { ...base.network, biasVariance: 2e100 } }, "network.biasVariance: expected at most 1e+100, got 2e+100"],
  ])("%j is one mistake, in one line", (change, message) => {
    let said = "";
    try {
      planPrior({ ...file, evaluateAt: [rows.map(() => [1, 2])], ...change }, registry);
    } catch (error) {
      said = (error as Error).message;
    }
    expect(said.split("\n")).toHaveLength(1);
    expect(said).toMatch(message);
  });
});
