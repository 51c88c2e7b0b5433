import { FinitewidthError, matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { jobsOf, Mistakes, planExperiment, planPrior, runExperiment, runPlan, type MethodOutcome } from "../src/index.js";
import { inlineRun } from "@finitewidth/core";
import { base, registry, rows, targets } from "./cases.js";

const mistakes = async (value: unknown): Promise<readonly string[]> => {
  try {
    await planExperiment(value, { registry });
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(FinitewidthError);
    return error instanceof Mistakes ? error.errors.map((one) => one.message) : [(error as Error).message];
  }
};

describe("a plan", () => {
  it("names all mistakes of a file at once, with what was meant", async () => {
    const found = await mistakes({
      ...base,
      network: { type: "fully-conected", widths: [5], activation: "identity" },
      likelihood: { temprature: 0.3 },
      methods: ["nngp", { method: "exact", drawz: 3 }, "magic"],
      sede: 1,
    });
    expect(found).toEqual([
      expect.stringMatching(/^sede: unknown key; expected one of .*; did you mean "seed"\?$/),
      expect.stringMatching(/^likelihood\.temperature: missing/),
      expect.stringMatching(/^likelihood\.temprature: unknown key; .*did you mean "temperature"\?$/),
      expect.stringMatching(/^methods\[1\]\.drawz: unknown key; .*did you mean "draws"\?$/),
      expect.stringMatching(/^methods\[2\]: expected one of "nngp", "exact".*, got "magic"$/),
      expect.stringMatching(/^network\.type: expected one of .* got "fully-conected"; did you mean "fully-connected"\?$/),
    ]);
  });

  it.each<[string, object, RegExp]>([
    ["a label of every object", { methods: [{ method: "nngp", label: "__proto__" }] }, /^methods\[0\]\.label: expected a label/],
    ["control characters", { methods: [{ method: "nngp", label: "a\u001b[31m" }] }, /^methods\[0\]\.label: expected a label/],
    ["a name of every object", { data: { dataset: "constructor", train: 3 } }, /^data\.dataset: expected one of/],
    ["a key of every object", { network: { ...base.network, constructor: 3 } }, /^network\.constructor: unknown key/],
    [
      "its prototype",
      JSON.parse('{"network": {"type": "fully-connected", "__proto__": {}, "widths": [3], "activation": "erf"}}') as object,
      /^network\.__proto__: unknown key/,
    ],
    ["a method of that name", { methods: ["toString"] }, /^methods\[0\]/],
    [
      "huge padding",
      {
        network: {
          type: "convolutional",
          inputShape: [1, 4],
          layers: [{ channels: 3, kernelSize: [2], padding: [2 ** 40] }],
          activation: "erf",
        },
      },
      /^network\.layers\[0\]\.padding\[0\]: expected at most 10000, got 1099511627776$/,
    ],
    [
      "huge shapes",
      {
        network: {
          type: "convolutional",
          inputShape: [1, 2 ** 20, 2 ** 20],
          layers: [{ channels: 3, kernelSize: [2, 2] }],
          activation: "erf",
        },
      },
      /^network\.inputShape: expected at most 10000000 numbers/,
    ],
    ["huge widths", { network: { ...base.network, widths: [2 ** 53 - 1] } }, /^network\.widths\[0\]: expected at most 10000000/],
    [
      "200 000 layers",
      { network: { ...base.network, widths: Array.from({ length: 200_000 }, () => 1) } },
      /^network\.widths: expected at most 10000 entries/,
    ],
    ["a method without a name", { methods: ["", "exact"] }, /^methods\[0\]: expected a name, got ""$/],
    ["many chains", { methods: [{ method: "exact", chains: 1e7 }] }, /^methods\[0\]\.chains: /],
    ["two kinds of network", { networks: [base.network] }, /^networks: expected either network or networks, got both/],
    ["no network", { network: undefined }, /^network: missing|^network: expected/],
    [
      "the same label twice",
      { network: undefined, networks: [base.network, base.network] },
      /^networks\[1\]\.label: expected a label of its own/,
    ],
    [
      "a bad second network",
      { network: undefined, networks: [base.network, { ...base.network, label: "b", widths: [0] }] },
      /^networks\[1\]\.widths\[0\]: expected a positive integer, got 0/,
    ],
    ["a file where there are none", { data: { file: "x.npz" } }, /^data\.file: expected inline data/],
  ])("refuses %s", async (_what, change, expected) => {
    const value = { ...base, ...change };
    for (const key of ["network"])
      if ((value as Record<string, unknown>)[key] === undefined) delete (value as Record<string, unknown>)[key];
    expect((await mistakes(value))[0]).toMatch(expected);
  });

  it("accepts $schema and large variances", async () => {
    const { experiment } = await planExperiment(
      { $schema: "x.json", ...base, network: { ...base.network, weightVariance: 1e12 } },
      { registry },
    );
    expect(experiment).not.toHaveProperty("$schema");
  });

  it("runs the same method several times under labels, and whatever applies", async () => {
    const labelled = await planExperiment({ ...base, methods: ["exact", { method: "exact", label: "again" }] }, { registry });
    expect(labelled.steps[0]!.problems[0]!.methods.map(({ label, method, named }) => [label, method, named])).toEqual([
      ["exact", "exact", true],
      ["again", "exact", true],
    ]);
    const methodsFor = async (activation: string) => {
      const { steps } = await planExperiment({ ...base, network: { ...base.network, activation }, methods: "applicable" }, { registry });
      return steps[0]!.problems[0]!.methods;
    };
    expect((await methodsFor("erf")).map(({ label }) => label)).toEqual(["nngp"]);
    expect((await methodsFor("identity")).map(({ label, named }) => [label, named])).toEqual([
      ["nngp", false],
      ["exact", false],
    ]);
    const prior = { inputs: rows, network: base.network, methods: "applicable" };
    expect(planPrior(prior, registry).methods.map(({ label }) => label)).toEqual(["nngp", "exact"]);
  });

  it("takes data handed over in place of the file's", async () => {
    const { data: _data, ...rest } = base;
    const given = { train: { inputs: matrixFromRows(rows), targets: matrixFromRows(targets) } };
    const { steps } = await runExperiment(rest, { registry, data: given });
    expect(steps[0]!.problems[0]!.outcomes.map(({ status }) => status)).toEqual(["ok", "ok"]);
  });
});

describe("a run", () => {
  it("tells each outcome before the next method starts, and takes recalled ones as they are", async () => {
    const plan = await planExperiment({ ...base, sweep: { temperature: [0.3, 0.1] } }, { registry });
    expect(jobsOf(plan).map(({ id }) => id)).toEqual(["0/0/0", "0/0/1", "1/0/0", "1/0/1"]);
    const events: string[] = [];
    const kept = new Map<string, MethodOutcome>();
    const steps = await runPlan(plan, inlineRun({ registry }), {
      onStart: ({ id }) => void events.push(`start ${id}`),
      onResult: async ({ id }, outcome) => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        kept.set(id, outcome);
        events.push(`end ${id}`);
      },
    });
    expect(events).toEqual(jobsOf(plan).flatMap(({ id }) => [`start ${id}`, `end ${id}`]));
    const started: string[] = [];
    const again = await runPlan(plan, inlineRun({ registry }), {
      recall: ({ id }) => (id === "1/0/0" ? undefined : kept.get(id)),
      onStart: ({ id }) => void started.push(id),
    });
    expect(started).toEqual(["1/0/0"]);
    const numbers = (result: typeof steps) =>
      result.map(({ problems }) => problems[0]!.outcomes.map((one) => one.status === "ok" && one.posterior.logEvidence));
    expect(numbers(again)).toEqual(numbers(steps));
  });

  it("ends when it is cancelled, with what is finished told", async () => {
    const plan = await planExperiment(base, { registry });
    const controller = new AbortController();
    const told: string[] = [];
    const run = inlineRun({ registry, signal: controller.signal });
    const onResult = ({ id }: { id: string }): void => {
      told.push(id);
      controller.abort(new Error("stop"));
    };
    await expect(runPlan(plan, run, { onResult })).rejects.toThrow("stop");
    expect(told).toEqual(["0/0/0"]);
  });
});
