import { zeros, type Matrix, type Prediction } from "@finitewidth/core";

/**
 * Averages over batches of draws of two vectors, the conditional mean m and the conditional second moment s of f, with their scatter
 * between batches: enough for E f, Var f and the standard errors of both. Plain data; merging in a fixed order gives the same numbers
 * everywhere.
 */
export interface BatchMeans {
  readonly batches: number;
  readonly mean: Float64Array;
  readonly second: Float64Array;
  readonly scatterMean: Float64Array;
  readonly scatterSecond: Float64Array;
  readonly scatterBoth: Float64Array;
}

/** One batch: averages of m and s over its draws. */
export function singleBatch(mean: Float64Array, second: Float64Array): BatchMeans {
  const n = mean.length;
  return {
    batches: 1,
    mean,
    second,
    scatterMean: new Float64Array(n),
    scatterSecond: new Float64Array(n),
    scatterBoth: new Float64Array(n),
  };
}

/** Both sets of batches together (pairwise update of means and scatters). */
export function mergeBatches(a: BatchMeans, b: BatchMeans): BatchMeans {
  const batches = a.batches + b.batches;
  const share = b.batches / batches;
  const weight = a.batches * share;
  const n = a.mean.length;
  const out = {
    batches,
    mean: new Float64Array(n),
    second: new Float64Array(n),
    scatterMean: new Float64Array(n),
    scatterSecond: new Float64Array(n),
    scatterBoth: new Float64Array(n),
  };
  for (let i = 0; i < n; i++) {
    const dm = b.mean[i]! - a.mean[i]!;
    const ds = b.second[i]! - a.second[i]!;
    out.mean[i] = a.mean[i]! + share * dm;
    out.second[i] = a.second[i]! + share * ds;
    out.scatterMean[i] = a.scatterMean[i]! + b.scatterMean[i]! + weight * dm * dm;
    out.scatterSecond[i] = a.scatterSecond[i]! + b.scatterSecond[i]! + weight * ds * ds;
    out.scatterBoth[i] = a.scatterBoth[i]! + b.scatterBoth[i]! + weight * dm * ds;
  }
  return out;
}

/** Mean, variance s̄ − m̄² and their standard errors (delta method over batches): P × D each. */
export function predictionOf(sums: BatchMeans, outputs: number): Prediction {
  const rows = sums.mean.length / outputs;
  const [variance, meanError, varianceError] = [zeros(rows, outputs), zeros(rows, outputs), zeros(rows, outputs)];
  const perBatch = 1 / (sums.batches * Math.max(1, sums.batches - 1));
  for (let i = 0; i < sums.mean.length; i++) {
    const m = sums.mean[i]!;
    variance.data[i] = Math.max(0, sums.second[i]! - m * m);
    meanError.data[i] = Math.sqrt(sums.scatterMean[i]! * perBatch);
    varianceError.data[i] = Math.sqrt(
      Math.max(0, sums.scatterSecond[i]! - 4 * m * sums.scatterBoth[i]! + 4 * m * m * sums.scatterMean[i]!) * perBatch,
    );
  }
  const mean: Matrix = { data: sums.mean, shape: [rows, outputs] };
  return { mean, variance, standardError: { mean: meanError, variance: varianceError } };
}

/** Batches to cut `draws` successive draws into: few enough that a batch is much longer than the correlations of a chain that mixes. */
export const batchCount = (draws: number): number => Math.max(2, Math.min(20, Math.floor(draws / 10)));

/** Batch of draw i of n. */
export const batchOf = (i: number, draws: number, batches: number): number => Math.floor((i * batches) / draws);
