import { zeros, type Matrix } from "@finitewidth/core";
import {
  combine,
  gram,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  predictScaleMixture,
  transpose,
} from "@finitewidth/linalg";
import { splitBySpan, type SpanSplit } from "@finitewidth/numerics";
import { biasAt } from "./scalar-action.js";
import { significantNodes, type OrderParameterNodes } from "./scalar-posterior.js";
import { completeScalarProblem, type ReducedScalarProblem, type ScalarProblem, type ScalarSpectrum } from "./scalar-problem.js";

/** Mean, variance and on request covariance of the outputs at some points. */
export interface ScalarPrediction {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly covariance?: Matrix;
}

/** New points in the eigenbasis of K. */
interface PointsInSpan extends SpanSplit {
  /** v = K_*x U without the null directions, whose cross kernel is rounding: P* × P. */
  readonly projected: Matrix;
  /** K_xx − Σ_i v_i²/k_i of every point: P* numbers. */
  readonly ownOutside: Float64Array;
}

/** `splitBySpan` of new points; `cross`: P* × P. O(P* P²). */
export function spanOf(
  { vectors, eigenvalues: k }: Pick<ScalarProblem, "vectors" | "eigenvalues">,
  { cross, variances, own }: { readonly cross: Matrix; readonly variances: Float64Array; readonly own?: Matrix },
): PointsInSpan {
  const count = cross.shape[0];
  const split = splitBySpan(multiplyTransposedLeft(vectors, transpose(cross)), k, own === undefined ? variances : own.data);
  const { inside, outside } = split;
  return {
    ...split,
    projected: transpose({ data: inside.data.map((value, at) => value * Math.sqrt(k[Math.floor(at / count)]!)), shape: inside.shape }),
    ownOutside: own === undefined ? outside : variances.map((_, t) => outside[t * (count + 1)]!),
  };
}

/**
 * Latent outputs at test points: E m(Q) and E s²(Q) + Var m(Q) over the nodes, with
 * m = c + Q Σ v_i(z_i − c w_i)/d_i and s² = Qκ − Q² Σ v_i²/d_i + (b/g)(1 − Q Σ v_i w_i/d_i)²; the difference as Q(κ − Σ v_i²/k_i) +
 * QT Σ v_i²/(k_i d_i), `splitBySpan`.
 * cross: P* × P and variances: P*, both without the readout bias; own: P* × P*, for covariances. The terms linear in 1/d are averaged over
 * the nodes first, so that a node costs one column of a matrix product: O(P* P²) + 2 P* P flops a node (4 with a bias).
 */
export function predictScalar(
  problem: ScalarProblem,
  posterior: OrderParameterNodes,
  cross: Matrix,
  variances: Float64Array,
  own?: Matrix,
): ScalarPrediction {
  const { eigenvalues: k, targets: z, ones: w, temperature } = problem;
  const size = k.length;
  const count = cross.shape[0];
  const { projected: v, inside, outside, ownOutside } = spanOf(problem, { cross, variances, ...(own ? { own } : {}) });
  const table = nodeTable(problem, posterior, (Q, c, i) => {
    const d = temperature + Q * k[i]!;
    return { fitted: (Q * (z[i]! - c * w[i]!)) / d, left: (Q * temperature) / d, leverage: (Q * w[i]!) / d };
  });
  const means = multiplyTransposedRight(table.fitted, v);
  const leverage = multiplyTransposedRight(table.leverage, v);
  const variance = new Float64Array(count);
  for (let t = 0; t < count; t++) {
    variance[t] = table.meanOrderParameter * ownOutside[t]!;
    for (let i = 0; i < size; i++) variance[t]! += table.averaged[i]! * inside.data[i * count + t]! ** 2;
  }
  for (let at = 0; at < means.data.length; at++) means.data[at]! += table.bias[Math.floor(at / count)]!;
  for (let at = 0; at < leverage.data.length; at++) leverage.data[at] = 1 - leverage.data[at]!;
  const mean = mixMoments(table, means, leverage, variance);
  if (own === undefined) return { mean, variance };
  const left = gram(scaledRows(transpose(inside), table.averaged.map(Math.sqrt)));
  const spread = crossProducts(
    means.data.map((value, at) => value - mean[at % count]!),
    table.weights,
    count,
  );
  const shared = crossProducts(leverage.data, table.biasWeights, count);
  const covariance = zeros(count, count);
  for (let at = 0; at < covariance.data.length; at++) {
    covariance.data[at] = table.meanOrderParameter * outside[at]! + left.data[at]! + spread.data[at]! + (shared.data[at] ?? 0);
  }
  return { mean, variance, covariance };
}

