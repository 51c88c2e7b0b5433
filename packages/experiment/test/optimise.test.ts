import { plugin as monteCarlo } from "@finitewidth/monte-carlo";
import { describe, expect, it } from "vitest";
import { optimiseEvidence, parseExperiment, resolvedExperiment, runExperiment, type Evaluation } from "../src/index.js";
import { registry, registryWith } from "./cases.js";

const random = (i: number): number => Math.sin(12.9898 * (i + 1)) * 1.3;
const X = Array.from({ length: 24 }, (_, i) => Array.from({ length: 4 }, (__, j) => random(i * 4 + j)));
const label = (x: number[], i: number): number[] => [1.5 * x[0]! - x[1]! + 0.3 * random(700 + i)];
const base = {
  data: {
    train: { inputs: X.slice(0, 16), targets: X.slice(0, 16).map(label) },
    test: { inputs: X.slice(16), targets: X.slice(16).map(label) },
  },
  network: { type: "fully-connected", widths: [5], activation: "identity" },
  likelihood: { temperature: 0.5 },
  methods: ["exact"],
  seed: 1,
};
const evidence = async (over: object): Promise<number> => {
  const { steps } = await runExperiment({ ...base, referee: false, ...over }, { registry });
  const [outcome] = steps[0]!.problems[0]!.outcomes;
  return outcome!.status === "ok" ? outcome!.posterior.logEvidence! : Number.NaN;
};

describe("maximising the evidence", () => {
  it("finds the maximum of a grid with a tenth of its evaluations, and says how sharp it is", async () => {
    const over = { temperature: [1e-3, 10], weightVariance: [0.05, 20] };
    const seen: Evaluation[] = [];
    const found = await optimiseEvidence(
      { ...base, optimise: { over, method: "exact", starts: 1 } },
      { registry, onEvaluation: (evaluation) => void seen.push(evaluation) },
    );
    const { temperature, weightVariance } = found.optimum.values as { temperature: number; weightVariance: number };
    let best = -Infinity;
    const steps = [-0.4, -0.2, 0, 0.2, 0.4];
    for (const a of steps)
      for (const b of steps)
        best = Math.max(
          best,
          await evidence({
            likelihood: { temperature: temperature * Math.exp(a) },
            network: { ...base.network, weightVariance: weightVariance * Math.exp(b) },
          }),
        );
    expect(found.optimum.logEvidence).toBeGreaterThan(best - 1e-4);
    expect(found.optimum.converged).toBe(true);
    expect(found.warnings).toEqual([]);
    // a grid of the same resolution as the differences around the optimum has 20 × 20 points
    expect(seen.length).toBeLessThan(60);
    expect(found.optimum.generalizationError).toBeTypeOf("number");
    for (const deviation of Object.values(found.optimum.logDeviations)) expect(deviation).toBeGreaterThan(0.1);
    // one standard deviation away along an axis the evidence has fallen by at least about a half (other axes held)
    const away = await evidence({
      likelihood: { temperature: temperature * Math.exp(found.optimum.logDeviations["temperature"]!) },
      network: { ...base.network, weightVariance },
    });
    expect(found.optimum.logEvidence - away).toBeGreaterThan(0.35);
    expect(parseExperiment(found.experiment)).toMatchObject({ likelihood: { temperature }, network: { weightVariance } });
    expect(found.infiniteWidth!.logEvidence).toBeTypeOf("number");
  });

  it("widths and depths: the best of all integers", async () => {
    const over = { widths: [1, 40], depth: [1, 2] };
    const found = await optimiseEvidence({ ...base, optimise: { over, method: "exact" } }, { registry });
    let best = { logEvidence: -Infinity, width: 0, depth: 0 };
    for (const depth of [1, 2])
      for (let width = 1; width <= 40; width++) {
        const logEvidence = await evidence({ network: { ...base.network, widths: Array.from({ length: depth }, () => width) } });
        if (logEvidence > best.logEvidence) best = { logEvidence, width, depth };
      }
    expect(found.optimum.logEvidence).toBeGreaterThan(best.logEvidence - 0.01);
    expect(found.optimum.values["depth"]).toBe(best.depth);
    expect(found.depths).toHaveLength(2);
    expect(found.trace.length).toBeLessThan(40);
  });

  it("labels without noise have no best temperature: the bound is told", async () => {
    const exactLabels = { ...base.data, train: { inputs: X.slice(0, 3), targets: X.slice(0, 3).map((x) => [x[0]!]) } };
    const over = { temperature: [1e-4, 1] };
    const found = await optimiseEvidence({ ...base, data: exactLabels, optimise: { over, method: "nngp" } }, { registry });
    expect(found.optimum.atBounds).toEqual(["temperature"]);
    expect(found.warnings[0]).toContain("temperature stopped at its bound 0.000100");
    expect(found.infiniteWidth).toBeUndefined();
  });

  it("a sampled evidence with its own gradients finds the exact optimum within its error", async () => {
    const method = { method: "monte-carlo", evidence: true, draws: 20, warmup: 20 };
    const over = { weightVariance: [0.1, 10] };
    const sampled = await optimiseEvidence({ ...base, optimise: { over, method, starts: 1 } }, { registry: registryWith(monteCarlo) });
    const exact = await optimiseEvidence({ ...base, optimise: { over, method: "exact", starts: 1 } }, { registry });
    expect(sampled.optimum.standardError).toBeGreaterThan(0);
    expect(Math.abs(sampled.optimum.logEvidence - exact.optimum.logEvidence)).toBeLessThan(5 * sampled.optimum.standardError!);
    const shift = Math.log(sampled.optimum.values["weightVariance"]! / exact.optimum.values["weightVariance"]!);
    expect(Math.abs(shift)).toBeLessThan(0.5 * exact.optimum.logDeviations["weightVariance"]!);
  }, 120_000);

  it.each([
    [{}, "optimise.over"],
    [
      { over: { temperature: { from: 0.1, to: 1 } }, method: "exact" },
      "optimise.over.temperature: expected [least, largest], positive numbers (of depth a list of all to try), got an object",
    ],
    [
      { over: { temperature: [1, 0.1] }, method: "exact" },
      'optimise.over.temperature: expected [least, largest], the first smaller, got "from 1 to 0.1"',
    ],
    [{ over: { temperature: [0.1, 1] }, method: "exat" }, /^optimise\.method: expected one of .*; did you mean "exact"\?$/],
    [{ over: { temperatur: [0.1, 1] }, method: "exact" }, /^optimise\.over\.temperatur: unknown key; .*; did you mean "temperature"\?$/],
    [
      { over: { "network.widths[0][1]": [1, 2] }, method: "exact" },
      'network.widths[0][1]: expected a path of the experiment, got "entry 1 of the number',
    ],
    [{ over: { widths: [1.5, 3] }, method: "exact" }, "optimise.over.widths"],
    [{ over: { temprature: [0.1, 1] }, method: "exact" }, "temprature"],
    [{ over: { temperature: [0.1, 1] }, method: "magic" }, /^optimise\.method: expected one of /],
  ])("wrong requests are told by path: %j", async (optimise, message) => {
    await expect(optimiseEvidence({ ...base, optimise }, { registry })).rejects.toThrow(message);
  });
});

