import { plugin as activations } from "@finitewidth/activations";
import { createRegistry } from "@finitewidth/core";
import { classificationSection, plugin as likelihoods } from "@finitewidth/likelihoods";
import { plugin as posterior } from "@finitewidth/posterior";
import { plugin as priorFc } from "@finitewidth/prior-fc";
import { describe, expect, it } from "vitest";
import { resultToJson, runExperiment } from "../src/index.js";

const registry = createRegistry([activations, likelihoods, priorFc, posterior]);
const inputs = [[1, 0.2], [-0.7, 0.4], [0.3, -1], [-0.2, 0.9], [0.8, 0.8], [-1, -0.6]]; // prettier-ignore
const testInputs = [[0.9, 0.1], [-0.8, 0.2], [0.1, -0.7]]; // prettier-ignore
const column = (values: readonly number[]): number[][] => values.map((value) => [value]);

interface Result {
  readonly status: string;
  readonly error?: string;
  readonly logEvidence?: number;
  readonly predictive?: { readonly mean: number[][]; readonly probabilities?: number[][] };
  readonly classification?: Record<string, number>;
  readonly generalizationError?: unknown;
  readonly standardError?: { readonly classification?: Record<string, number> };
}
async function solve(
  likelihood: Record<string, unknown>,
  train: readonly (readonly number[])[],
  test: readonly (readonly number[])[],
  more: Record<string, unknown> = {},
): Promise<Record<string, Result>> {
  const experiment = {
    data: { train: { inputs, targets: train }, test: { inputs: testInputs, targets: test } },
    network: { type: "fully-connected", widths: [4], activation: "identity" },
    likelihood,
    methods: ["nngp", "exact"],
    ...more,
  };
  const { plan, steps } = await runExperiment(experiment, { registry });
  return resultToJson(plan, steps)["results"] as Record<string, Result>;
}

describe("classes in experiments", () => {
  it("integers, signs and one-hot rows are the same labels, for logistic and for softmax of two classes", async () => {
    const labels = [7, 3, 7, 3, 7, 3];
    const forms = {
      integers: [column(labels), column([7, 3, 7])],
      signs: [column(labels.map((y) => (y === 7 ? 1 : -1))), column([1, -1, 1])],
      oneHot: [labels.map((y) => (y === 7 ? [0, 1] : [1, 0])), [[0, 1], [1, 0], [0, 1]]], // prettier-ignore
    } as const;
    const found = await Promise.all(Object.values(forms).map(([train, test]) => solve({ type: "logistic" }, train, test)));
    for (const result of found) expect(result["exact"]!.logEvidence).toBe(found[0]!["exact"]!.logEvidence);
    const { classification, predictive, generalizationError, standardError } = found[0]!["nngp"]!;
    expect(Object.keys(classification!)).toEqual(["accuracy", "negativeLogLikelihood", "brier", "calibrationError"]);
    expect(Object.keys(standardError!.classification!)).toEqual(Object.keys(classification!));
    expect(generalizationError).toBeUndefined();
    for (const row of predictive!.probabilities!) expect(row[0]! + row[1]!).toBeCloseTo(1, 12);
    expect(found[0]!["nngp"]!.logEvidence).toBeLessThan(0);
    const softmax = await solve({ type: "softmax" }, forms.integers[0], forms.integers[1]);
    expect(softmax["nngp"]!.predictive!.mean[0]).toHaveLength(2);
  });

  it("three classes by softmax", async () => {
    const result = await solve({ type: "softmax", scale: 0.5 }, column([0, 1, 2, 0, 1, 2]), column([0, 1, 2]), { methods: ["nngp"] });
    expect(result["nngp"]!.predictive!.probabilities![0]).toHaveLength(3);
  });

  it("labels that cannot be fitted are refused by name", async () => {
    const labels = column([7, 3, 7, 3, 7, 3]);
    await expect(solve({ type: "logistic" }, labels, column([7, 4, 3]))).rejects.toThrow(
      /data.test.targets\[1\]: expected one of the classes 3, 7/,
    );
    await expect(solve({ type: "logistic" }, column([1, 1, 1, 1, 1, 1]), column([1, 1, 1]))).rejects.toThrow(
      /class of the target -1 has no training point; add some/,
    );
    await expect(solve({ type: "logistic" }, column([0, 1, 2, 0, 1, 2]), column([0, 1, 2]))).rejects.toThrow(
      /one for 3 classes, such as "softmax"/,
    );
    await expect(solve({ type: "softmax" }, column([5, 5, 5, 5, 5, 5]), column([5, 5, 5]))).rejects.toThrow(/at least two classes/);
    await expect(solve({ type: "cauchy" }, labels, labels.slice(3))).rejects.toThrow(
      /likelihood.type: expected one of "gaussian", "logistic"/,
    );
    await expect(solve({ type: "logistic", temperature: 1 }, labels, labels.slice(3))).rejects.toThrow(
      /likelihood.temperature: unknown key/,
    );
  });

  it("squared loss on class labels has an accuracy, and its generalisation error", async () => {
    const result = await solve({ temperature: 0.1 }, column([1, -1, 1, -1, 1, -1]), column([1, -1, 1]));
    expect(Object.keys(result["exact"]!.classification!)).toEqual(["accuracy"]);
    expect(result["exact"]!.generalizationError).toBeDefined();
    const numbers = await solve({ temperature: 0.1 }, column([0.3, -1, 2, 0, 1, -1]), column([1, -1, 1]));
    expect(numbers["exact"]!.classification).toBeUndefined();
  });

  it("the report section has a row for every method, and nothing without classes", async () => {
    const experiment = {
      data: { train: { inputs, targets: column([0, 1, 0, 1, 0, 1]) }, test: { inputs: testInputs, targets: column([0, 1, 0]) } },
      network: { type: "fully-connected", widths: [4], activation: "identity" },
      likelihood: { type: "probit" },
      methods: ["nngp", { method: "nngp", label: "sampled", inference: "sampling" }],
    };
    const { plan, steps } = await runExperiment(experiment, { registry });
    const { problem, outcomes } = steps[0]!.problems[0]!;
    const methods = outcomes.flatMap((outcome) => (outcome.status === "ok" ? [{ ...outcome }] : []));
    const { test } = plan.data;
    const context = { registry, problem: problem.problem, ...(test ? { test } : {}), methods };
    const block = classificationSection.of(context)!;
    expect(block.table!.rows.map(([label]) => label)).toEqual(["nngp", "sampled"]);
    expect(block.table!.header.at(-1)).toBe("mean |Δp| to sampled");
    expect(Number(block.table!.rows[0]!.at(-1))).toBeLessThan(0.02);
    const { likelihood: _likelihood, ...gaussian } = problem.problem;
    expect(classificationSection.of({ ...context, problem: gaussian })).toBeUndefined();
  });
});
