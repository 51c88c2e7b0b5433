import { zeros, type Matrix } from "@finitewidth/core";
import { gram, multiply, multiplyTransposedLeft, multiplyTransposedRight, scaleColumns, scaleRows, transpose } from "@finitewidth/linalg";
import { splitBySpan } from "@finitewidth/numerics";
import { conditionalValues, type ScalarData } from "./likelihood.js";
import type { ScalarPosterior } from "./posterior.js";

/** What every node contributes: rows are nodes. */
export interface NodeTables {
  readonly q: Float64Array;
  /** 1/(qκ_i + T): n × r. */
  readonly inverse: Matrix;
  /** α = Σ⁻¹y in the eigenbasis: n × r. */
  readonly alpha: Matrix;
  /** Posterior mean and variance of the readout bias given y. */
  readonly biasMean: Float64Array;
  readonly biasVariance: Float64Array;
}

/** Tabulates Σ⁻¹ and Σ⁻¹y at the nodes. O(n r). */
export function nodeTables(posterior: ScalarPosterior, data: ScalarData): NodeTables {
  const n = posterior.logQ.length;
  const r = data.values.length;
  const q = posterior.logQ.map(Math.exp);
  const inverse = zeros(n, r);
  const alpha = zeros(n, r);
  const biasMean = new Float64Array(n);
  const biasVariance = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    const at = conditionalValues(data, q[k]!);
    biasMean[k] = at.biasMean;
    biasVariance[k] = at.biasVariance;
    for (let i = 0; i < r; i++) {
      const value = 1 / (q[k]! * data.values[i]! + data.temperature);
      inverse.data[k * r + i] = value;
      alpha.data[k * r + i] = value * (data.targets[i]! - (data.readoutBias > 0 ? data.ones[i]! * at.biasMean : 0));
    }
  }
  return { q, inverse, alpha, biasMean, biasVariance };
}

/** Mixture of Gaussians over the nodes, at P* points. */
export interface ScalarPrediction {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** Joint covariance, P* × P*, when the prior covariance was given. */
  readonly covariance?: Matrix;
  /** Means and variances of the components: n × P* each. */
  readonly nodeMeans: Matrix;
  readonly nodeVariances: Matrix;
}

/**
 * Predictive law of f at points with projected cross kernel k̂ = VᵀK_x (r × P*) and prior K_xx (P* variances, or P* × P* for the joint
 * covariance): mean E[q k̂ᵀα + β], covariance E[q K_xx − q² k̂ᵀC⁻¹k̂ + S(1 − s)(1 − s)ᵀ] (by `splitBySpan`, without the difference) + Cov
 * of the means, s = q k̂ᵀC⁻¹o, β and S the mean and variance of the readout bias. Variances are clipped at 0. O(n r P*).
 */
export function predictScalar(
  posterior: ScalarPosterior,
  data: ScalarData,
  tables: NodeTables,
  cross: Matrix,
  prior: Float64Array | Matrix,
): ScalarPrediction {
  const { weights } = posterior;
  const { q, inverse, alpha, biasMean, biasVariance } = tables;
  const n = q.length;
  const r = data.values.length;
  const points = cross.shape[1];
  const stride = prior instanceof Float64Array || points === 1 ? 1 : points + 1;
  const nodeMeans = multiply(alpha, cross);
  const { inside, outside } = splitBySpan(cross, data.values, prior instanceof Float64Array ? prior : prior.data);
  // Σ_i k̂_i²/κ_i · T/(qκ_i + T)
  const nodeVariances = multiply(
    { data: inverse.data.map((value) => data.temperature * value), shape: inverse.shape },
    { data: inside.data.map((value) => value * value), shape: inside.shape },
  );
  const biased = data.readoutBias > 0;
  // 1 − s, the part of the bias at a test point that the data do not fix
  const free = biased ? multiply(scaleColumns(inverse, data.ones), cross) : zeros(0, 0);
  const mean = new Float64Array(points);
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < points; j++) {
      const at = k * points + j;
      const m = q[k]! * nodeMeans.data[at]! + biasMean[k]!;
      let variance = q[k]! * (outside[j * stride]! + nodeVariances.data[at]!);
      if (biased) {
        free.data[at] = 1 - q[k]! * free.data[at]!;
        variance += biasVariance[k]! * free.data[at]! ** 2;
      }
      nodeMeans.data[at] = m;
      nodeVariances.data[at] = Math.max(variance, 0);
      mean[j]! += weights[k]! * m;
    }
  }
  const variance = new Float64Array(points);
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < points; j++)
      variance[j]! += weights[k]! * (nodeVariances.data[k * points + j]! + (nodeMeans.data[k * points + j]! - mean[j]!) ** 2);
  }
  if (prior instanceof Float64Array) return { mean, variance, nodeMeans, nodeVariances };
  let scale = 0;
  const left = new Float64Array(r);
  const spread = zeros(n, points);
  for (let k = 0; k < n; k++) {
    scale += weights[k]! * q[k]!;
    for (let i = 0; i < r; i++) left[i]! += weights[k]! * q[k]! * data.temperature * inverse.data[k * r + i]!;
    for (let j = 0; j < points; j++) spread.data[k * points + j] = Math.sqrt(weights[k]!) * (nodeMeans.data[k * points + j]! - mean[j]!);
  }
  const between = gram(transpose(spread));
  const within = gram(transpose(scaleRows(inside, left.map(Math.sqrt))));
  const covariance = { data: outside.map((value, i) => scale * value + within.data[i]! + between.data[i]!), shape: prior.shape };
  if (biased) {
    const shared = gram(
      transpose(
        scaleRows(
          free,
          biasVariance.map((s, k) => Math.sqrt(weights[k]! * s)),
        ),
      ),
    );
    for (let i = 0; i < covariance.data.length; i++) covariance.data[i]! += shared.data[i]!;
  }
  return { mean, variance, covariance, nodeMeans, nodeVariances };
}

