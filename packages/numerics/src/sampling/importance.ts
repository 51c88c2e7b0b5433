import type { RandomStream } from "@finitewidth/core";

/** log Σ exp(v) without overflow; −∞ for an empty list or all −∞. */
export function logSumExp(values: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, values[i]!);
  if (!Number.isFinite(largest)) return largest;
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += Math.exp(values[i]! - largest);
  return largest + Math.log(sum);
}

/** log of the mean of exp(v), with the standard error of that logarithm (delta method, independent draws). */
export function logMeanExp(values: Float64Array): { readonly value: number; readonly standardError: number } {
  const n = values.length;
  const value = logSumExp(values) - Math.log(n);
  if (!Number.isFinite(value) || n < 2) return { value, standardError: Infinity };
  let scatter = 0;
  for (const v of values) scatter += Math.expm1(v - value) ** 2;
  return { value, standardError: Math.sqrt(scatter / (n - 1) / n) };
}

/** Indices of `count` draws by systematic resampling: index i appears ⌊count·w_i⌋ or ⌈count·w_i⌉ times. `weights` sum to 1. */
export function systematicResample(weights: Float64Array, count: number, random: RandomStream): Int32Array {
  const out = new Int32Array(count);
  const offset = random.uniform();
  let [i, cumulative] = [0, weights[0]!];
  for (let n = 0; n < count; n++) {
    const position = (n + offset) / count;
    while (cumulative < position && i < weights.length - 1) cumulative += weights[++i]!;
    out[n] = i;
  }
  return out;
}
