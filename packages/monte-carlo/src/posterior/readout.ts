import { zeros, type Matrix } from "@finitewidth/core";
import {
  affine,
  block,
  frobenius,
  gram,
  identity,
  innerProduct,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  transpose,
} from "@finitewidth/linalg";
import { conditionTargets, predictGaussianProcess, trainGaussianProcess } from "@finitewidth/numerics";

/**
 * What the data say about the readout when the hidden layers are fixed: f = Φ′w with w ~ N(0, 1) per output, y = f + N(0, T), so everything
 * is Gaussian with A = T + Φ′Φ′ᵀ. Φ′ are the features, and a constant column σ_b when the readout has a bias.
 */
export interface ReadoutPosterior {
  /** log N(Y | 0, A), all outputs: −½[D log det A + tr YᵀA⁻¹Y + PD log 2π]. */
  readonly logLikelihood: number;
  /** F, the bias left out. */
  readonly features: number;
  /** E w, F′ × D. */
  readonly weights: Matrix;
  /** R = A⁻¹Y, P × D. */
  readonly residual: Matrix;
  /** Moments of f = Φ′w at further inputs, from their features (P* × F): mean P* × D, variance of each output P*. */
  predict(features: Matrix): { readonly mean: Matrix; readonly variance: Float64Array };
  /** Covariance of one output between further inputs, P* × P*. */
  covariance(features: Matrix): Matrix;
  /** Moments of f at the training inputs. */
  train(): { readonly mean: Matrix; readonly variance: Float64Array };
  /** E[a_aᵀ a_b]/F over the readout weights a (bias left out), in units of their prior: D × D. */
  readoutNorm(): Matrix;
}

function withBias(features: Matrix, bias: number): Matrix {
  if (bias === 0) return features;
  const [rows, columns] = features.shape;
  const out = zeros(rows, columns + 1);
  for (let i = 0; i < rows; i++) {
    out.data.set(features.data.subarray(i * columns, (i + 1) * columns), i * (columns + 1));
    out.data[i * (columns + 1) + columns] = bias;
  }
  return out;
}

/** Squared norms of the columns. */
function columnNorms(m: Matrix): Float64Array {
  const [rows, columns] = m.shape;
  const out = new Float64Array(columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j]! += m.data[i * columns + j]! ** 2;
  return out;
}

/**
 * Conditions the readout on the data: `features` Φ (P × F) include σ_w(L+1)/√N_L, `bias` is σ_b(L+1), T > 0. Works in the space of points
 * or of features, whichever is smaller. @throws FinitewidthError when A is not finite. Cost O(min(P, F)² max(P, F)).
 * Source: docs/theories/monte-carlo.md, "Collapsed posterior".
 */
export function conditionReadout(features: Matrix, bias: number, targets: Matrix, temperature: number): ReadoutPosterior {
  const phi = withBias(features, bias);
  const [points, size] = phi.shape;
  const {
    covariance: between,
    variance,
    train,
    spread,
    ...solution
  } = points <= size ? byPoints(phi, targets, temperature) : byFeatures(phi, targets, temperature);
  const count = features.shape[1];
  return {
    ...solution,
    features: count,
    predict: (rows) => {
      const full = withBias(rows, bias);
      return { mean: multiply(full, solution.weights), variance: variance(full) };
    },
    covariance: (rows) => between(withBias(rows, bias)),
    train: () => ({ mean: multiply(phi, solution.weights), variance: train() }),
    readoutNorm: () => {
      const outputs = targets.shape[1];
      const hidden: Matrix = { data: solution.weights.data.subarray(0, count * outputs), shape: [count, outputs] };
      const means = multiplyTransposedLeft(hidden, hidden);
      const own = spread(count);
      return { data: means.data.map((value, i) => (value + (i % (outputs + 1) === 0 ? own : 0)) / count), shape: means.shape };
    },
  };
}

interface Solution extends Pick<ReadoutPosterior, "logLikelihood" | "residual" | "weights"> {
  /** Of one output at rows of features, at training points, and between rows. */
  variance(rows: Matrix): Float64Array;
  train(): Float64Array;
  covariance(rows: Matrix): Matrix;
  /** tr of the posterior covariance of the first `count` weights. */
  spread(count: number): number;
}

/** In the space of points: f ~ N(0, Φ′Φ′ᵀ) conditioned like every Gaussian. */
function byPoints(phi: Matrix, targets: Matrix, temperature: number): Solution {
  const process = conditionTargets(gram(phi), targets, temperature);
  const cross = (rows: Matrix): Matrix => multiplyTransposedRight(phi, rows);
  return {
    logLikelihood: process.logEvidence,
    residual: process.weights,
    weights: multiplyTransposedLeft(phi, process.weights),
    variance: (rows) => predictGaussianProcess(process, cross(rows), columnNorms(transpose(rows))).variance,
    train: () => trainGaussianProcess(process, () => gram(phi), targets, temperature, temperature).variance,
    covariance: (rows) => predictGaussianProcess(process, cross(rows), gram(rows)).covariance!,
    // F − tr ΦᵀA⁻¹Φ
    spread: (count) => count - frobenius(process.whiten(block(phi, 0, phi.shape[0], 0, count))) ** 2,
  };
}

/** In the space of features: M = T + Φ′ᵀΦ′, the covariance of the weights is T M⁻¹. */
function byFeatures(phi: Matrix, targets: Matrix, temperature: number): Solution {
  const [points, size] = phi.shape;
  const outputs = targets.shape[1];
  const pulled = multiplyTransposedLeft(phi, targets);
  const process = conditionTargets(gram(transpose(phi)), pulled, temperature);
  // where T is lost in rounding the weights that the data do not see keep their prior, which is in the space of points alone
  if (process.form !== "cholesky") return byPoints(phi, targets, temperature);
  const { weights } = process;
  const fitted = multiply(phi, weights);
  const residual: Matrix = { data: targets.data.map((value, i) => (value - fitted.data[i]!) / temperature), shape: targets.shape };
  // |y − f|²/T + |w|²: a sum of squares, no cancellation at small T
  const quadratic = temperature * innerProduct(residual, residual) + innerProduct(weights, weights);
  const logDeterminant = process.logDeterminant + (points - size) * Math.log(temperature);
  const covariance = (rows: Matrix): Matrix => {
    const whitened = transpose(process.whiten(transpose(rows)));
    return affine(temperature, gram(whitened));
  };
  const variance = (rows: Matrix): Float64Array => columnNorms(process.whiten(transpose(rows))).map((value) => temperature * value);
  return {
    logLikelihood: -0.5 * (points * outputs * Math.log(2 * Math.PI) + outputs * logDeterminant + quadratic),
    residual,
    weights,
    variance,
    train: () => variance(phi),
    covariance,
    spread: (count) =>
      variance(identity(size))
        .subarray(0, count)
        .reduce((sum, value) => sum + value, 0),
  };
}
