import { zeros, type Matrix, type Prediction } from "@finitewidth/core";
import { gram, multiply, transpose } from "@finitewidth/linalg";
import { splitBySpan, type SpanSplit } from "@finitewidth/numerics";
import type { SpectralProblem } from "../spectrum/problem.js";
import { batchError, batchMean, batchSums, type MixingDraws } from "./draws.js";
import { matrixLikelihood } from "./likelihood.js";
import { smallMultiply } from "./small.js";

/** Numbers in a block of work arrays. */
const blockSize = 4e6;

/**
 * Predictive law of D outputs at points with projected cross kernel k̂ = VᵀK_x (r × P*) and prior K_xx (P* variances, or P* × P* for the
 * joint covariance), averaged over draws of (Q, B). Given a draw, in the eigenbasis of Q: mean q_a k̂ᵀα_a + β_a, covariance
 * δ_ab[q_a K_xx − q_a² k̂ᵀdiag(1/v_a)k̂] + (1 − s_a)S_ab(1 − s_b)ᵀ, s_a = q_a k̂ᵀ(o/v_a), the bracket as a sum of positive terms by
 * `splitBySpan`. `rotation` R brings the outputs back: f = f_R Rᵀ. Standard errors from the batches of the draws. O(n D r (D + P*)).
 */
export function predictMatrix(
  problem: SpectralProblem,
  draws: MixingDraws,
  rotation: Matrix,
  cross: Matrix,
  prior: Float64Array | Matrix,
  onBlock?: () => void,
): Prediction {
  const likelihood = matrixLikelihood(problem);
  const { outputs: d } = draws;
  const { rank: r } = likelihood;
  const points = cross.shape[1];
  const size = points * d;
  const n = draws.weights.length;
  const biased = draws.bias.length > 0;
  const split = splitBySpan(cross, problem.spectrum.values, prior instanceof Float64Array ? prior : prior.data);
  const stride = prior instanceof Float64Array ? 1 : points + 1;
  const squares: Matrix = { data: split.inside.data.map((value) => value * value), shape: cross.shape };
  // second moments about the first draw's mean: nothing cancels
  let origin: Float64Array | undefined;
  const first = batchSums(draws.batchCount, size);
  const second = batchSums(draws.batchCount, size);
  const joint = prior instanceof Float64Array ? undefined : jointSums(d, r, n, points, biased);
  const perBlock = Math.max(1, Math.floor(blockSize / (d * Math.max(r, points))));
  const turn = new Float64Array(d * d);
  for (let from = 0; from < n; from += perBlock) {
    const count = Math.min(perBlock, n - from);
    const [means, left, free] = [zeros(count * d, r), zeros(count * d, r), zeros(biased ? count * d : 0, r)];
    const turns = new Float64Array(count * d * d);
    const qs = new Float64Array(count * d);
    const biasMeans = new Float64Array(count * d);
    const spreads = new Float64Array(biased ? count * d * d : 0);
    for (let k = 0; k < count; k++) {
      const at = (from + k) * d * d;
      likelihood.evaluate(draws.mixing.subarray(at, at + d * d), biased ? draws.bias.subarray(at, at + d * d) : undefined, false);
      smallMultiply(rotation.data, likelihood.rotation, d, d, d, turn);
      turns.set(turn, k * d * d);
      qs.set(likelihood.q, k * d);
      biasMeans.set(likelihood.biasMean, k * d);
      if (biased) spreads.set(likelihood.s, k * d * d);
      for (let i = 0; i < r; i++) {
        for (let a = 0; a < d; a++) {
          const q = likelihood.q[a]!;
          const inverse = 1 / likelihood.variance[i * d + a]!;
          means.data[(k * d + a) * r + i] = q * likelihood.alpha[i * d + a]!;
          left.data[(k * d + a) * r + i] = q * problem.temperature * inverse;
          if (biased) free.data[(k * d + a) * r + i] = q * problem.ones[i]! * inverse;
        }
      }
    }
    const m = multiply(means, cross).data;
    const e = multiply(left, squares).data;
    const s = biased ? multiply(free, cross).data : new Float64Array(0);
    const drawn = new Float64Array(size);
    const spread = new Float64Array(size);
    for (let k = 0; k < count; k++) {
      const weight = draws.weights[from + k]!;
      const batch = draws.batches[from + k]!;
      const o = turns.subarray(k * d * d, (k + 1) * d * d);
      first.weights[batch]! += weight;
      second.weights[batch]! += weight;
      for (let j = 0; j < points; j++) {
        for (let b = 0; b < d; b++) {
          let mean = 0;
          let variance = 0;
          for (let a = 0; a < d; a++) {
            const row = (k * d + a) * points + j;
            const coefficient = o[b * d + a]!;
            mean += coefficient * (m[row]! + biasMeans[k * d + a]!);
            variance += coefficient * coefficient * (qs[k * d + a]! * Math.max(split.outside[j * stride]!, 0) + e[row]!);
            if (!biased) continue;
            for (let c = 0; c < d; c++)
              variance += coefficient * (1 - s[row]!) * spreads[(k * d + a) * d + c]! * (1 - s[(k * d + c) * points + j]!) * o[b * d + c]!;
          }
          drawn[j * d + b] = mean;
          spread[j * d + b] = Math.max(variance, 0);
        }
      }
      origin ??= drawn.slice();
      for (let i = 0; i < size; i++) {
        const shifted = drawn[i]! - origin[i]!;
        first.sums[batch * size + i]! += weight * shifted;
        second.sums[batch * size + i]! += weight * (shifted * shifted + spread[i]!);
      }
      joint?.means.data.set(drawn, (from + k) * size);
      joint?.add(
        from + k,
        weight,
        o,
        qs.subarray(k * d, (k + 1) * d),
        left.data.subarray(k * d * r, (k + 1) * d * r),
        spreads.subarray(k * d * d, (k + 1) * d * d),
        s.subarray(k * d * points, (k + 1) * d * points),
      );
    }
    onBlock?.();
  }
  const shift = batchMean(first);
  const mean = shift.map((value, i) => value + origin![i]!);
  const square = batchMean(second);
  // first-order change of E[square] − shift² per batch
  const variations = { ...second, sums: second.sums.map((value, i) => value - 2 * shift[i % size]! * first.sums[i]!) };
  const shape = [points, d] as const;
  return {
    mean: { data: mean, shape },
    variance: { data: square.map((value, i) => Math.max(value - shift[i]! ** 2, 0)), shape },
    ...(joint === undefined || prior instanceof Float64Array ? {} : { covariance: joint.finish(draws.weights, mean, split) }),
    ...(draws.batchCount > 1
      ? {
          standardError: {
            mean: { data: batchError(first, shift), shape },
            variance: { data: batchError(variations, batchMean(variations)), shape },
          },
        }
      : {}),
  };
}

