import { FinitewidthError, matrix } from "@finitewidth/core";
import { cholesky } from "@finitewidth/linalg";

/** A linear map S with x = S w: coordinates w in which the target has covariance near 1. Momenta are N(0, 1) in them. */
export interface Metric {
  /** out += c · S w. */
  addForward(w: Float64Array, c: number, out: Float64Array): void;
  /** out += c · Sᵀ g. */
  addAdjoint(g: Float64Array, c: number, out: Float64Array): void;
}

/** S = 1. */
export const unitMetric: Metric = {
  addForward: (w, c, out) => {
    for (let i = 0; i < out.length; i++) out[i]! += c * w[i]!;
  },
  addAdjoint: (g, c, out) => {
    for (let i = 0; i < out.length; i++) out[i]! += c * g[i]!;
  },
};

/** S = diag(scales), the standard deviations of the coordinates. */
export function diagonalMetric(scales: Float64Array): Metric {
  const add = (v: Float64Array, c: number, out: Float64Array): void => {
    for (let i = 0; i < out.length; i++) out[i]! += c * scales[i]! * v[i]!;
  };
  return { addForward: add, addAdjoint: add };
}

/** Any S (d × d, row-major). O(d²) a product. */
export function factorMetric(factor: Float64Array): Metric {
  const d = Math.round(Math.sqrt(factor.length));
  return {
    addForward: (w, c, out) => {
      for (let i = 0; i < d; i++) {
        let sum = 0;
        for (let j = 0; j < d; j++) sum += factor[i * d + j]! * w[j]!;
        out[i]! += c * sum;
      }
    },
    addAdjoint: (g, c, out) => {
      for (let i = 0; i < d; i++) {
        const scaled = c * g[i]!;
        for (let j = 0; j < d; j++) out[j]! += scaled * factor[i * d + j]!;
      }
    },
  };
}

/** Learns a metric from positions: variances or the covariance, shrunk towards a multiple of the identity worth `weight` positions. */
export interface MetricEstimator {
  add(x: Float64Array): void;
  /** The metric of the positions seen since the last call. */
  finish(): Metric;
}

export function diagonalEstimator(dimension: number, prior: ShrinkageTarget): MetricEstimator {
  let count = 0;
  const mean = new Float64Array(dimension);
  const scatter = new Float64Array(dimension);
  return {
    add: (x) => {
      count++;
      for (let i = 0; i < dimension; i++) {
        const delta = x[i]! - mean[i]!;
        mean[i]! += delta / count;
        scatter[i]! += delta * (x[i]! - mean[i]!);
      }
    },
    finish: () => {
      const share = count / (count + prior.weight);
      const scales = scatter.map((value) => Math.sqrt(share * (value / (count - 1)) + (1 - share) * prior.variance));
      count = 0;
      mean.fill(0);
      scatter.fill(0);
      return diagonalMetric(scales);
    },
  };
}

export function denseEstimator(dimension: number, prior: ShrinkageTarget): MetricEstimator {
  let positions: Float64Array[] = [];
  return {
    add: (x) => void positions.push(x.slice()),
    finish: () => {
      const count = positions.length;
      const share = count / (count + prior.weight);
      const mean = new Float64Array(dimension);
      for (const x of positions) for (let i = 0; i < dimension; i++) mean[i]! += x[i]! / count;
      const covariance = new Float64Array(dimension * dimension);
      for (const x of positions) {
        for (let i = 0; i < dimension; i++)
          for (let j = 0; j <= i; j++) covariance[i * dimension + j]! += ((x[i]! - mean[i]!) * (x[j]! - mean[j]!) * share) / (count - 1);
      }
      for (let i = 0; i < dimension; i++) {
        covariance[i * dimension + i]! += (1 - share) * prior.variance;
        for (let j = 0; j < i; j++) covariance[j * dimension + i] = covariance[i * dimension + j]!;
      }
      positions = [];
      try {
        return factorMetric(cholesky(matrix(dimension, dimension, covariance)).factor.data);
      } catch (error) {
        if (!(error instanceof FinitewidthError)) throw error;
        return diagonalMetric(Float64Array.from({ length: dimension }, (_, i) => Math.sqrt(covariance[i * dimension + i]!)));
      }
    },
  };
}

/** What variances are shrunk towards, and the number of positions that counts for. */
export interface ShrinkageTarget {
  readonly variance: number;
  readonly weight: number;
}
