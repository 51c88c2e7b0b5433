import { describe, expect, it } from "vitest";
import { allFinite, matrixFromRows, requireFinite, type Posterior, type Prediction } from "../src/index.js";

const column = (...values: number[]) => matrixFromRows(values.map((value) => [value]));
const prediction = (mean: ReturnType<typeof column>): Prediction => ({ mean, variance: mean });

describe("a number that is not finite", () => {
  const good = { logEvidence: 1, orderParameter: 2, train: prediction(column(1)), hiddenKernels: [column(1), column(2)] };
  const bad = column(1, Number.NaN);
  it.each<[string, object, Prediction | undefined]>([
    ["logEvidence", { logEvidence: Infinity }, undefined],
    ["train.mean", { train: { mean: bad, variance: column(1) } }, undefined],
    ["train.variance", { train: { mean: column(1), variance: bad } }, undefined],
    ["predictive.mean", {}, { mean: bad, variance: column(1) }],
    ["predictive.variance", {}, { mean: column(1), variance: bad }],
    ["predictive.variance", {}, { mean: column(1), variance: column(Infinity, 1) }],
    ["predictive.mean", {}, { mean: column(1, -Infinity), variance: column(1) }],
    ["predictive.probabilities", {}, { mean: column(1), variance: column(1), probabilities: bad }],
    ["orderParameter", { orderParameter: Number.NaN }, undefined],
    ["orderParameter", { orderParameter: bad }, undefined],
    ["hiddenKernels[1]", { hiddenKernels: [column(1), bad] }, undefined],
    ["predictive.covariance", {}, { mean: column(1), variance: column(1), covariance: bad }],
  ])("is found in %s", (where, change, predictive) => {
    expect(() => requireFinite("nngp", { ...good, ...change } as unknown as Posterior, predictive)).toThrow(
      `[nngp] ${where} came out as a number that is not finite; the result is withheld`,
    );
  });
  it("is not found where there is none", () => requireFinite("nngp", good as unknown as Posterior, prediction(column(1))));
});

it("one number that is not finite is found at any place of any length", () => {
  for (let length = 0; length < 10; length++) {
    expect(allFinite(new Float64Array(length).fill(Number.MAX_VALUE))).toBe(true);
    for (let at = 0; at < length; at++)
      for (const value of [Number.NaN, Infinity, -Infinity]) {
        const data = new Float64Array(length).fill(-1);
        data[at] = value;
        expect(allFinite(data)).toBe(false);
      }
  }
});
