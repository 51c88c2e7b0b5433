import { zeros, type Activation, type Matrix } from "@finitewidth/core";
import { block, multiply, multiplyTransposedRight, symmetricEigen } from "@finitewidth/linalg";
import { normalQuantile, sobolPoints } from "@finitewidth/numerics";
import { stream } from "@finitewidth/random";

/** Eigenvalues below this fraction of the largest are rounding. */
const rankTolerance = 1e-13;

/** Factor U√λ of a positive semidefinite matrix, eigenvalues in falling order so that the leading coordinates matter most; and U/√λ. */
function spectralFactor(a: Matrix): { readonly factor: Matrix; readonly dual: Matrix } {
  const n = a.shape[0];
  const { values, vectors } = symmetricEigen(a);
  const kept = Array.from({ length: n }, (_, i) => n - 1 - i).filter((i) => values[i]! > rankTolerance * values[n - 1]!);
  // nothing varies: one direction without an extent, for points have a dimension at least
  if (kept.length === 0) return { factor: zeros(n, 1), dual: zeros(n, 1) };
  const [factor, dual] = [zeros(n, kept.length), zeros(n, kept.length)];
  for (const [c, at] of kept.entries()) {
    const root = Math.sqrt(values[at]!);
    for (let i = 0; i < n; i++) {
      const v = vectors.data[i * n + at]!;
      factor.data[i * kept.length + c] = v * root;
      dual.data[i * kept.length + c] = v / root;
    }
  }
  return { factor, dual };
}

/**
 * F (n × r) with h = F ξ ~ N(0, K) on the leading `train` rows and, given those, on every following block of `blockSize` rows. Blocks share
 * the same innovations: correct for each of them together with the training rows, whatever the other blocks are. With `joint` the
 * following rows are one block, and F Fᵀ = K.
 */
export function conditionalFactor(kernel: Matrix, train: number, blockSize: number, joint: boolean): Matrix {
  const n = kernel.shape[0];
  const { factor, dual } = spectralFactor(block(kernel, 0, train, 0, train));
  if (n === train) return factor;
  const rank = factor.shape[1];
  const size = joint ? n - train : blockSize;
  const out = zeros(n, rank + size);
  const put = (row: number, values: Float64Array, from: number): void => out.data.set(values, row * (rank + size) + from);
  for (let i = 0; i < train; i++) put(i, factor.data.subarray(i * rank, (i + 1) * rank), 0);
  const regression = multiply(block(kernel, train, n, 0, train), dual);
  for (let i = train; i < n; i++) put(i, regression.data.subarray((i - train) * rank, (i - train + 1) * rank), 0);
  for (let start = train; start < n; start += size) {
    const rows = block(regression, start - train, start - train + size, 0, rank);
    const explained = multiplyTransposedRight(rows, rows);
    const own = block(kernel, start, start + size, start, start + size);
    const rest = spectralFactor({ data: own.data.map((value, i) => value - explained.data[i]!), shape: own.shape }).factor;
    const width = rest.shape[1];
    for (let i = 0; i < size; i++) put(start + i, rest.data.subarray(i * width, (i + 1) * width), rank);
  }
  return out;
}

/** Largest dimension of the Sobol points; further coordinates are pseudo-random. */
const sobolDimensions = 1024;

/** Standard normal points, 2^log2Count × dimensions: scrambled Sobol points, pseudo-random beyond 1,024 dimensions. */
export function gaussianPoints(dimensions: number, log2Count: number, seed: number, ...indices: readonly number[]): Matrix {
  const count = 2 ** log2Count;
  const source = stream(seed, ...indices);
  const quasi = Math.min(dimensions, sobolDimensions);
  const points = sobolPoints({ dimensions: quasi, log2Count, seed: Math.floor(source.uniform() * 2 ** 31) });
  const out = zeros(count, dimensions);
  for (let s = 0; s < count; s++) {
    for (let d = 0; d < dimensions; d++)
      out.data[s * dimensions + d] = d < quasi ? normalQuantile(points.data[s * quasi + d]!) : source.normal();
  }
  return out;
}

/** φ(h) for 2^log2Count draws of h = F ξ: draws × n. */
export function sampleActivations(
  activation: Activation,
  factor: Matrix,
  log2Count: number,
  seed: number,
  ...indices: readonly number[]
): Matrix {
  const h = multiplyTransposedRight(gaussianPoints(factor.shape[1], log2Count, seed, ...indices), factor);
  return { data: h.data.map(activation.value), shape: h.shape };
}
