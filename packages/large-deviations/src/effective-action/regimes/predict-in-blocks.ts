import { rowRange, type Matrix, type Run } from "@finitewidth/core";
import type { ScalarPrediction } from "../scalar-predict.js";

/** Means and variances at `size` test points at a time, in the order of the points. */
export function predictInBlocks(
  inputs: Matrix,
  size: number,
  predict: (block: Matrix) => Pick<ScalarPrediction, "mean" | "variance">,
  run: Pick<Run, "signal">,
): ScalarPrediction {
  const tests = inputs.shape[0];
  const [mean, variance] = [new Float64Array(tests), new Float64Array(tests)];
  for (let from = 0; from < tests; from += size) {
    run.signal?.throwIfAborted();
    const found = predict(rowRange(inputs, from, Math.min(from + size, tests)));
    mean.set(found.mean, from);
    variance.set(found.variance, from);
  }
  return { mean, variance };
}
