import { threadId } from "node:worker_threads";
import { createRegistry, FinitewidthError, inlineRun, type Run } from "@finitewidth/core";
import { plugin as datasets } from "@finitewidth/datasets";
import { planExperiment, resultToJson, runPlan, type MethodOutcome, type SolvedOutcome, type StepOutcome } from "@finitewidth/experiment";
import { standardPlugins } from "@finitewidth/verification";
import { poolRun } from "@finitewidth/workers";
import { afterAll, describe, expect, it } from "vitest";
import { plugin as where } from "./plugins/where.js";

const registry = createRegistry([...standardPlugins, datasets, where]);
const pool = poolRun({ registry, workers: 2, seed: 1 });
afterAll(() => pool.close());

const inputs = [
  [1, 2, 0],
  [0, 1, -1],
  [2, -1, 1],
  [0.3, 0.2, -0.4],
];
const experiment = {
  data: { train: { inputs, targets: [[1], [-0.5], [0.3], [0.8]] }, test: { inputs: [[0.5, -1, 0.2]], targets: [[0.4]] } },
  network: { type: "fully-connected", widths: [5], activation: "erf" },
  likelihood: { temperature: 0.3 },
  seed: 4,
};
const planned = (change: object) => planExperiment({ ...experiment, ...change }, { registry });
const withoutTimes = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (key, entry: unknown) => (key === "seconds" ? undefined : entry)));
const diagnosticsOf = (steps: readonly StepOutcome[], label: string) =>
  steps.map(({ problems }) => (problems[0]!.outcomes.find((one) => one.label === label) as SolvedOutcome).posterior.diagnostics);

describe("methods on the steps of a sweep as chunks", () => {
  it("gives the same numbers in threads as one by one, sampling, gradients, referee, and failures included", async () => {
    const sampled = { method: "monte-carlo", chains: 2, draws: 40, warmup: 30, save: true };
    const plan = await planned({
      methods: ["nngp", { method: "exact", gradients: true }, sampled, "perturbative", "broken"],
      sweep: { "network.activation": ["identity", "erf"] },
      referee: { draws: 2, chains: 8 },
    });
    const alone = await runPlan(plan, inlineRun({ registry, seed: 4 }));
    const spread = await runPlan(plan, pool);
    expect(withoutTimes(resultToJson(plan, spread))).toEqual(withoutTimes(resultToJson(plan, alone)));
    const states = (steps: readonly StepOutcome[]) =>
      steps.map(({ problems }) => (problems[0]!.outcomes[2] as SolvedOutcome).posterior.state);
    expect(states(spread)).toEqual(states(alone));
    const broken = spread[0]!.problems[0]!.outcomes[4] as Extract<MethodOutcome, { status: "failed" }>;
    expect(broken.error).toBeInstanceOf(FinitewidthError);
    expect((broken.error as FinitewidthError).path).toBe("network.widths[1]");
  });

  it("computes short methods in the threads, and the chunks of a method that has several", async () => {
    const plan = await planned({ methods: ["alone", "spreads"], sweep: { seed: [1, 2, 3, 4, 5, 6] } });
    const steps = await runPlan(plan, pool);
    const threads = new Set(diagnosticsOf(steps, "alone").map(({ thread }) => thread));
    expect(threads).not.toContain(threadId);
    for (const { thread, chunks } of diagnosticsOf(steps, "spreads")) {
      expect(thread).toBe(threadId);
      expect((chunks as number[][]).map(([index]) => index)).toEqual([0, 1, 2, 3]);
      for (const [, place] of chunks as number[][]) expect(place).not.toBe(threadId);
    }
  });

  it("has no more under way than twice what the run computes at a time, and ends with the first cancellation", async () => {
    const plan = await planned({ methods: ["alone"], sweep: { seed: Array.from({ length: 20 }, (_, i) => i) } });
    let [under, most] = [0, 0];
    const controller = new AbortController();
    const slow: Run = {
      registry,
      seed: 1,
      signal: controller.signal,
      concurrency: 2,
      async *map(task, chunks) {
        most = Math.max(most, ++under);
        await new Promise((resolve) => setTimeout(resolve, 5));
        under -= 1;
        yield* inlineRun({ registry }).map(task, chunks);
      },
    };
    const told: string[] = [];
    const onResult = async ({ id }: { readonly id: string }): Promise<void> => {
      told.push(`begin ${id}`);
      await new Promise((resolve) => setTimeout(resolve, 1));
      told.push(`end ${id}`);
      if (told.length === 20) controller.abort(new Error("enough"));
    };
    await expect(runPlan(plan, slow, { onResult })).rejects.toThrow("enough");
    expect(most).toBe(4);
    for (let i = 0; i < told.length; i += 2) expect(told[i + 1]).toBe(told[i]!.replace("begin", "end"));
    expect(told.length).toBeLessThan(34);
  });
});