/**
 * Means and variances like `predictScalar`, from the tridiagonal form where that is possible and faster (`predictScaleMixture` of linalg);
 * small problems, many test points and T → 0 complete the eigenvectors. O(P* P²) besides the reduction.
 */
export function predictReduced(
  problem: ReducedScalarProblem,
  posterior: OrderParameterNodes,
  cross: Matrix,
  variances: Float64Array,
): ScalarPrediction {
  const { form, given, temperature, biasVariance } = problem;
  const nodes = { q: posterior.nodes, weights: posterior.weights };
  return (
    predictScaleMixture({ form, targets: given, noise: temperature, biasVariance, nodes }, transpose(cross), variances) ??
    predictScalar(completeScalarProblem(problem), posterior, cross, variances)
  );
}

/**
 * Latent outputs at the training points, in the form without cancellation: y − f = T A⁻¹y, variance T(1 − T A⁻¹); both exact at T = 0. 2 P²
 * flops a node (4 with a bias).
 */
export function predictScalarTrain(problem: ScalarProblem, posterior: OrderParameterNodes): ScalarPrediction {
  const { eigenvalues: k, targets: z, ones: w, temperature, vectors } = problem;
  const size = k.length;
  const table = nodeTable(problem, posterior, (Q, c, i) => {
    const d = temperature + Q * k[i]!;
    return {
      fitted: (Q * k[i]! * z[i]! + temperature * c * w[i]!) / d,
      left: (temperature * Q * k[i]!) / d,
      leverage: (temperature * w[i]!) / d,
    };
  });
  const variance = new Float64Array(size);
  for (let t = 0; t < size; t++) for (let i = 0; i < size; i++) variance[t]! += table.averaged[i]! * vectors.data[t * size + i]! ** 2;
  const mean = mixMoments(
    table,
    multiplyTransposedRight(table.fitted, vectors),
    multiplyTransposedRight(table.leverage, vectors),
    variance,
  );
  return { mean, variance };
}

/** What the significant nodes contribute in the eigenbasis. */
interface NodeTable {
  readonly weights: Float64Array;
  /** c and (weight)·b/g of every node. */
  readonly bias: Float64Array;
  readonly biasWeights: Float64Array;
  readonly meanOrderParameter: number;
  /** Nodes × P. */
  readonly fitted: Matrix;
  /** Nodes × P; no rows without a bias. */
  readonly leverage: Matrix;
  /** E of `left`: P. */
  readonly averaged: Float64Array;
}

function nodeTable(
  problem: ScalarSpectrum,
  posterior: OrderParameterNodes,
  at: (orderParameter: number, bias: number, i: number) => { readonly fitted: number; readonly left: number; readonly leverage: number },
): NodeTable {
  const used = [...significantNodes(posterior)];
  const size = problem.eigenvalues.length;
  const biased = problem.biasVariance > 0;
  const fitted = zeros(used.length, size);
  const leverage = zeros(biased ? used.length : 0, size);
  const averaged = new Float64Array(size);
  const bias = new Float64Array(used.length);
  const biasWeights = new Float64Array(used.length);
  let meanOrderParameter = 0;
  for (const [node, [Q, weight]] of used.entries()) {
    const { factor, mean } = biasAt(problem, Q, problem.targets);
    bias[node] = mean;
    biasWeights[node] = (weight * problem.biasVariance) / factor;
    meanOrderParameter += weight * Q;
    for (let i = 0; i < size; i++) {
      const value = at(Q, mean, i);
      fitted.data[node * size + i] = value.fitted;
      if (biased) leverage.data[node * size + i] = value.leverage;
      averaged[i]! += weight * value.left;
    }
  }
  return { weights: Float64Array.from(used, ([, weight]) => weight), bias, biasWeights, meanOrderParameter, fitted, leverage, averaged };
}

/**
 * Mean over the nodes of `means` (nodes × points); adds to `variance` what the means differ by and the share of the bias, and clips it at
 * 0.
 */
function mixMoments(table: NodeTable, means: Matrix, leverage: Matrix, variance: Float64Array): Float64Array {
  const count = means.shape[1];
  const mean = new Float64Array(count);
  for (let at = 0; at < means.data.length; at++) mean[at % count]! += table.weights[Math.floor(at / count)]! * means.data[at]!;
  for (let at = 0; at < means.data.length; at++)
    variance[at % count]! += table.weights[Math.floor(at / count)]! * (means.data[at]! - mean[at % count]!) ** 2;
  for (let at = 0; at < leverage.data.length; at++)
    variance[at % count]! += table.biasWeights[Math.floor(at / count)]! * leverage.data[at]! ** 2;
  for (let t = 0; t < count; t++) variance[t] = Math.max(variance[t]!, 0);
  return mean;
}

