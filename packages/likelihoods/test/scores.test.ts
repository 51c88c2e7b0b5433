import { describe, expect, it } from "vitest";
import { stream } from "@finitewidth/random";
import { createRegistry, zeros, type Matrix } from "@finitewidth/core";
import { expectClose, readFixture } from "../../../tools/testing.js";
import { classificationScores, classificationSection, confusionMatrix, mostConfidentlyWrong, plugin, reliability } from "../src/index.js";
import { labelsOf, likelihoodOf, rows, type FixtureFile } from "./fixtures.js";

interface Inputs {
  readonly probabilities: number[][];
  readonly Y: number[][];
  readonly bins: number;
}

describe("scores", () => {
  const { cases, tolerance } =
    readFixture<FixtureFile<Inputs, Record<"accuracy" | "nll" | "brier" | "ece", number>>>("classification/metrics");
  it.each(cases.map((entry, i) => [i, entry] as const))("fixture case %i", (_i, { inputs, expected }) => {
    const labels = likelihoodOf("softmax").labels!(rows(inputs.Y));
    const scores = classificationScores(rows(inputs.probabilities), labels, inputs.bins);
    expectClose(scores.accuracy, expected.accuracy, tolerance, "accuracy");
    expectClose(scores.negativeLogLikelihood, expected.nll, tolerance, "NLL");
    expectClose(scores.brier, expected.brier, tolerance, "Brier");
    expectClose(scores.calibrationError, expected.ece, tolerance, "ECE");
    const confusion = confusionMatrix(rows(inputs.probabilities), labels);
    const right = inputs.Y[0]!.reduce((sum, _, c) => sum + confusion.data[c * confusion.shape[1] + c]!, 0);
    expect(right / labels.length).toBeCloseTo(expected.accuracy, 12);
    expect(reliability(rows(inputs.probabilities), labels, inputs.bins).reduce((sum, bin) => sum + bin.count, 0)).toBe(labels.length);
  });

  it("labels drawn from the probabilities: calibration error and NLL within their standard errors", () => {
    const random = stream(5, 0);
    const n = 20_000;
    const p = zeros(n, 2);
    const labels = new Int32Array(n);
    let entropy = 0;
    for (let i = 0; i < n; i++) {
      const q = random.uniform();
      p.data.set([1 - q, q], 2 * i);
      labels[i] = random.uniform() < q ? 1 : 0;
      entropy -= (q * Math.log(q) + (1 - q) * Math.log(1 - q)) / n;
    }
    const { negativeLogLikelihood, calibrationError, standardError } = classificationScores(p, labels);
    expect(Math.abs(negativeLogLikelihood - entropy) / standardError.negativeLogLikelihood).toBeLessThan(3.5);
    // a sum of five half-normal deviations
    expect(calibrationError).toBeLessThan(4 * standardError.calibrationError);
    const confident = rows(Array.from({ length: n }, (_, i) => (p.data[2 * i + 1]! > 0.5 ? [0.02, 0.98] : [0.98, 0.02])));
    expect(classificationScores(confident, labels).calibrationError).toBeGreaterThan(0.2);
  });

  it("the most confidently wrong come first; probabilities and labels are checked", () => {
    const p = rows([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]]); // prettier-ignore
    expect(mostConfidentlyWrong(p, Int32Array.of(1, 1, 0))).toEqual([
      { point: 0, label: 1, predicted: 0, probability: 0.9 },
      { point: 2, label: 0, predicted: 1, probability: 0.6 },
    ]);
    expect(() => classificationScores(rows([[0.5, 0.6]]), Int32Array.of(0))).toThrow("probabilities[0]: expected numbers that sum to 1");
    expect(() => classificationScores(p, Int32Array.of(0, 1))).toThrow("labels");
    expect(() => classificationScores(p, Int32Array.of(0, 1, 2))).toThrow("labels[2]: expected a class from 0 to 1, got 2");
  });
});

