import { inlineRun, type FigureLab, type PaperFigure } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { figureLab, reproduceFigure, type MethodOutcome, type SolvedOutcome } from "../src/index.js";
import { base, registryWith, told } from "./cases.js";

const theory = told("sum", ({ temperature }, { seed }) => ({ logEvidence: temperature + 100 * seed }));
const registry = registryWith({ name: "told", theories: [theory as never] });
const file = { ...base, methods: ["sum", { method: "sum", label: "again" }], sweep: { temperature: [1, 2], seed: [3, 4] } } as never;

describe("experiments of figures", () => {
  it("give every step its values, problem, tests and methods, and keep what was computed under names of their own", async () => {
    const store = new Map<string, unknown>();
    const asked: string[] = [];
    const run: [string, unknown][] = [];
    const keep: FigureLab["keep"] = async (name, compute) => {
      asked.push(name);
      if (!store.has(name)) store.set(name, await compute());
      return store.get(name) as never;
    };
    const lab = figureLab(inlineRun({ registry }), { keep, onExperiment: (name, { referee }) => void run.push([name, referee]) });
    const steps = await lab.experiment("first", file);
    expect(run).toEqual([["first", false]]);
    expect(asked).toEqual([0, 1, 2, 3].flatMap((s) => [0, 1].map((m) => `first/${s}/0/${m}`)));
    expect(steps.map(({ values }) => values)).toEqual([1, 2].flatMap((temperature) => [3, 4].map((seed) => ({ temperature, seed }))));
    for (const { values, problem, test, methods } of steps) {
      const { temperature, seed } = values as { temperature: number; seed: number };
      expect(problem.temperature).toBe(temperature);
      expect(test!.inputs.shape).toEqual([3, 4]);
      expect(Object.keys(methods)).toEqual(["sum", "again"]);
      for (const { posterior } of Object.values(methods)) expect(posterior.logEvidence).toBe(temperature + 100 * seed);
    }
    // a second time nothing is computed, another experiment has its own
    const outcome = store.get("first/2/0/1") as SolvedOutcome;
    store.set("first/2/0/1", { ...outcome, posterior: { ...outcome.posterior, logEvidence: -1 } } satisfies MethodOutcome);
    const [, , third] = await lab.experiment("first", file);
    expect(third!.methods["again"]!.posterior.logEvidence).toBe(-1);
    expect(third!.methods["sum"]!.posterior.logEvidence).toBe(302);
    const [, , other] = await lab.experiment("second", file);
    expect(other!.methods["again"]!.posterior.logEvidence).toBe(302);
    expect(lab.keep).toBe(keep);
  });

  it("without test data, and without a sweep, there are none", async () => {
    const { test: _test, ...data } = base.data;
    const [step] = await figureLab(inlineRun({ registry })).experiment("one", { ...base, data, methods: ["sum"], seed: 5 } as never);
    expect(step).toMatchObject({ values: {}, methods: { sum: { posterior: { logEvidence: 500.3 } } } });
    expect(step).not.toHaveProperty("test");
  });

  it("end with the error of a method, named by the experiment", async () => {
    const refused = figureLab(inlineRun({ registry })).experiment("bad", {
      ...base,
      methods: ["sum"],
      likelihood: { temperature: 13 },
    } as never);
    await expect(refused).rejects.toMatchObject({ code: "refused", message: expect.stringMatching(/^bad: .*not at 13/) as string });
  });
});

it("a figure passes when all its checks hold", async () => {
  const figure = (found: readonly number[]): PaperFigure<{ numbers: readonly number[]; size: string }> => ({
    name: "f",
    summary: "f",
    paper: "f",
    statement: "f",
    differences: "f",
    compute: async (size) => ({ numbers: found, size }),
    pictures: () => [],
    checks: ({ numbers }) => numbers.map((n) => ({ name: `${n}`, expected: "positive", found: `${n}`, holds: n > 0 })),
    faults: [],
  });
  const of = (...found: number[]) => reproduceFigure(figure(found) as never, "paper", figureLab(inlineRun({ registry })));
  expect(await of(1, 2)).toMatchObject({ passed: true, size: "paper", numbers: { numbers: [1, 2], size: "paper" } });
  expect(await of(1, -2)).toMatchObject({ passed: false, checks: [{ name: "1", holds: true }, { name: "-2", holds: false }] }); // prettier-ignore
});
