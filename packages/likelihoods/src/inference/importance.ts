import { stream } from "@finitewidth/random";
import { zeros, type Matrix, type Observation } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  multiplyTransposedLeft,
  multiplyVector,
  solveLowerTransposed,
  symmetricEigen,
  transpose,
  multiplyTransposedRight,
} from "@finitewidth/linalg";
import { logMeanExp } from "@finitewidth/numerics";
import { multiplyBlocks } from "./blocks.js";

/** Root B (P × rank) of a positive semi-definite K = BBᵀ; eigenvalues below 10⁻¹² of the largest are left out. O(P³). */
export function kernelRoot(kernel: Matrix): Matrix {
  const { values, vectors } = symmetricEigen(kernel);
  const n = values.length;
  const kept = Array.from(values.keys()).filter((k) => values[k]! > 1e-12 * values[n - 1]!);
  const out = zeros(n, kept.length);
  kept.forEach((k, c) => {
    const root = Math.sqrt(values[k]!);
    for (let i = 0; i < n; i++) out.data[i * kept.length + c] = vectors.data[i * n + k]! * root;
  });
  return out;
}

/** An importance-sampled evidence. */
export interface ImportanceEvidence {
  readonly logEvidence: number;
  readonly standardError: number;
  /** (E w)²/E w²: below 0.01 the estimate is not to be believed. */
  readonly fraction: number;
}

/** Effective fraction of importance weights below which an evidence is rejected. */
export const leastImportanceFraction = 0.01;

export interface ImportanceOptions {
  /** Number of draws, in antithetic pairs. @defaultValue 4000 */
  readonly draws?: number;
  readonly seed?: number;
  /** Indices of the random stream after the seed. @defaultValue [0] */
  readonly indices?: readonly number[];
}

/**
 * log Z by importance sampling in whitened coordinates f = Bg (BBᵀ = Σ, index point·d + output) from N(Bᵀa, (I + BᵀWB)⁻¹), antithetic
 * pairs. Around EP: W the site precisions and its a; around Laplace: W, and a + t with the mean shift t. Unbiased for Z wherever it is
 * trusted. O(rank³ + draws·rank·P d). Source: docs/theories/classification.md.
 */
export function importanceEvidence(
  root: Matrix,
  observation: Observation,
  weights: Float64Array,
  alpha: Float64Array,
  options: ImportanceOptions = {},
): ImportanceEvidence {
  const { draws = 4000, seed = 1, indices = [0] } = options;
  const { latents: d } = observation;
  const r = root.shape[1];
  const factor = cholesky(addDiagonal(multiplyTransposedLeft(root, multiplyBlocks(weights, d, root)), 1));
  const centre = multiplyVector(transpose(root), alpha);
  const random = stream(seed, ...indices);
  const pairs = Math.floor(draws / 2);
  const logWeights = new Float64Array(2 * pairs);
  const rows = 64;
  for (let from = 0; from < pairs; from += rows) {
    const count = Math.min(rows, pairs - from);
    const z = random.normals(new Float64Array(r * count));
    const solved = solveLowerTransposed(factor.factor, { data: z, shape: [r, count] });
    for (const [half, sign] of [1, -1].entries()) {
      // g = centre ± L⁻ᵀz, one draw a row
      const g = zeros(count, r);
      for (let k = 0; k < count; k++) for (let i = 0; i < r; i++) g.data[k * r + i] = centre[i]! + sign * solved.data[i * count + k]!;
      const f = multiplyTransposedRight(g, root);
      for (let k = 0; k < count; k++) {
        let [square, normal] = [0, 0];
        for (let i = 0; i < r; i++) {
          square += g.data[k * r + i]! ** 2;
          normal += z[i * count + k]! ** 2;
        }
        const n = f.shape[1];
        logWeights[2 * (from + k) + half] = observation.evaluate(f.data.subarray(k * n, (k + 1) * n)) + 0.5 * (normal - square);
      }
    }
  }
  const { value } = logMeanExp(logWeights);
  let squares = 0;
  for (const w of logWeights) squares += Math.exp(2 * (w - value));
  const paired = Float64Array.from({ length: pairs }, (_, k) => {
    const [a, b] = [logWeights[2 * k]!, logWeights[2 * k + 1]!];
    const top = Math.max(a, b);
    return top + Math.log(0.5 * (Math.exp(a - top) + Math.exp(b - top)));
  });
  return {
    logEvidence: value - 0.5 * factor.logDeterminant,
    standardError: logMeanExp(paired).standardError,
    fraction: (2 * pairs) / squares,
  };
}
