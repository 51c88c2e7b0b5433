import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";

/** Number of index pairs a ≤ b of n points: n(n+1)/2. */
export const pairCount = (n: number): number => (n * (n + 1)) / 2;

/** Place of the pair (a, b) in lexicographic order of a ≤ b. */
export function pairIndex(n: number, a: number, b: number): number {
  const [low, high] = a <= b ? [a, b] : [b, a];
  return low * n - (low * (low - 1)) / 2 + high - low;
}

/** Entries of a symmetric matrix at the pairs a ≤ b, written into `out`. */
export function toPairs(m: Matrix, out: Float64Array = new Float64Array(pairCount(m.shape[0]))): Float64Array {
  const n = m.shape[0];
  let at = 0;
  for (let a = 0; a < n; a++) for (let b = a; b < n; b++) out[at++] = m.data[a * n + b]!;
  return out;
}

/** Symmetric matrix with the given entries at the pairs a ≤ b. */
export function fromPairs(v: ArrayLike<number>, n: number): Matrix {
  const out = zeros(n, n);
  let at = 0;
  for (let a = 0; a < n; a++) {
    for (let b = a; b < n; b++) {
      out.data[a * n + b] = v[at]!;
      out.data[b * n + a] = v[at++]!;
    }
  }
  return out;
}

/** w with Σ_cd M_cd S_cd = w · S_pairs over ordered indices: M_cc on the diagonal, 2 M_cd off it, for symmetric M and S. */
export function pairWeights(m: Matrix): Float64Array {
  const n = m.shape[0];
  const out = new Float64Array(pairCount(n));
  let at = 0;
  for (let a = 0; a < n; a++)
    for (let b = a; b < n; b++) out[at++] = a === b ? m.data[a * n + a]! : m.data[a * n + b]! + m.data[b * n + a]!;
  return out;
}

/** Bytes of one matrix over index pairs, 8·(n(n+1)/2)². */
export const pairBytes = (n: number): number => 8 * pairCount(n) ** 2;

/** Largest matrix over index pairs that is allocated: 1 GiB. */
export const pairMemoryLimit = 2 ** 30;

/**
 * @throws FinitewidthError (code "memory") when `copies` matrices over the index pairs of n points exceed the limit; nothing was allocated.
 */
export function requirePairMemory(n: number, copies: number, remedy: string): void {
  const bytes = copies * pairBytes(n);
  if (bytes <= pairMemoryLimit) return;
  throw new FinitewidthError(
    `the covariance of the kernel of ${n} points needs ${copies} × ${pairBytes(n)} bytes (all index pairs squared), more than ${pairMemoryLimit}; ${remedy}`,
    { code: "memory" },
  );
}