/**
 * The same at the training points, in the form without cancellation: means E[qκα + β] and variances E[qκT/(qκ + T)] along the eigenvectors,
 * and 1 − s = V o T/(qκ + T), so that all are exact at T = 0. O(n P r).
 */
export function predictScalarTrain(
  posterior: ScalarPosterior,
  data: ScalarData,
  tables: NodeTables,
  vectors: Matrix,
): Pick<ScalarPrediction, "mean" | "variance"> {
  const { weights } = posterior;
  const { values, temperature, ones } = data;
  const { q, inverse, alpha, biasMean, biasVariance } = tables;
  const n = q.length;
  const [points, r] = vectors.shape;
  const fitted = zeros(n, r);
  const free = zeros(data.readoutBias > 0 ? n : 0, r);
  const left = new Float64Array(r);
  for (let k = 0; k < n; k++) {
    for (let i = 0; i < r; i++) {
      const at = k * r + i;
      const signal = q[k]! * values[i]!;
      fitted.data[at] = signal * alpha.data[at]!;
      left[i]! += weights[k]! * signal * temperature * inverse.data[at]!;
      if (data.readoutBias > 0) free.data[at] = ones[i]! * temperature * inverse.data[at]!;
    }
  }
  const nodeMeans = multiplyTransposedRight(fitted, vectors).data;
  const unexplained = multiplyTransposedRight(free, vectors).data;
  const mean = new Float64Array(points);
  const variance = trainDiagonal(vectors, left);
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < points; j++) {
      nodeMeans[k * points + j]! += biasMean[k]!;
      mean[j]! += weights[k]! * nodeMeans[k * points + j]!;
    }
  }
  for (let k = 0; k < n; k++) {
    for (let j = 0; j < points; j++) {
      variance[j]! += weights[k]! * (nodeMeans[k * points + j]! - mean[j]!) ** 2;
      if (data.readoutBias > 0) variance[j]! += weights[k]! * biasVariance[k]! * unexplained[k * points + j]! ** 2;
    }
  }
  return { mean, variance };
}

/** Predictive density of f at one point: Σ_k w_k N(value | m_k, v_k). */
export function predictiveDensity(posterior: ScalarPosterior, prediction: ScalarPrediction, point: number, value: number): number {
  const points = prediction.nodeMeans.shape[1];
  let density = 0;
  for (let k = 0; k < posterior.weights.length; k++) {
    const variance = prediction.nodeVariances.data[k * points + point]!;
    const difference = value - prediction.nodeMeans.data[k * points + point]!;
    density += (posterior.weights[k]! * Math.exp((-0.5 * difference * difference) / variance)) / Math.sqrt(2 * Math.PI * variance);
  }
  return density;
}

/** Predictions at the training points: k̂ = diag(κ)Vᵀ. */
export function trainCross(vectors: Matrix, values: Float64Array): Matrix {
  return scaleRows(transpose(vectors), values);
}

/** Diagonal of V diag(κ) Vᵀ. */
export function trainDiagonal(vectors: Matrix, values: Float64Array): Float64Array {
  const [n, r] = vectors.shape;
  const out = new Float64Array(n);
  for (let i = 0; i < n; i++) for (let k = 0; k < r; k++) out[i]! += values[k]! * vectors.data[i * r + k]! ** 2;
  return out;
}

/** VᵀK_x. O(P r P*). */
export const projectCross = (vectors: Matrix, cross: Matrix): Matrix => multiplyTransposedLeft(vectors, cross);
