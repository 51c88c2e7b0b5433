import { zeros, type Matrix, type RandomStream } from "@finitewidth/core";
import { block, gram, multiply, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import type { GaussianPieces } from "../posterior/gaussian-pieces.js";
import { rowProducts } from "../posterior/corrections.js";
import { applyNeuronNoise, type NeuronNoise } from "./neuron-noise.js";

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
const probes = 2;

/** What the draws M make of vectors, column by column and draw by draw: of the probes, of a, and of Γ⁻¹(Ma). */
interface Seen {
  readonly ofProbes: Matrix;
  readonly ofWeights: Matrix;
  readonly ofSquare: Matrix;
}

/**
 * Accumulates Z = E[M_·R Γ⁻¹ M_R·] and W from draws M_·R, either matrices (n × P: columns of the training points; the buffer may be reused)
 * or noise of neurons, which need not be formed. Products with a are exact for every draw, traces of Γ⁻¹ use Gaussian probes. O(draws · n P
 * D) with a small constant. Source: docs/theories/perturbative.md §5.
 */
export function accumulateProjection(
  draws: Iterable<Matrix> | NeuronNoise,
  count: number,
  q: Matrix,
  pieces: GaussianPieces,
  random: RandomStream,
  covariance: boolean,
): SampledProjection {
  const { weights, directions } = pieces;
  const [P, D] = weights.shape;
  const m = q.shape[0];
  // one probe per column: Rᵀ ξ with RᵀR = Γ⁻¹, the mean of V Vᵀ
  const normals: Matrix = { data: random.normals(new Float64Array(directions * probes * count)), shape: [directions, probes * count] };
  const probeColumns = pieces.unwhiten(normals);
  const { ofProbes, ofWeights, ofSquare } =
    "phi" in draws ? seenByNeurons(draws, probeColumns, pieces) : seenByMatrices(draws, q.shape[1], probeColumns, pieces);
  const qWeights = multiply(q, ofWeights);
  const qProbes = multiply(q, ofProbes);
  const trainProbes = block(ofProbes, 0, P, 0, probes * count);
  return {
    meanPart: averageDraws(multiply(q, ofSquare), D, count),
    shared: covariance
      ? scaled(gram(qProbes), 1 / (probes * count))
      : rowProducts(qProbes, qProbes).map((value) => value / (probes * count)),
    outputs: covariance
      ? outputCovariance(qWeights, D, count)
      : averageDraws({ data: qWeights.data.map((value) => value * value), shape: [m, D * count] }, D, count),
    weightsTrace: sumOfSquares(pieces.whiten(block(ofWeights, 0, P, 0, D * count))) / count,
    inverseTrace: sumOfSquares(pieces.whiten(trainProbes)) / (probes * count),
    z: scaled(gram(trainProbes), 1 / (probes * count)),
  };
}

function seenByNeurons(noise: NeuronNoise, probeColumns: Matrix, { weights, inverse }: GaussianPieces): Seen {
  const [P, D] = weights.shape;
  const count = noise.phi.shape[0];
  const repeated = zeros(P, D * count);
  for (let i = 0; i < P; i++)
    for (let s = 0; s < count; s++) repeated.data.set(weights.data.subarray(i * D, (i + 1) * D), (i * count + s) * D);
  const ofWeights = applyNeuronNoise(noise, repeated, D);
  const solved = multiply(inverse, block(ofWeights, 0, P, 0, D * count));
  return { ofProbes: applyNeuronNoise(noise, probeColumns, probes), ofWeights, ofSquare: applyNeuronNoise(noise, solved, D) };
}

function seenByMatrices(draws: Iterable<Matrix>, n: number, probeColumns: Matrix, { weights, inverse }: GaussianPieces): Seen {
  const [P, D] = weights.shape;
  const count = probeColumns.shape[1] / probes;
  const [ofWeights, ofProbes, ofSquare] = [zeros(n, D * count), zeros(n, probes * count), zeros(n, D * count)];
  const [weightRows, probeRows] = [transpose(weights), transpose(probeColumns)];
  const [first, solved] = [new Float64Array(P), new Float64Array(P)];
  let s = 0;
  for (const draw of draws) {
    for (let k = 0; k < probes; k++) rowDots(draw, probeRows.data, (s * probes + k) * P, ofProbes, s * probes + k);
    for (let j = 0; j < D; j++) {
      rowDots(draw, weightRows.data, j * P, ofWeights, s * D + j);
      for (let i = 0; i < P; i++) first[i] = ofWeights.data[i * D * count + s * D + j]!;
      rowDots(inverse, first, 0, { data: solved, shape: [P, 1] }, 0);
      rowDots(draw, solved, 0, ofSquare, s * D + j);
    }
    s++;
  }
  return { ofProbes, ofWeights, ofSquare };
}

/** Column `column` of `out` ← M v for v = vectors[from …]. */
function rowDots(m: Matrix, vectors: Float64Array, from: number, out: Matrix, column: number): void {
  const [rows, length] = m.shape;
  const stride = out.shape[1];
  const { data } = m;
  for (let i = 0; i < rows; i++) {
    let [a, b] = [0, 0];
    let at = i * length;
    let v = from;
    const end = at + length - 1;
    for (; at < end; at += 2, v += 2) {
      a += data[at]! * vectors[v]!;
      b += data[at + 1]! * vectors[v + 1]!;
    }
    if (at === end) a += data[at]! * vectors[v]!;
    out.data[i * stride + column] = a + b;
  }
}

const sumOfSquares = (m: Matrix): number => m.data.reduce((sum, value) => sum + value * value, 0);
const scaled = (m: Matrix, factor: number): Matrix => ({ data: m.data.map((value) => factor * value), shape: m.shape });

/** Mean over draws of a rows × (draws·D) matrix: rows × D. */
function averageDraws(m: Matrix, D: number, count: number): Matrix {
  const rows = m.shape[0];
  const out = zeros(rows, D);
  for (let i = 0; i < rows; i++)
    for (let s = 0; s < count; s++) for (let j = 0; j < D; j++) out.data[i * D + j]! += m.data[(i * count + s) * D + j]! / count;
  return out;
}

/** E v vᵀ over draws for v with index row·D + output. */
function outputCovariance(m: Matrix, D: number, count: number): Matrix {
  const rows = m.shape[0];
  const vectors = zeros(rows * D, count);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < D; j++) for (let s = 0; s < count; s++) vectors.data[(i * D + j) * count + s] = m.data[(i * count + s) * D + j]!;
  return scaled(multiplyTransposedRight(vectors, vectors), 1 / count);
}
