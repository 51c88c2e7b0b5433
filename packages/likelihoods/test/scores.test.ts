import { describe, expect, it } from "vitest";
import { stream } from "@finitewidth/random";
import { zeros } from "@finitewidth/core";
import { expectClose, readFixture } from "../../../tools/testing.js";
import { classificationScores, confusionMatrix, mostConfidentlyWrong, reliability } from "../src/index.js";
import { likelihoodOf, rows, type FixtureFile } from "./fixtures.js";

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
