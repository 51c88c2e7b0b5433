import { zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import { block, gram, multiply, multiplyTransposedRight, solveCholesky, solveLower, solveLowerTransposed } from "@finitewidth/linalg";
import type { GaussianPieces } from "../posterior/gaussian-pieces.js";
import { rowProducts } from "../posterior/corrections.js";

/** Averages over draws M of the fluctuation of the output kernel, seen through rows q (m × n); everything but X. */
export interface SampledProjection {
  readonly meanPart: Matrix;
  readonly shared: Float64Array | Matrix;
  readonly outputs: Matrix;
  /** Σ_j a_jᵀ Z a_j and tr(Γ⁻¹ Z) on training points. */
  readonly weightsTrace: number;
  readonly inverseTrace: number;
  /** Z on training points, P × P. */
  readonly z: Matrix;
}

/** Gaussian probes per draw that stand in for Γ⁻¹ in Z = E M Γ⁻¹ M: unbiased, and n² instead of n³ operations a draw. */
const probes = 4;

/**
 * Accumulates Z = E[M_·R Γ⁻¹ M_R·] and W from draws M (n × n, first P rows training points). Products with a are exact for every draw, traces
 * of Γ⁻¹ use Gaussian probes. O(draws · n P (P + D)) with a small constant. Source: docs/theories/perturbative.md §5.
 */
export function accumulateProjection(draws: Iterable<Matrix>, count: number, q: Matrix, pieces: GaussianPieces, random: RandomStream, covariance: boolean): SampledProjection {
  const { weights, factor } = pieces;
  const [P, D] = weights.shape;
  const [m, n] = q.shape;
  const [ofWeights, ofProbes, ofSquare] = [zeros(n, D * count), zeros(n, probes * count), zeros(n, D * count)];
  let s = 0;
  for (const draw of draws) {
    const columns = n === P ? draw : block(draw, 0, n, 0, P);
    const normal: Matrix = { data: random.normals(new Float64Array(P * probes)), shape: [P, probes] };
    const right = zeros(P, D + probes);
    const whitened = solveLowerTransposed(factor.factor, normal);
    for (let i = 0; i < P; i++) {
      right.data.set(weights.data.subarray(i * D, (i + 1) * D), i * (D + probes));
      right.data.set(whitened.data.subarray(i * probes, (i + 1) * probes), i * (D + probes) + D);
    }
    const image = multiply(columns, right);
    const first = zeros(P, D);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < D; j++) {
        const value = image.data[i * (D + probes) + j]!;
        ofWeights.data[i * D * count + s * D + j] = value;
        if (i < P) first.data[i * D + j] = value;
      }
      for (let j = 0; j < probes; j++) ofProbes.data[i * probes * count + s * probes + j] = image.data[i * (D + probes) + D + j]!;
    }
    const second = multiply(columns, solveCholesky(factor, first));
    for (let i = 0; i < n; i++) for (let j = 0; j < D; j++) ofSquare.data[i * D * count + s * D + j] = second.data[i * D + j]!;
    s++;
  }
  const qWeights = multiply(q, ofWeights);
  const qProbes = multiply(q, ofProbes);
  const trainProbes = block(ofProbes, 0, P, 0, probes * count);
  return {
    meanPart: averageDraws(multiply(q, ofSquare), D, count),
    shared: covariance ? scaled(gram(qProbes), 1 / (probes * count)) : rowProducts(qProbes, qProbes).map((value) => value / (probes * count)),
    outputs: covariance ? outputCovariance(qWeights, D, count) : averageDraws({ data: qWeights.data.map((value) => value * value), shape: [m, D * count] }, D, count),
    weightsTrace: sumOfSquares(solveLower(factor.factor, block(ofWeights, 0, P, 0, D * count))) / count,
    inverseTrace: sumOfSquares(solveLower(factor.factor, trainProbes)) / (probes * count),
    z: scaled(gram(trainProbes), 1 / (probes * count)),
  };
}

const sumOfSquares = (m: Matrix): number => m.data.reduce((sum, value) => sum + value * value, 0);
const scaled = (m: Matrix, factor: number): Matrix => ({ data: m.data.map((value) => factor * value), shape: m.shape });

/** Mean over draws of a rows × (draws·D) matrix: rows × D. */
function averageDraws(m: Matrix, D: number, count: number): Matrix {
  const rows = m.shape[0];
  const out = zeros(rows, D);
  for (let i = 0; i < rows; i++) for (let s = 0; s < count; s++) for (let j = 0; j < D; j++) out.data[i * D + j]! += m.data[(i * count + s) * D + j]! / count;
  return out;
}

/** E v vᵀ over draws for v with index row·D + output. */
function outputCovariance(m: Matrix, D: number, count: number): Matrix {
  const rows = m.shape[0];
  const vectors = zeros(rows * D, count);
  for (let i = 0; i < rows; i++) for (let j = 0; j < D; j++) for (let s = 0; s < count; s++) vectors.data[(i * D + j) * count + s] = m.data[(i * count + s) * D + j]!;
  return scaled(multiplyTransposedRight(vectors, vectors), 1 / count);
}
