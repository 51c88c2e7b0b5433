import { matrixFromRows, type Posterior, type Prediction } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { withPruning } from "../src/pruning.js";

const posterior = { figures: [] } as unknown as Posterior;
const targets = matrixFromRows([[1], [-1]]);
const means = [[[0.5], [-1]], [[0], [0]]].map((rows) => matrixFromRows(rows)); // prettier-ignore
const prediction: Prediction = { mean: means[0]!, variance: means[1]!, pruned: { removed: ["2.1"], means } };

describe("pruning", () => {
  it("the error at the test inputs, step by step, as numbers and as a curve over the heads kept", () => {
    const shown = withPruning(posterior, prediction, targets);
    expect(shown.predictive!.diagnostics!["pruning"]).toEqual({ removed: ["2.1"], mean: [[0.5, -1], [0, 0]], testError: [0.125, 1] }); // prettier-ignore
    const [figure] = shown.posterior.figures!;
    expect(figure).toMatchObject({ kind: "lines", series: [{ x: Float64Array.of(1, 0), y: Float64Array.of(0.125, 1) }] });
  });

  it("without targets the means alone; without pruning nothing", () => {
    const unlabelled = withPruning(posterior, prediction, undefined);
    expect(unlabelled.predictive!.diagnostics!["pruning"]).not.toHaveProperty("testError");
    expect(unlabelled.posterior).toBe(posterior);
    const { pruned: _, ...plain } = prediction;
    expect(withPruning(posterior, plain, targets)).toEqual({ posterior, predictive: plain });
  });
});
