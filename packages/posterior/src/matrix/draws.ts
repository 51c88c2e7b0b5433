import type { Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import type { PosteriorSample } from "../sampling/target.js";
import { biasAt, factorsAt, mixingAt } from "./chain-factors.js";
import type { MatrixTarget } from "./target.js";

/** Weighted draws of the mixing matrix Q (and of B, with biases beyond layer 1): what predictions need. Plain data. */
export interface MixingDraws {
  readonly outputs: number;
  /** n × D × D. */
  readonly mixing: Float64Array;
  /** n × D × D, or empty. */
  readonly bias: Float64Array;
  readonly weights: Float64Array;
  readonly batches: Int32Array;
  readonly batchCount: number;
}

/** Turns points of coordinate space into mixing matrices. O(n L D³). */
export function mixingDraws(
  target: MatrixTarget,
  sample: Pick<PosteriorSample, "points" | "weights" | "batches" | "batchCount">,
): MixingDraws {
  const { chain, layout } = target;
  const d = layout.outputs;
  const n = sample.points.length;
  const mixing = new Float64Array(n * d * d);
  const biased = chain.readoutBias > 0 || chain.hiddenBias.some((b) => b > 0);
  const bias = new Float64Array(biased ? n * d * d : 0);
  for (let k = 0; k < n; k++) {
    const factors = factorsAt(layout, sample.points[k]!);
    mixingAt(factors, 0, d, mixing.subarray(k * d * d, (k + 1) * d * d));
    const b = biasAt(chain, factors, d);
    if (b !== undefined) bias.set(b, k * d * d);
  }
  return { outputs: d, mixing, bias, weights: sample.weights, batches: sample.batches, batchCount: sample.batchCount };
}

/**
 * At most about `limit` draws in place of many: systematic resampling in the order of the batches, so that every batch keeps its share.
 * Returns the sample unchanged when it is small enough; draws of negligible weight are dropped first. O(n log n).
 */
export function thinSample(sample: PosteriorSample, limit: number): PosteriorSample {
  const relevant = Array.from(sample.points.keys()).filter((k) => sample.weights[k]! > 1e-12 / sample.points.length);
  const pick = (indices: readonly number[], weight: (k: number) => number): PosteriorSample => ({
    ...sample,
    points: indices.map((k) => sample.points[k]!),
    weights: Float64Array.from(indices, weight),
    batches: Int32Array.from(indices, (k) => sample.batches[k]!),
  });
  if (relevant.length <= limit) {
    const total = relevant.reduce((sum, k) => sum + sample.weights[k]!, 0);
    return pick(relevant, (k) => sample.weights[k]! / total);
  }
  const order = relevant.toSorted((a, b) => sample.batches[a]! - sample.batches[b]! || a - b);
  const total = order.reduce((sum, k) => sum + sample.weights[k]!, 0);
  const chosen: number[] = [];
  let cumulative = 0;
  for (const k of order) {
    cumulative += sample.weights[k]! / total;
    while (chosen.length < limit && cumulative > (chosen.length + 0.5) / limit) chosen.push(k);
  }
  return pick(chosen, () => 1 / chosen.length);
}

/**
 * Mean of per-batch averages and its standard error: Σ_b W_b (m_b − m)² over batches of weight W_b, the delta method for a ratio of sums.
 */
export interface BatchSums {
  /** Σ of weights in each batch. */
  readonly weights: Float64Array;
  /** Weighted sums of the quantity in each batch: batches × size. */
  readonly sums: Float64Array;
  readonly size: number;
}

/** Empty sums. */
export const batchSums = (batchCount: number, size: number): BatchSums => ({
  weights: new Float64Array(batchCount),
  sums: new Float64Array(batchCount * size),
  size,
});

/** Mean over all batches. */
export function batchMean({ weights, sums, size }: BatchSums): Float64Array {
  const total = weights.reduce((sum, w) => sum + w, 0);
  const mean = new Float64Array(size);
  for (let b = 0; b < weights.length; b++) for (let i = 0; i < size; i++) mean[i]! += sums[b * size + i]! / total;
  return mean;
}

/** Standard error of the mean from the spread of the batches; 0 when there is a single one (exact quadrature). */
export function batchError(batches: BatchSums, mean: Float64Array): Float64Array {
  const { weights, sums, size } = batches;
  const used = weights.reduce((count, w) => count + (w > 0 ? 1 : 0), 0);
  const out = new Float64Array(size);
  if (used < 2) return out;
  const total = weights.reduce((sum, w) => sum + w, 0);
  for (let b = 0; b < weights.length; b++) {
    for (let i = 0; i < size; i++) out[i]! += ((sums[b * size + i]! - weights[b]! * mean[i]!) / total) ** 2;
  }
  const correction = used / (used - 1);
  return out.map((value) => Math.sqrt(correction * value));
}

/**
 * E Q (D × D) in the basis of the outputs, with its standard error. `rotation`: R with Y R the targets of the draws. O(n D² + batches D³)
 * for n draws.
 */
export function meanMixing(draws: MixingDraws, rotation: Matrix): { readonly mean: Matrix; readonly standardError: Matrix } {
  const d = draws.outputs;
  const sums = batchSums(draws.batchCount, d * d);
  for (const [k, weight] of draws.weights.entries()) {
    const batch = draws.batches[k]!;
    sums.weights[batch]! += weight;
    for (let i = 0; i < d * d; i++) sums.sums[batch * d * d + i]! += weight * draws.mixing[k * d * d + i]!;
  }
  for (let batch = 0; batch < draws.batchCount; batch++) {
    const own = sums.sums.subarray(batch * d * d, (batch + 1) * d * d);
    own.set(multiplyTransposedRight(multiply(rotation, { data: own, shape: [d, d] }), rotation).data);
  }
  const mean = batchMean(sums);
  return { mean: { data: mean, shape: [d, d] }, standardError: { data: batchError(sums, mean), shape: [d, d] } };
}