/** Σ_n weight_n x_n x_nᵀ for the rows x_n (n × count) of `rows`. */
function crossProducts(rows: Float64Array, weights: Float64Array, count: number): Matrix {
  const nodes = rows.length / count;
  const columns = zeros(count, nodes);
  for (let n = 0; n < nodes; n++)
    for (let t = 0; t < count; t++) columns.data[t * nodes + n] = Math.sqrt(weights[n]!) * rows[n * count + t]!;
  return gram(columns);
}

/** A diag(d). */
function scaledRows(a: Matrix, d: Float64Array): Matrix {
  return { data: a.data.map((value, at) => value * d[at % d.length]!), shape: a.shape };
}

/**
 * Training error E(f_μ − y_μ)², averaged over points: [T²|r|² + T(P − T tr A⁻¹)]/P, and its bias part (f at its mean for each Q). O(P) a
 * node.
 */
export function trainError(problem: ScalarSpectrum, posterior: OrderParameterNodes): { readonly total: number; readonly bias: number } {
  const { eigenvalues: k, targets: z, ones: w, temperature: T, biasVariance: b } = problem;
  const size = k.length;
  let total = 0;
  let biasPart = 0;
  for (const [Q, weight] of significantNodes(posterior)) {
    const { factor, mean: c } = biasAt(problem, Q, z);
    let bias = 0;
    let variance = 0;
    for (let i = 0; i < size; i++) {
      const d = T + Q * k[i]!;
      const r = (z[i]! - c * w[i]!) / d;
      bias += T * T * r * r;
      // T(1 − T/d) without the difference, and the bias's share
      variance += (T * Q * k[i]!) / d + (b / factor) * (T * (w[i]! / d)) ** 2;
    }
    total += (weight * (bias + variance)) / size;
    biasPart += (weight * bias) / size;
  }
  return { total, bias: biasPart };
}

/**
 * Posterior mean of σ_w² φφᵀ/N on the training inputs, E over Q of K + (Q/N) K(r rᵀ − A⁻¹)K with r = A⁻¹y. Exact for φ = identity.
 * It must not be put back into the predictor: that counts the data twice. O(P³ + P² nodes).
 */
export function learnedKernel(problem: ScalarProblem, posterior: OrderParameterNodes): Matrix {
  const { eigenvalues: k, targets: z, ones: w, temperature, width, biasVariance: b, vectors } = problem;
  const size = k.length;
  const used = [...significantNodes(posterior)];
  const diagonal = k.slice();
  const ranks = b > 0 ? 2 : 1;
  const columns = zeros(size, ranks * used.length);
  const signs: number[] = [];
  used.forEach(([Q, weight], node) => {
    const { factor, mean: c } = biasAt(problem, Q, z);
    const scale = (weight * Q) / width;
    for (let i = 0; i < size; i++) {
      const d = temperature + Q * k[i]!;
      diagonal[i]! -= (scale * k[i]! * k[i]!) / d;
      columns.data[i * ranks * used.length + ranks * node] = (Math.sqrt(scale) * k[i]! * (z[i]! - c * w[i]!)) / d;
      if (b > 0) columns.data[i * ranks * used.length + ranks * node + 1] = (Math.sqrt((scale * b) / factor) * k[i]! * w[i]!) / d;
    }
  });
  for (let node = 0; node < used.length; node++) for (let r = 0; r < ranks; r++) signs.push(1);
  return sandwich(vectors, diagonal, columns, signs);
}

/** U (diag(d) + Σ_j s_j c_j c_jᵀ) Uᵀ for orthogonal U, exactly symmetric; c_j are the columns, s_j = ±1. Gram matrices only: O(P³). */
export function sandwich(vectors: Matrix, diagonal: Float64Array, columns: Matrix, signs: readonly number[]): Matrix {
  const rotated = multiply(vectors, columns);
  const part = (sign: number): Matrix => {
    const own = [...diagonal.keys()].filter((i) => sign * diagonal[i]! > 0);
    const added = [...signs.keys()].filter((j) => sign * signs[j]! > 0);
    const size = diagonal.length;
    const count = columns.shape[1];
    const width = own.length + added.length;
    const half = zeros(size, width);
    const roots = own.map((i) => Math.sqrt(Math.abs(diagonal[i]!)));
    for (let t = 0; t < size; t++) {
      own.forEach((i, a) => (half.data[t * width + a] = vectors.data[t * size + i]! * roots[a]!));
      added.forEach((j, a) => (half.data[t * width + own.length + a] = rotated.data[t * count + j]!));
    }
    return gram(half);
  };
  const positive = part(1);
  if (diagonal.every((value) => value >= 0) && signs.every((sign) => sign >= 0)) return positive;
  return combine(1, positive, -1, part(-1));
}
