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

  it("names of classes that a file has reach the results, in the order of the probabilities, and the report", async () => {
    const toMatrix = (rows: readonly (readonly number[])[]) => ({
      data: Float64Array.from(rows.flat()),
      shape: [rows.length, rows[0]!.length] as const,
    });
    // Two classes far apart: the last point, a dog by its label, lies among the cats.
    const far = toMatrix([[3, 0], [-3, 0], [2.5, 0.1], [-2.5, 0.1], [2.8, -0.2], [-2.8, -0.2]]); // prettier-ignore
    const split = {
      train: { inputs: far, targets: toMatrix(column([1, -1, 1, -1, 1, -1])) },
      test: { inputs: toMatrix([[3, 0.1], [-3, 0.1]]), targets: toMatrix(column([1, 1])) }, // prettier-ignore
      classes: ["cat", "dog"],
    };
    const experiment = {
      data: { file: "animals.csv" },
      network: { type: "fully-connected", widths: [4], activation: "identity" },
      methods: ["nngp"],
    };
    for (const type of ["logistic", "softmax"]) {
      const { plan, steps } = await runExperiment({ ...experiment, likelihood: { type } }, { registry, readFile: async () => split });
      const json = resultToJson(plan, steps);
      expect(json["classes"]).toEqual(["cat", "dog"]);
      const [asDog, asCat] = (json["results"] as Record<string, Result>)["nngp"]!.predictive!.probabilities!;
      expect(asDog![1]).toBeGreaterThan(0.5);
      expect(asCat![0]).toBeGreaterThan(0.5);
      const { problem, outcomes } = steps[0]!.problems[0]!;
      const methods = outcomes.flatMap((outcome) => (outcome.status === "ok" ? [outcome] : []));
      const block = classificationSection.of({ registry, problem: problem.problem, ...steps[0]!.step.data, methods })!;
      expect(block.paragraphs!.join(" ")).toContain("test point 1 of class dog as cat with probability");
    }
    const swept = await runExperiment(
      { ...experiment, likelihood: { type: "logistic" }, sweep: { train: [4, 6] } },
      { registry, readFile: async () => split },
    );
    const json = resultToJson(swept.plan, swept.steps)["sweep"] as readonly { readonly classes?: unknown }[];
    expect(json.map(({ classes }) => classes)).toEqual([split.classes, split.classes]);
    const { test: _test, ...untested } = split;
    const alone = await runExperiment(
      { ...experiment, likelihood: { type: "logistic" } },
      { registry, readFile: async () => ({ ...untested, test: { inputs: { data: new Float64Array(0), shape: [0, 2] as const } } }) },
    );
    expect(resultToJson(alone.plan, alone.steps)["classes"]).toEqual(split.classes);
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
