import { describe, expect, it } from "vitest";
import { warningsOf } from "../src/fit.js";

describe("warnings", () => {
  const of = (
    probabilities: readonly [number, number, number],
    odds: { readonly fromNone: number; readonly fromOne?: number; readonly fromEvidence?: number },
  ) => warningsOf({ method: "sampling", oneMeasure: false, probabilities, odds }, 0, false);
  const fluctuates = expect.stringContaining("fluctuates");
  it("neither branch counts as a small minority on one noisy estimate of its odds alone", () => {
    // digits 5/8, five seeds: the variance is 5–6 % low in all, and the odds in use leave 2–14 % to no aligned unit
    expect(of([0.143, 0.846, 0.011], { fromNone: 3.24, fromOne: 26.5, fromEvidence: 5.92 })).toEqual([fluctuates]);
    expect(of([0.025, 0.957, 0.017], { fromNone: 3.46, fromOne: 53.5, fromEvidence: 37.7 })).toEqual([fluctuates]);
    expect(of([0.047, 0.912, 0.04], { fromNone: 2.48, fromOne: 41.3, fromEvidence: 19.3 })).toEqual([fluctuates]);
  });
  it("an aligned unit pressed against the wall is told of", () => {
    const solved = { method: "sampling", oneMeasure: false, probabilities: [0.01, 0.98, 0.01], odds: { fromNone: 3 } } as const;
    expect(warningsOf({ ...solved, pressed: true }, 0, false)).toEqual([expect.stringContaining("presses against the border")]);
  });
  it("nothing is said where all estimates agree, or where a branch is as good as absent", () => {
    expect(of([0.05, 0.95, 0], { fromNone: 15, fromOne: 25, fromEvidence: 19 })).toEqual([]);
    expect(of([0.95, 0.05, 0], { fromNone: 1 / 15, fromOne: 1 / 25, fromEvidence: 1 / 19 })).toEqual([]);
    expect(of([0, 0.977, 0.023], { fromNone: 5.87, fromOne: Infinity })).toEqual([]);
    expect(of([1, 0, 0], { fromNone: 1e-4 })).toEqual([]);
  });
});
