import { zeros, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  frobenius,
  gram,
  identity,
  innerProduct,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveCholesky,
  solveLower,
  transpose,
  type Cholesky,
} from "@finitewidth/linalg";

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
  const outputs = targets.shape[1];
  const constant = -0.5 * points * outputs * Math.log(2 * Math.PI);
  const ofPoints = points <= size;
  const solution = ofPoints ? byPoints(phi, targets, temperature) : byFeatures(phi, targets, temperature);
  const { factor, residual, weights } = solution;
  const logLikelihood = constant - 0.5 * (outputs * solution.logDeterminant + solution.quadratic);

  // L⁻¹Φ′φ (variance κ minus its square) or L⁻¹φ (variance T times its square)
  const whitened = (rows: Matrix): Matrix =>
    ofPoints ? solveLower(factor.factor, multiplyTransposedRight(phi, rows)) : solveLower(factor.factor, transpose(rows));
  const varianceOf = (rows: Matrix): Float64Array => {
    const explained = columnNorms(whitened(rows));
    if (!ofPoints) return explained.map((value) => temperature * value);
    const prior = columnNorms(transpose(rows));
    return prior.map((value, i) => Math.max(0, value - explained[i]!));
  };
  return {
    logLikelihood,
    features: features.shape[1],
    weights,
    residual,
    predict: (rows) => {
      const full = withBias(rows, bias);
      return { mean: multiply(full, weights), variance: varianceOf(full) };
    },
    covariance: (rows) => {
      const full = withBias(rows, bias);
      const explained = gram(transpose(whitened(full)));
      if (!ofPoints) return { data: explained.data.map((value) => temperature * value), shape: explained.shape };
      const prior = gram(full);
      return { data: prior.data.map((value, i) => value - explained.data[i]!), shape: prior.shape };
    },
    train: () => {
      if (!ofPoints) return { mean: multiply(phi, weights), variance: varianceOf(phi) };
      // K − K A⁻¹ K = T − T² A⁻¹ without subtracting large numbers
      const inverse = columnNorms(solveLower(factor.factor, identity(points)));
      return { mean: multiply(phi, weights), variance: inverse.map((value) => Math.max(0, temperature * (1 - temperature * value))) };
    },
    readoutNorm: () => {
      const columns = features.shape[1];
      const hidden: Matrix = { data: weights.data.subarray(0, columns * outputs), shape: [columns, outputs] };
      const means = multiplyTransposedLeft(hidden, hidden);
      // tr of the posterior covariance of the weights: F − tr ΦᵀA⁻¹Φ, or T tr M⁻¹, without the bias
      let spread = 0;
      if (ofPoints) spread = columns - frobenius(solveLower(factor.factor, features)) ** 2;
      else {
        const inverse = columnNorms(solveLower(factor.factor, identity(size)));
        for (let j = 0; j < columns; j++) spread += temperature * inverse[j]!;
      }
      return { data: means.data.map((value, i) => (value + (i % (outputs + 1) === 0 ? spread : 0)) / columns), shape: means.shape };
    },
  };

  function byPoints(x: Matrix, y: Matrix, t: number): Solution {
    const factor = cholesky(addDiagonal(gram(x), t));
    const half = solveLower(factor.factor, y);
    const residual = solveCholesky(factor, y);
    return {
      factor,
      residual,
      weights: multiplyTransposedLeft(x, residual),
      logDeterminant: factor.logDeterminant,
      quadratic: innerProduct(half, half),
    };
  }
  function byFeatures(x: Matrix, y: Matrix, t: number): Solution {
    const factor = cholesky(addDiagonal(gram(transpose(x)), t));
    const weights = solveCholesky(factor, multiplyTransposedLeft(x, y));
    const fitted = multiply(x, weights);
    const residual: Matrix = { data: y.data.map((value, i) => (value - fitted.data[i]!) / t), shape: y.shape };
    // |y − f|²/T + |w|²: a sum of squares, no cancellation at small T
    return {
      factor,
      residual,
      weights,
      logDeterminant: factor.logDeterminant + (points - size) * Math.log(t),
      quadratic: t * innerProduct(residual, residual) + innerProduct(weights, weights),
    };
  }
}

interface Solution {
  readonly factor: Cholesky;
  readonly residual: Matrix;
  readonly weights: Matrix;
  readonly logDeterminant: number;
  readonly quadratic: number;
}
