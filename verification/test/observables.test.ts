import { createRegistry, inlineRun, validate, type Claim, type NetworkDraw, type Run, type TermAverages } from "@finitewidth/core";
import { monteCarlo, type MonteCarloOptions } from "@finitewidth/monte-carlo";
import { describe, expect, it } from "vitest";
import { family, fullyConnected, runVerification, standardPlugins, type SampleChunk } from "../src/index.js";

const registry = createRegistry(standardPlugins);

/** One training input, two test inputs, two outputs. */
const draw = (mean: readonly number[]): NetworkDraw => ({
  kernel: { data: new Float64Array(9), shape: [3, 3] },
  points: 1,
  hiddenKernels: () => [],
  conditional: {
    mean: { data: Float64Array.from([9, 9, ...mean]), shape: [3, 2] },
    variance: Float64Array.of(9, 2, 3),
    covariance: () => ({ data: Float64Array.of(9, 9, 9, 9, 2, 0.5, 9, 0.5, 3), shape: [3, 3] }),
  },
});

describe("the joint covariance of the outputs", () => {
  const draws = [draw([1, 2, 3, 4]), draw([-1, 2, 5, 0])];
  const average = (name: string): Float64Array => {
    const all = draws.map((one) => registry.observable(name).terms(one, 1));
    const averages: TermAverages = { of: (term) => all[0]![term]!.map((value, i) => 0.5 * (value + all[1]![term]![i]!)), logMeanWeight: 0 };
    return registry.observable(name).value(averages, 1, 1);
  };

  it("is the mean of the conditional ones, for every output by itself, and the covariance of the means", () => {
    // deviations from the averages: ±(1, 0, −1, 2)
    expect([...average("predictive.covariance")]).toEqual([3, 0, -0.5, 2, 0, 2, 0, 0.5, -0.5, 0, 4, -2, 2, 0.5, -2, 7]);
  });

  it("has the variances on its diagonal", () => {
    const covariance = average("predictive.covariance");
    average("predictive.variance").forEach((value, i) => expect(value).toBeCloseTo(covariance[5 * i]!, 12));
  });
});

describe("samples", () => {
  const linear = (theory: string, factors: readonly number[]) =>
    family({
      name: "linear",
      theories: [{ name: theory }],
      network: fullyConnected("identity", [4], [1.3, 0.7]),
      points: 2,
      features: 2,
      temperature: 0.3,
      sampling: { kind: "importance", samples: 400 },
      factors,
      seed: 1,
    });
  const asked = async (theory: string): Promise<SampleChunk[]> => {
    const chunks: SampleChunk[] = [];
    const base = inlineRun({ registry, seed: 1 });
    const run: Run = {
      ...base,
      map(task, inputs) {
        if (task.name === "sampleNetworks") chunks.push(...(inputs as unknown as SampleChunk[]));
        return base.map(task, inputs);
      },
    };
    await runVerification({ suite: "quick", families: [linear(theory, [1, 2])] }, run);
    return chunks;
  };

  it("are drawn at one width for claims that are judged there, at all for those with an order, and of nothing but what is claimed", async () => {
    const exact = await asked("exact");
    expect(exact).toHaveLength(2 * 40);
    expect(new Set(exact.flatMap(({ quantities }) => quantities))).toContain("readoutNorm");
    expect(new Set(exact.flatMap(({ quantities }) => quantities))).not.toContain("predictive.covariance");
    expect(await asked("large-deviation")).toHaveLength(2 * 40);
    expect(new Set((await asked("large-deviation")).flatMap(({ quantities }) => quantities))).toEqual(
      new Set(["predictive.mean", "logEvidence"]),
    );
  });
});

describe("the sampler", () => {
  const claims = async (options: object): Promise<readonly Claim[]> => {
    const scenario = family({
      name: "small",
      theories: [],
      network: fullyConnected("erf", [2], [1.3, 0.7]),
      points: 2,
      features: 2,
      temperature: 0.5,
      sampling: { kind: "importance", samples: 1 },
      seed: 1,
    }).build(1);
    const run = inlineRun({ registry, seed: 2 });
    const posterior = await monteCarlo.fit(scenario.problem, validate(monteCarlo.options, options) as MonteCarloOptions, run);
    const predictive = await monteCarlo.predict(posterior, scenario.testInputs, { covariance: false }, run);
    return [...monteCarlo.claims({ scenario, posterior, predictive }, registry)];
  };

  it("stands behind its averages with their errors, not behind chains that are biased or have not mixed", async () => {
    const found = await claims({ draws: 300, warmup: 200, evidence: true });
    expect(found.map(({ id }) => id)).toEqual([
      "log-evidence",
      "predictive-mean",
      "predictive-variance",
      "train-mean",
      "train-variance",
      "order-parameter",
      "hidden-kernel-1",
    ]);
    for (const { standardError, value } of found) expect(standardError!.data).toHaveLength(value.data.length);
    expect(await claims({ sampler: "langevin", draws: 300, warmup: 200 })).toEqual([]);
    expect(await claims({ draws: 8, warmup: 0 })).toEqual([]);
  });
});
