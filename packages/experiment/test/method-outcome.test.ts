import { createRegistry, matrixFromRows, type Prediction, type Problem } from "@finitewidth/core";
import { classificationScores, decisions } from "@finitewidth/likelihoods";
import { describe, expect, it } from "vitest";
import { classificationOf } from "../src/method-outcome.js";

const column = (...values: number[]) => matrixFromRows(values.map((value) => [value]));
const problem = { targets: column(1, -1, 1), temperature: 0.1, scaling: "standard" } as unknown as Problem;
const prediction = (mean: ReturnType<typeof column>): Prediction => ({ mean, variance: mean });

describe("scores of classes under Gaussian noise", () => {
  it("are the fraction of right signs, with its standard error over the points", () => {
    const mean = column(0.3, -2, 0.1, 0.4, -0.1);
    const found = classificationOf(problem, prediction(mean), column(1, -1, 1, -1, -1), createRegistry([]))!;
    expect(found.accuracy).toBeCloseTo(0.8, 12);
    const whole = classificationScores(decisions(mean), Int32Array.of(1, 0, 1, 0, 0) as never);
    expect(found.standardError.accuracy).toBe(whole.standardError.accuracy);
    const spread = Math.sqrt(0.8 * 0.2);
    // √(p(1 − p)/n), with n or n − 1
    expect(found.standardError.accuracy!).toBeGreaterThan(0.99 * (spread / Math.sqrt(5)));
    expect(found.standardError.accuracy!).toBeLessThan(1.01 * (spread / Math.sqrt(4)));
  });

  it("are there for class labels and points only", () => {
    const registry = createRegistry([]);
    expect(classificationOf(problem, prediction(column(1)), column(0.3), registry)).toBeUndefined();
    expect(classificationOf(problem, prediction(column()), { data: new Float64Array(0), shape: [0, 1] }, registry)).toBeUndefined();
  });
});