describe("scores of three classes", () => {
  const p = rows([[0.7, 0.2, 0.1], [0.1, 0.15, 0.75], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [0.05, 0.9, 0.05]]); // prettier-ignore
  const labels = Int32Array.of(0, 1, 2, 0, 1);
  const deviation = (values: readonly number[]): number => {
    const mean = values.reduce((sum, value) => sum + value / 5, 0);
    return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 4 / 5);
  };

  it("have standard errors over points; of equal classes the first wins; rows of the confusion are the truth", () => {
    const negative = [0.7, 0.15, 0.3, 0.4, 0.9].map((value) => -Math.log(value));
    const brier = [0.14, 0.01 + 0.85 ** 2 + 0.75 ** 2, 0.04 + 0.25 + 0.49, 0.36 + 0.16 + 0.04, 0.0025 + 0.01 + 0.0025];
    const correct = [1, 0, 0, 1, 1];
    const scores = classificationScores(p, labels, 4);
    expectClose(
      [scores.accuracy, scores.negativeLogLikelihood, scores.brier],
      [0.6, negative.reduce((a, b) => a + b) / 5, brier.reduce((a, b) => a + b) / 5],
      { relative: 1e-12 },
    );
    const { standardError } = scores;
    expectClose(
      [standardError.accuracy, standardError.negativeLogLikelihood, standardError.brier],
      [correct, negative, brier].map(deviation),
      { relative: 1e-12 },
    );
    // quarters: 0.4 and 0.5 in the second, 0.7 and 0.75 in the third, 0.9 in the last
    expectClose(scores.calibrationError, (2 / 5) * Math.abs(0.5 - 0.45) + (2 / 5) * Math.abs(0.5 - 0.725) + (1 / 5) * Math.abs(1 - 0.9), {
      relative: 1e-12,
    });
    const binomial = (right: number, count: number) => Math.sqrt((((right + 1) / (count + 2)) * (1 - (right + 1) / (count + 2))) / count);
    expectClose(standardError.calibrationError, Math.hypot((2 / 5) * binomial(1, 2), (2 / 5) * binomial(1, 2), (1 / 5) * binomial(1, 1)), {
      relative: 1e-12,
    });
    const bins = reliability(p, labels, 4);
    expect(bins.map(({ from, to, count }) => [from, to, count])).toEqual([[0, 0.25, 0], [0.25, 0.5, 2], [0.5, 0.75, 2], [0.75, 1, 1]]); // prettier-ignore
    expectClose(
      bins.map(({ confidence }) => confidence),
      [0, 0.45, 0.725, 0.9],
      { relative: 1e-12 },
    );
    expect(bins.map(({ accuracy }) => accuracy)).toEqual([0, 0.5, 0.5, 1]);
    expectClose(
      bins.map((bin) => bin.standardError),
      [0.5, binomial(1, 2), binomial(1, 2), binomial(1, 1)],
      { relative: 1e-12 },
    );
    expect([...confusionMatrix(p, labels).data]).toEqual([2, 0, 0, 0, 1, 1, 0, 1, 0]);
    const second = rows([[0.1, 0.8, 0.1], [0.2, 0.7, 0.1], [0.9, 0.1, 0]]); // prettier-ignore
    expect([...confusionMatrix(second, Int32Array.of(0, 0, 2)).data]).toEqual([0, 2, 0, 0, 0, 0, 1, 0, 0]);
    expect(mostConfidentlyWrong(p, labels)).toEqual([
      { point: 1, label: 1, predicted: 2, probability: 0.75 },
      { point: 2, label: 2, predicted: 1, probability: 0.5 },
    ]);
    expect(mostConfidentlyWrong(p, labels, 1)).toHaveLength(1);
    // ten bins where nothing else is said; an impossible label costs as much as 1e-300
    expect(reliability(p, labels)).toHaveLength(10);
    expectClose(classificationScores(rows([[1, 0]]), Int32Array.of(1)).negativeLogLikelihood, 300 * Math.LN10, { relative: 1e-12 });
    expect(classificationScores(rows([[1, 0]]), Int32Array.of(1)).standardError.accuracy).toBe(0);
  });
});