/** Sums for the joint covariance: E Q and E[q_a T/v_a] between pairs of outputs, the means and the free parts of the bias of every draw. */
function jointSums(d: number, r: number, n: number, points: number, biased: boolean) {
  const scale = new Float64Array(d * d);
  const left = new Float64Array(d * d * r);
  const means = zeros(n, points * d);
  const shared = zeros(biased ? n * d : 0, points * d);
  const add = (
    draw: number,
    weight: number,
    o: Float64Array,
    q: Float64Array,
    e: Float64Array,
    spread: Float64Array,
    s: Float64Array,
  ): void => {
    for (let b = 0; b < d; b++) {
      for (let c = 0; c < d; c++) {
        for (let a = 0; a < d; a++) {
          const coefficient = weight * o[b * d + a]! * o[c * d + a]!;
          scale[b * d + c]! += coefficient * q[a]!;
          for (let i = 0; i < r; i++) left[(b * d + c) * r + i]! += coefficient * e[a * r + i]!;
        }
      }
    }
    if (!biased) return;
    // S = R Rᵀ: one row √w Σ_a o_ba (1 − s_a) R_ac per column c
    const root = choleskySemidefinite(spread, d);
    for (let c = 0; c < d; c++) {
      for (let j = 0; j < points; j++) {
        for (let b = 0; b < d; b++) {
          let value = 0;
          for (let a = 0; a < d; a++) value += o[b * d + a]! * (1 - s[a * points + j]!) * root[a * d + c]!;
          shared.data[(draw * d + c) * points * d + j * d + b] = Math.sqrt(weight) * value;
        }
      }
    }
  };
  const finish = (weights: Float64Array, mean: Float64Array, { inside, outside }: SpanSplit): Matrix => {
    const size = points * d;
    for (let k = 0; k < n; k++)
      for (let i = 0; i < size; i++) means.data[k * size + i] = Math.sqrt(weights[k]!) * (means.data[k * size + i]! - mean[i]!);
    const out = gram(transpose(means));
    if (biased) {
      const part = gram(transpose(shared));
      for (let i = 0; i < out.data.length; i++) out.data[i]! += part.data[i]!;
    }
    const columns = transpose(inside);
    for (let b = 0; b < d; b++) {
      for (let c = 0; c < d; c++) {
        const weighted: Matrix = { data: columns.data.map((value, i) => value * left[(b * d + c) * r + (i % r)]!), shape: columns.shape };
        const kept = multiply(weighted, inside);
        for (let i = 0; i < points; i++) {
          for (let j = 0; j < points; j++)
            out.data[(i * d + b) * size + j * d + c]! += scale[b * d + c]! * outside[i * points + j]! + kept.data[i * points + j]!;
        }
      }
    }
    return out;
  };
  return { means, add, finish };
}

/** Lower R with R Rᵀ = S for a positive semi-definite S (D × D); zero pivots give zero columns. D³/3 flops. */
export function choleskySemidefinite(s: Float64Array, d: number): Float64Array {
  const out = new Float64Array(d * d);
  for (let j = 0; j < d; j++) {
    for (let i = j; i < d; i++) {
      let value = s[i * d + j]!;
      for (let k = 0; k < j; k++) value -= out[i * d + k]! * out[j * d + k]!;
      if (i === j) out[i * d + i] = Math.sqrt(Math.max(value, 0));
      else out[i * d + j] = out[j * d + j]! > 0 ? value / out[j * d + j]! : 0;
    }
  }
  return out;
}
