import { inlineRun, type Json, type Plugin, type Run, type Theory } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { assemble, jobsOf, planExperiment, resultToJson, runPlan, type Job, type MethodOutcome, type SolvedOutcome } from "../src/index.js";
import { oneByOne, together } from "../src/together.js";
import { base, registryWith, told } from "./cases.js";

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe("several things at a time", () => {
  it("are begun in their order, so many at a time, and all are done", async () => {
    let [now, most] = [0, 0];
    const begun: number[] = [];
    await together([5, 3, 8, 1, 9], 2, async (item) => {
      begun.push(item);
      most = Math.max(most, ++now);
      for (let i = 0; i < item; i++) await pause();
      now--;
    });
    expect(begun).toEqual([5, 3, 8, 1, 9]);
    expect([now, most]).toEqual([0, 2]);
  });

  it("end with the first error, when what is under way has ended; nothing more is begun", async () => {
    const events: string[] = [];
    const failing = together(["slow", "bad", "never"], 2, async (item) => {
      events.push(`begin ${item}`);
      await pause();
      if (item === "bad") throw new Error("first");
      await pause();
      events.push(`end ${item}`);
      throw new Error("second");
    });
    await expect(failing).rejects.toThrow("first");
    expect(events).toEqual(["begin slow", "begin bad", "end slow"]);
  });

  it("one by one: each waits for those before it, also for one that fails, and tells its own error", async () => {
    const events: number[] = [];
    const next = oneByOne();
    const wait = (item: number, turns: number) =>
      next(async () => {
        for (let i = 0; i < turns; i++) await pause();
        events.push(item);
        if (item === 1) throw new Error("one");
      });
    const [first, second] = [wait(1, 5), wait(2, 0)];
    await expect(first).rejects.toThrow("one");
    await second;
    expect(events).toEqual([1, 2]);
  });
});

/** Temperature, width, seed and option in one number, without rounding. */
const number = (temperature: number, width: number, seed: number, level: number): number =>
  1024 * temperature + 16 * width + seed / 16 + level / 1024;
const sum: Theory = told("sum", ({ temperature, network }, { seed }, { level }) => ({
  logEvidence: number(temperature, (network as unknown as { widths: number[] }).widths[0]!, seed, level),
  warnings: ["one", "two", "one"],
})) as Theory;
const judged: { widths: number; labels: string[]; seed: number; temperature: number }[] = [];
const plugin: Plugin = {
  name: "told",
  theories: [sum],
  referees: [
    {
      name: "listener",
      summary: "writes down what it hears",
      judge: async ({ network, temperature }, methods, _tests, _options, run) => {
        const { widths } = network as unknown as { widths: number[] };
        judged.push({ widths: widths[0]!, labels: Object.keys(methods), seed: run.seed, temperature });
        return { verdicts: {}, referee: { heard: Object.keys(methods).length } };
      },
    },
  ],
};
const registry = registryWith(plugin);
const { network: _network, ...rest } = base;
const file = {
  ...rest,
  networks: [
    { label: "narrow", ...base.network, widths: [4] },
    { label: "wide", ...base.network, widths: [7] },
  ],
  methods: ["sum", { method: "sum", label: "more", level: 5 }],
  sweep: { temperature: [0.5, 13, 2], seed: [3, 8] },
  referee: { steps: "all" },
};
const evidenceOf = (outcome: MethodOutcome) => (outcome as SolvedOutcome).posterior.logEvidence;

