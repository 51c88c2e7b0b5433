import { normalQuantile } from "../special/normal.js";

/** Chains of equal length laid end to end. */
export function pool(chains: readonly Float64Array[]): Float64Array {
  const length = chains[0]?.length ?? 0;
  const out = new Float64Array(length * chains.length);
  chains.forEach((chain, c) => out.set(chain, c * length));
  return out;
}

/** Inverse of `pool`. */
function unpool(values: Float64Array, chains: number): Float64Array[] {
  const length = values.length / chains;
  return Array.from({ length: chains }, (_, c) => values.subarray(c * length, (c + 1) * length));
}

/** Every value replaced by Φ⁻¹((r − 3/8)/(S + 1/4)), r its rank among all S values of all chains, ties sharing their mean rank. */
export function normalScores(chains: readonly Float64Array[]): Float64Array[] {
  const values = pool(chains);
  const size = values.length;
  const order = Uint32Array.from({ length: size }, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const out = new Float64Array(size);
  for (let start = 0; start < size;) {
    let end = start + 1;
    while (end < size && values[order[end]!] === values[order[start]!]) end++;
    const score = normalQuantile((0.5 * (start + 1 + end) - 0.375) / (size + 0.25));
    for (let i = start; i < end; i++) out[order[i]!] = score;
    start = end;
  }
  return unpool(out, chains.length);
}

/** Quantile of sorted values by linear interpolation between order statistics (type 7 of R, the default of NumPy). */
export function sortedQuantile(sorted: Float64Array, probability: number): number {
  const at = probability * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (at - below) * (sorted[above]! - sorted[below]!);
}
