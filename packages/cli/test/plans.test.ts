import { createRegistry, inlineRun, type Theory } from "@finitewidth/core";
import { jobsOf, planExperiment, type Plan, type ProblemOutcome } from "@finitewidth/experiment";
import { standardPlugins } from "@finitewidth/verification";
import { afterEach, describe, expect, it, vi } from "vitest";
import { estimatePlan } from "../src/dry-run.js";
import { jobKey, problemKey } from "../src/shard.js";

const registry = createRegistry(standardPlugins);
const network = (label: string) => ({ label, type: "fully-connected", widths: [3], activation: "identity" });
const plan = (labels: readonly string[], temperature: readonly number[]): Promise<Plan> =>
  planExperiment(
    {
      data: { train: { inputs: Array.from({ length: 6 }, (_, i) => [i, 1]), targets: Array.from({ length: 6 }, (_, i) => [i % 2]) } },
      networks: labels.map(network),
      likelihood: { temperature: 1 },
      methods: ["nngp", "exact", { method: "nngp", label: "again" }],
      sweep: { temperature },
      referee: { seconds: 7, steps: "all" },
    },
    { registry },
  );
afterEach(() => void vi.restoreAllMocks());

describe("what is kept of a sweep over several networks", () => {
  it("has a key of its own for every method of every network at every step, and for every word of the referee", async () => {
    const whole = await plan(["a", "b", "c"], [1, 2]);
    const keys = jobsOf(whole).map((job) => JSON.stringify(jobKey(job)));
    expect(new Set(keys).size).toBe(2 * 3 * 3);
    const words = whole.steps.flatMap(({ problems }, step) =>
      problems.map((problem) => JSON.stringify(problemKey(step, { problem } as ProblemOutcome))),
    );
    expect(new Set(words).size).toBe(2 * 3);
    const again = await plan(["a", "b", "c"], [1, 2]);
    expect(jobsOf(again).map((job) => JSON.stringify(jobKey(job)))).toEqual(keys);
  });
});

describe("the expected time of a plan", () => {
  /** Estimates by a clock that advances by a second whenever it is looked at. */
  const estimate = async (labels: readonly string[], temperature: readonly number[]) => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 1000));
    const found = await estimatePlan(await plan(labels, temperature), (signal, onProgress) => ({
      run: inlineRun({ registry, signal, onProgress }),
      close: () => undefined,
    }));
    return Object.fromEntries(found.map(({ label, seconds }) => [label, seconds!]));
  };

  it("is that of one network at one step, times how many there are", async () => {
    const one = await estimate(["a"], [1]);
    expect(Object.keys(one)).toEqual(["nngp", "exact", "again", "referee"]);
    expect(one["nngp"]).toBeGreaterThan(0);
    expect(one["referee"]).toBe(7);
    const many = await estimate(["a", "b"], [1, 2, 3, 4, 5]);
    for (const label of ["nngp", "exact", "referee"]) expect(many[label]! / one[label]!, label).toBeCloseTo(10, 9);
  });
});

describe("what a dry run tries", () => {
  const nngp = standardPlugins.flatMap(({ theories = [] }) => theories).find(({ name }) => name === "nngp")!;

  it("is 20, 40 and 80 points with one of every class first, no test points; the measured power of P extends to all", async () => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const seen: { points: number; inputs: number[]; targets: number[] }[] = [];
    // takes (P / 20)² seconds
    const square: Theory = {
      ...nngp,
      name: "square",
      fit: (problem, options, run) => {
        const points = problem.inputs.shape[0];
        seen.push({ points, inputs: [...problem.inputs.data.subarray(0, 6)], targets: [...problem.targets.data.subarray(0, 3)] });
        now += 1000 * (points / 20) ** 2;
        return nngp.fit(problem, options, run);
      },
      predict: () => {
        throw new Error("no test point is to be predicted");
      },
    };
    const failing: Theory = { ...nngp, name: "failing", fit: () => Promise.reject(new Error("not on so few points")) };
    const own = createRegistry([...standardPlugins, { name: "own", module: "own", theories: [square, failing] }]);
    const inputs = Array.from({ length: 100 }, (_, i) => [i, 200 + i]);
    const targets = inputs.map(([i]) => [i! < 90 ? 1 : 2]);
    const experiment = {
      data: { train: { inputs, targets }, test: { inputs } },
      network: { type: "fully-connected", widths: [3], activation: "identity" },
      likelihood: { temperature: 1 },
      methods: ["square", "failing"],
      sweep: { temperature: [1, 2, 3] },
      referee: false,
    };
    const closed: unknown[] = [];
    const estimates = await estimatePlan(await planExperiment(experiment, { registry: own }), (signal, onProgress) => ({
      run: inlineRun({ registry: own, signal, onProgress }),
      close: () => closed.push(1),
    }));
    // the first and the last step
    expect(seen.map(({ points }) => points)).toEqual([20, 40, 80, 20, 40, 80]);
    expect(seen[0]).toMatchObject({ inputs: [0, 200, 90, 290, 1, 201], targets: [1, 2, 1] });
    expect(estimates).toEqual([
      { label: "square", bytes: 8 * 3 * 100 ** 2, seconds: expect.closeTo(3 * 25, 9) },
      { label: "failing", bytes: 8 * 3 * 100 ** 2, remark: "not on so few points" },
    ]);
    expect(closed).toHaveLength(8);
  });

  it("ends after four seconds at one size: how far it came says how long it would have taken there, in proportion at all points", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => now);
    const sizes: number[] = [];
    const slow: Theory = {
      ...nngp,
      name: "slow",
      fit: (problem, _options, run) => {
        sizes.push(problem.inputs.shape[0]);
        run.onProgress!(1, 4);
        vi.advanceTimersByTime(3999);
        run.signal!.throwIfAborted();
        now += 4000;
        vi.advanceTimersByTime(1);
        run.signal!.throwIfAborted();
        throw new Error("not ended");
      },
    };
    const own = createRegistry([...standardPlugins, { name: "own", module: "own", theories: [slow] }]);
    const inputs = Array.from({ length: 100 }, (_, i) => [i]);
    const experiment = {
      data: { train: { inputs, targets: inputs } },
      network: { type: "fully-connected", widths: [3], activation: "identity" },
      likelihood: { temperature: 1 },
      methods: ["slow"],
      referee: false,
    };
    try {
      const [estimate] = await estimatePlan(await planExperiment(experiment, { registry: own }), (signal, onProgress) => ({
        run: inlineRun({ registry: own, signal, onProgress }),
        close: () => undefined,
      }));
      expect(sizes).toEqual([20]);
      // a quarter in four seconds, 16 s at 20 points
      expect(estimate!.seconds).toBeCloseTo(16 * 5, 9);
    } finally {
      vi.useRealTimers();
    }
  });
});