describe("derivatives of the evidence in results", () => {
  it("stand in the diagnostics when asked for, and are those of the evidence", async () => {
    const methods = [
      { method: "exact", gradients: true },
      { method: "nngp", gradients: true },
      { method: "nngp", label: "plain" },
    ];
    const { plan, steps } = await runExperiment({ ...base, methods, referee: false }, { registry });
    const [exact, infinite, plain] = steps[0]!.problems[0]!.outcomes.map((outcome) =>
      outcome.status === "ok" ? (outcome.posterior.diagnostics["evidenceGradient"] as Record<string, unknown> | undefined) : undefined,
    );
    const step = 1e-3;
    const slope =
      ((await evidence({ likelihood: { temperature: 0.5 * Math.exp(step) } })) -
        (await evidence({ likelihood: { temperature: 0.5 * Math.exp(-step) } }))) /
      (2 * step);
    expect(exact!["logTemperature"]).toBeCloseTo(slope, 5);
    expect(exact!["logBiasVariance"]).toEqual([null, null]);
    const wider = (await evidence({ network: { ...base.network, widths: [6] } })) - (await evidence({}));
    expect((exact!["widths"] as number[])[0]).toBeCloseTo(wider, 9);
    expect(infinite!["widths"]).toEqual([0]);
    expect(plain).toBeUndefined();
    expect((resolvedExperiment(plan)["methods"] as object[])[0]).toMatchObject({ method: "exact", gradients: true });
  });

  it("are refused by path when they are not asked for properly", async () => {
    await expect(runExperiment({ ...base, methods: [{ method: "exact", gradients: 1 }] }, { registry })).rejects.toThrow(
      "methods[0].gradients",
    );
  });
});