describe("steps, networks and methods", () => {
  it("each with its own numbers in place; refused ones fail alone; the referee hears what there is, with the seed of the step", async () => {
    judged.length = 0;
    const plan = await planExperiment(file, { registry });
    const jobs: Job[] = [];
    const heard: unknown[] = [];
    const hooks = {
      onStart: (job: Job) => void jobs.push(job),
      onReferee: (...counts: number[]) => void heard.push([jobs.length, ...counts]),
    };
    const steps = await runPlan(plan, inlineRun({ registry, seed: 77 }), hooks);
    // told before it begins, when all methods have started, and after each of six steps × two networks
    expect(heard).toEqual(Array.from({ length: 13 }, (_, k) => [jobs.length, k, 12]));
    heard.length = 0;
    await runPlan(await planExperiment({ ...file, referee: false }, { registry }), inlineRun({ registry }), { onReferee: hooks.onReferee });
    expect(heard).toEqual([]);
    expect(jobs.map(({ id }) => id)).toEqual(jobsOf(plan).map(({ id }) => id));
    for (const { id, stepIndex, step, problem, method } of jobs) {
      const [s, n, m] = id.split("/").map(Number);
      expect([stepIndex, plan.steps.indexOf(step)]).toEqual([s, s]);
      expect([problem.label, method.label]).toEqual([["narrow", "wide"][n!], ["sum", "more"][m!]]);
    }
    const temperatures = [0.5, 0.5, 13, 13, 2, 2];
    for (const [s, { problems }] of steps.entries())
      for (const [n, { problem, outcomes }] of problems.entries()) {
        expect(problem.label).toBe(["narrow", "wide"][n]);
        for (const [m, outcome] of outcomes.entries()) {
          expect([outcome.label, outcome.method, outcome.named]).toEqual([["sum", "more"][m], "sum", true]);
          expect(outcome.seconds).toBeGreaterThanOrEqual(0);
          if (temperatures[s] === 13) expect(outcome).toMatchObject({ status: "failed", error: { code: "refused" } });
          else expect(evidenceOf(outcome)).toBe(number(temperatures[s]!, [4, 7][n]!, [3, 8][s % 2]!, [3, 5][m]!));
        }
      }
    expect(judged).toEqual(
      [0, 1, 4, 5].flatMap((s) =>
        [4, 7].map((widths) => ({ widths, labels: ["sum", "more"], seed: [3, 8][s % 2], temperature: temperatures[s] })),
      ),
    );
    const json = resultToJson(plan, steps) as { sweep: { results: Record<string, Record<string, Json>>; referee?: Json }[] };
    expect(json.sweep.map(({ referee }) => referee)).toEqual(
      [0, 1, 2, 3, 4, 5].map((s) => {
        const own = { heard: 2, seconds: expect.any(Number) as number, believe: {} };
        return s === 2 || s === 3 ? undefined : { narrow: own, wide: own };
      }),
    );
    expect(json.sweep[2]!.results["wide"]!["more"]).toEqual({
      status: "failed",
      error: expect.stringContaining("not at 13") as string,
      seconds: expect.any(Number) as number,
    });
    expect(json.sweep[5]!.results["wide"]!["more"]).toMatchObject({
      status: "ok",
      logEvidence: number(2, 7, 8, 5),
      warnings: ["one", "two"],
    });
  });

  it("only those that are wanted: others, and steps and networks without any, are left out", async () => {
    judged.length = 0;
    const plan = await planExperiment(file, { registry });
    const wanted = ["0/1/0", "4/0/1", "5/0/0", "5/0/1"];
    const recalled: [string, boolean][] = [];
    const earlier = { label: "more", status: "ok", posterior: { logEvidence: -1, warnings: [] } } as unknown as MethodOutcome;
    const steps = await runPlan(plan, inlineRun({ registry }), {
      wanted: ({ id }) => wanted.includes(id),
      recall: ({ id }) => (id === "4/0/1" ? earlier : undefined),
      onResult: ({ id }, _outcome, again) => void recalled.push([id, again]),
    });
    expect(recalled).toEqual(wanted.map((id) => [id, id === "4/0/1"]));
    expect(steps.map(({ step }) => plan.steps.indexOf(step))).toEqual([0, 4, 5]);
    expect(steps.map(({ problems }) => problems.map(({ problem, outcomes }) => [problem.label, ...outcomes.map(evidenceOf)]))).toEqual([
      [["wide", number(0.5, 7, 3, 3)]],
      [["narrow", -1]],
      [["narrow", number(2, 4, 8, 3), number(2, 4, 8, 5)]],
    ]);
    expect(judged.map(({ widths, labels }) => [widths, ...labels])).toEqual([[7, "sum"], [4, "more"], [4, "sum", "more"]]); // prettier-ignore
    expect(assemble(plan, new Map())).toEqual([]);
  });

  it("the first and the last step of the sweep are refereed, also where others are left out", async () => {
    judged.length = 0;
    const plan = await planExperiment({ ...file, referee: {} }, { registry });
    await runPlan(plan, inlineRun({ registry }), { wanted: ({ id }) => /^[145]/.test(id) });
    expect(judged.map(({ widths, seed, temperature }) => [widths, seed, temperature])).toEqual([[4, 8, 2], [7, 8, 2]]); // prettier-ignore
  });

  it("computed elsewhere they are the same, one chunk each; a method that spreads is asked once for every network, then here", async () => {
    const chunked: string[] = [];
    /** Computes elsewhere in name, two at a time. */
    const elsewhere = (own: typeof registry): Run => {
      const inline = inlineRun({ registry: own, seed: 1 });
      return {
        ...inline,
        concurrency: 2,
        map: (task, chunks) => {
          const [first] = chunks as unknown as { method?: { label: string } }[];
          if (task.name === "solveMethod") chunked.push(`${first!.method!.label}`);
          return inline.map(task, chunks);
        },
      };
    };
    const task = { module: "file:///none.js", name: "twice", run: (chunk: number) => 2 * chunk };
    const spreads: Theory = {
      ...sum,
      name: "spreads",
      async fit(problem, options, run) {
        let logEvidence = problem.temperature;
        for await (const part of run.map(task, [1, 2])) logEvidence += part;
        return { ...(await sum.fit(problem, options, run)), logEvidence };
      },
    };
    const refuses: Theory = { ...sum, name: "refuses", refuses: () => "one stays here" };
    const own = registryWith({ ...plugin, theories: [sum, spreads, refuses] });
    const methods = ["sum", "spreads", "nngp", "refuses"];
    const plan = await planExperiment({ ...file, methods, referee: false }, { registry: own });
    const [alone, away] = [await runPlan(plan, inlineRun({ registry: own })), await runPlan(plan, elsewhere(own))];
    const numbers = (steps: typeof alone) =>
      steps.map(({ problems }) =>
        problems.map(({ outcomes }) =>
          outcomes.map((one) =>
            one.status === "ok" ? [one.label, one.method, evidenceOf(one)] : [one.label, one.method, one.error.message],
          ),
        ),
      );
    expect(numbers(away)).toEqual(numbers(alone));
    expect(away[4]!.problems[1]!.outcomes.slice(0, 2).map(evidenceOf)).toEqual([number(2, 7, 3, 3), 8]);
    const count = (label: string): number => chunked.filter((one) => one === label).length;
    // "sum" refuses four of its networks, "refuses" all: that is said here, not sent
    expect(["sum", "nngp", "refuses"].map(count)).toEqual([8, 12, 0]);
    // two are under way before the first answer is there
    expect(count("spreads")).toBeGreaterThanOrEqual(2);
    expect(count("spreads")).toBeLessThan(12);
  });
});