describe("section of a report", () => {
  const registry = createRegistry([plugin]);
  const labels = labelsOf([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]); // prettier-ignore
  const p = rows([[0.7, 0.2, 0.1], [0.1, 0.15, 0.75], [0.2, 0.5, 0.3], [0.25, 0.5, 0.25]]); // prettier-ignore
  const other = rows([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]]); // prettier-ignore
  const method = (label: string, probabilities?: Matrix, sampled = false) => ({
    label,
    predictive: { mean: p, variance: p, ...(probabilities ? { probabilities } : {}), ...(sampled ? { standardError: { mean: p, variance: p, probabilities: p } } : {}) }, // prettier-ignore
  });
  const of = (methods: readonly object[], change: object = {}) =>
    classificationSection.of({ registry, problem: { likelihood: { type: "softmax" } }, test: { inputs: p, targets: labels }, methods, ...change } as never); // prettier-ignore

  it("has a row of scores for every method, distances to the sampled one, reliability and confusion", () => {
    const block = of([method("first", p), method("regression"), method("sampled", other, true)], { classes: ["a", "b", "c"] })!;
    const scores = [p, other].map((each) => classificationScores(each, Int32Array.of(0, 1, 2, 1)));
    const text = (score: (typeof scores)[number]) =>
      (["accuracy", "negativeLogLikelihood", "brier", "calibrationError"] as const).map((key) => `${score[key].toFixed(4)} ± ${score.standardError[key].toFixed(4)}`); // prettier-ignore
    const apart = p.data.reduce((sum, value, i) => sum + Math.abs(value - other.data[i]!) / 12, 0);
    expect(block.table).toEqual({
      header: ["method", "accuracy", "negative log likelihood", "Brier score", "calibration error", "mean |Δp| to sampled"],
      rows: [["first", ...text(scores[0]!), apart.toFixed(4)], ["sampled", ...text(scores[1]!), "–"]], // prettier-ignore
    });
    expect(block.paragraphs![1]).toBe(
      "Most confidently wrong (first): test point 1 of class b as c with probability 0.750; test point 2 of class c as b with probability 0.500.",
    );
    const [{ figure: lines }, { figure: maps }] = block.figures as unknown as { figure: { series: Record<string, unknown>[]; panels: { label: string; values: Matrix; names: string[] }[] } }[] as [never, never] as [{ figure: { series: Record<string, unknown>[] } }, { figure: { panels: { label: string; values: Matrix; names: string[] }[] } }]; // prettier-ignore
    expect(lines.series.map(({ label, points, dashed }) => [label, points, dashed])).toEqual([["calibrated", undefined, true], ["first", true, undefined], ["sampled", true, undefined]]); // prettier-ignore
    const bins = reliability(p, Int32Array.of(0, 1, 2, 1)).filter(({ count }) => count > 0);
    expect(lines.series[1]).toMatchObject({ x: Float64Array.from(bins, (bin) => bin.confidence), y: Float64Array.from(bins, (bin) => bin.accuracy), error: Float64Array.from(bins, (bin) => bin.standardError) }); // prettier-ignore
    expect(maps.panels.map(({ label, names }) => [label, names])).toEqual([["first", ["a", "b", "c"]], ["sampled", ["a", "b", "c"]]]); // prettier-ignore
    expect([...maps.panels[0]!.values.data]).toEqual([1, 0, 0, 0, 1, 1, 0, 1, 0]);
  });

  it("is left out without labels, classes or probabilities; classes have numbers where they have no names", () => {
    expect(of([method("first")])).toBeUndefined();
    expect(of([method("first", p)], { test: { inputs: p } })).toBeUndefined();
    expect(of([method("first", p)], { problem: { likelihood: { type: "poisson" } } })).toBeUndefined();
    const { table, paragraphs } = of([method("first", p)])!;
    expect(table!.header).toHaveLength(5);
    expect(table!.rows[0]).toHaveLength(5);
    expect(paragraphs![1]).toContain("test point 1 of class 1 as 2");
    expect(of([method("first", rows([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]]))])!.paragraphs).toHaveLength(1); // prettier-ignore
  });
});
