import { zeros, type Matrix } from "@finitewidth/core";
import { multiply, multiplyTransposedLeft, multiplyTransposedRight, symmetricEigen, symmetrise } from "@finitewidth/linalg";
import type { MultiOutputProblem } from "./multi-output-problem.js";
import type { MultiOutputState } from "./multi-output-state.js";
import { sandwich, spanOf } from "./scalar-predict.js";

/** Mean (points × D), variance (points × D) and on request covariance (points·D)², index point·D + output. */
export interface MultiOutputPrediction {
  readonly mean: Matrix;
  readonly variance: Matrix;
  readonly covariance?: Matrix;
}

/** What prediction at new points needs: kernels without the readout bias, centred where the problem has a mean, and the mean there. */
export interface NewPoints {
  /** P* × P. */
  readonly cross: Matrix;
  /** P*. */
  readonly variances: Float64Array;
  /** P* × P*, for covariances. */
  readonly own?: Matrix;
  /** m at the new points. */
  readonly mean?: Float64Array;
}

/** Latent outputs at new points, at fixed order parameters. O(P* P² + P* P D²). */
export function predictMultiOutput(problem: MultiOutputProblem, state: MultiOutputState, points: NewPoints): MultiOutputPrediction {
  const { values: q, denominators, residual, directions } = state;
  const [size, outputs] = denominators.shape;
  const { projected: v, inside, outside, ownOutside } = spanOf(problem, points);
  const count = v.shape[0];
  const at = directions.map((x) => (x === problem.mean ? points.mean! : new Float64Array(count).fill(1)));
  const mean = multiply(v, residual);
  for (let t = 0; t < count; t++) for (let a = 0; a < outputs; a++) mean.data[t * outputs + a]! *= q[a]!;
  // l = x* − q v D⁻¹ x: how a direction is seen through the conditioned process
  const leverage = directions.map((x, alpha) => {
    const scaled = zeros(size, outputs);
    for (let i = 0; i < size; i++)
      for (let a = 0; a < outputs; a++) scaled.data[i * outputs + a] = (q[a]! * x[i]!) / denominators.data[i * outputs + a]!;
    const seen = multiply(v, scaled);
    return { data: seen.data.map((value, j) => at[alpha]![Math.floor(j / outputs)]! - value), shape: seen.shape } as Matrix;
  });
  addCoefficientMeans(mean, at, state);
  /** qT/(T + q k_i): what the data leave of a direction, in units of its variance. */
  const left = (i: number, a: number): number => (q[a]! * problem.temperature) / denominators.data[i * outputs + a]!;
  const own = (a: number): Matrix => {
    const scaled = { data: inside.data.map((value, at) => value * left(Math.floor(at / count), a)), shape: inside.shape };
    const inSpan = multiplyTransposedLeft(scaled, inside);
    return symmetrise({ data: inSpan.data.map((value, j) => q[a]! * outside[j]! + value), shape: [count, count] });
  };
  const marginal = zeros(count, outputs);
  for (let t = 0; t < count; t++) {
    for (let a = 0; a < outputs; a++) {
      let inSpan = 0;
      for (let i = 0; i < size; i++) inSpan += left(i, a) * inside.data[i * count + t]! ** 2;
      marginal.data[t * outputs + a] = q[a]! * ownOutside[t]! + inSpan;
    }
  }
  return assemble(state, mean, marginal, leverage, points.own ? Array.from({ length: outputs }, (_, a) => own(a)) : undefined);
}

/** Latent outputs at the training points without cancellation: y − Tr and T(1 − T A⁻¹). O(P²D). */
export function predictMultiOutputTrain(problem: MultiOutputProblem, state: MultiOutputState): MultiOutputPrediction {
  const { eigenvalues: k, targets, vectors, temperature: T } = problem;
  const { values: q, denominators, residual, directions, rotation } = state;
  const [size, outputs] = denominators.shape;
  const z = multiply(targets, rotation);
  const fitted = multiply(vectors, { data: z.data.map((value, j) => value - T * residual.data[j]!), shape: z.shape });
  const marginal = zeros(size, outputs);
  for (let t = 0; t < size; t++) {
    for (let i = 0; i < size; i++) {
      const square = vectors.data[t * size + i]! ** 2;
      for (let a = 0; a < outputs; a++)
        marginal.data[t * outputs + a]! += (square * T * q[a]! * k[i]!) / denominators.data[i * outputs + a]!;
    }
  }
  const leverage = directions.map((x) => {
    const scaled = zeros(size, outputs);
    for (let i = 0; i < size; i++)
      for (let a = 0; a < outputs; a++) scaled.data[i * outputs + a] = (T * x[i]!) / denominators.data[i * outputs + a]!;
    return multiply(vectors, scaled);
  });
  return assemble(state, fitted, marginal, leverage);
}

function addCoefficientMeans(mean: Matrix, at: readonly Float64Array[], state: MultiOutputState): void {
  const outputs = mean.shape[1];
  at.forEach((x, alpha) => {
    for (let t = 0; t < x.length; t++)
      for (let a = 0; a < outputs; a++) mean.data[t * outputs + a]! += x[t]! * state.coefficients[alpha * outputs + a]!;
  });
}

/** Adds the covariance of the integrated coefficients and rotates from the eigenbasis of Q to outputs. */
function assemble(
  state: MultiOutputState,
  mean: Matrix,
  marginal: Matrix,
  leverage: readonly Matrix[],
  blocks?: readonly Matrix[],
): MultiOutputPrediction {
  const { rotation, covariance: cov } = state;
  const [count, outputs] = mean.shape;
  const size = cov.shape[0];
  const rotated = multiplyTransposedRight(mean, rotation);
  /** Covariance of eigen-outputs a, e at points t, s. */
  const between = (t: number, s: number): Matrix => {
    const out = zeros(outputs, outputs);
    for (let a = 0; a < outputs; a++) {
      out.data[a * outputs + a] = blocks ? blocks[a]!.data[t * count + s]! : marginal.data[t * outputs + a]!;
      for (let e = 0; e < outputs; e++) {
        leverage.forEach((l, alpha) => {
          leverage.forEach((m, beta) => {
            out.data[a * outputs + e]! +=
              l.data[t * outputs + a]! * m.data[s * outputs + e]! * cov.data[(alpha * outputs + a) * size + beta * outputs + e]!;
          });
        });
      }
    }
    return multiplyTransposedRight(multiply(rotation, out), rotation);
  };
  const variance = zeros(count, outputs);
  const covariance = blocks ? zeros(count * outputs, count * outputs) : undefined;
  for (let t = 0; t < count; t++) {
    if (covariance) {
      for (let s = 0; s < count; s++) {
        const c = between(t, s);
        for (let a = 0; a < outputs; a++)
          for (let e = 0; e < outputs; e++)
            covariance.data[(t * outputs + a) * count * outputs + s * outputs + e] = c.data[a * outputs + e]!;
      }
      for (let a = 0; a < outputs; a++) variance.data[t * outputs + a] = covariance.data[(t * outputs + a) * (count * outputs + 1)]!;
    } else {
      const c = between(t, t);
      for (let a = 0; a < outputs; a++) variance.data[t * outputs + a] = Math.max(c.data[a * outputs + a]!, 0);
    }
  }
  return { mean: rotated, variance, ...(covariance ? { covariance } : {}) };
}

/**
 * Posterior mean of σ_w²φφᵀ/N on the training inputs at fixed order parameters: [m mᵀ +] K + (1/N) K Σ_ab Q_ab(r_a r_bᵀ − A⁻¹_ab) K, with a
 * mean also (1/N)(m pᵀ + p mᵀ), p = K E Σ_a ξ_a r_a. Exact given Q for φ = identity. O(P³ + P²D).
 */
export function multiOutputLearnedKernel(problem: MultiOutputProblem, state: MultiOutputState): Matrix {
  const { eigenvalues: k, mean, width, vectors } = problem;
  const { values: q, denominators, residual, directions, coefficients, covariance } = state;
  const [size, outputs] = denominators.shape;
  const count = covariance.shape[0];
  const diagonal = k.slice();
  const columns: Float64Array[] = [];
  const signs: number[] = [];
  const add = (sign: number, column: Float64Array): void => {
    columns.push(column);
    signs.push(sign);
  };
  const towardsMean = new Float64Array(size);
  for (let a = 0; a < outputs; a++) {
    const scale = Math.sqrt(q[a]! / width);
    const column = (f: (i: number) => number): Float64Array => Float64Array.from({ length: size }, (_, i) => f(i));
    for (let i = 0; i < size; i++) diagonal[i]! -= (q[a]! * k[i]! * k[i]!) / (width * denominators.data[i * outputs + a]!);
    add(
      1,
      column((i) => scale * k[i]! * residual.data[i * outputs + a]!),
    );
    // A⁻¹ is smaller than D⁻¹ by the directions integrated out: a small positive form, factorised by its eigenvectors
    if (directions.length > 0) {
      const own = zeros(directions.length, directions.length);
      for (let alpha = 0; alpha < directions.length; alpha++)
        for (let beta = 0; beta < directions.length; beta++)
          own.data[alpha * directions.length + beta] = covariance.data[(alpha * outputs + a) * count + beta * outputs + a]!;
      const eigen = symmetricEigen(own);
      eigen.values.forEach((value, j) => {
        const root = Math.sqrt(Math.max(value, 0));
        add(
          1,
          column(
            (i) =>
              directions.reduce((sum, x, alpha) => sum + x[i]! * eigen.vectors.data[alpha * directions.length + j]!, 0) *
              ((scale * root * k[i]!) / denominators.data[i * outputs + a]!),
          ),
        );
      });
    }
    if (mean && directions[0] === mean) {
      for (let i = 0; i < size; i++) {
        let joint = coefficients[a]! * residual.data[i * outputs + a]!;
        directions.forEach(
          (x, alpha) => (joint -= (x[i]! * covariance.data[a * count + alpha * outputs + a]!) / denominators.data[i * outputs + a]!),
        );
        towardsMean[i]! += (k[i]! * joint) / width;
      }
    }
  }
  if (mean && directions[0] === mean) {
    add(1, mean);
    add(
      1,
      mean.map((value, i) => Math.SQRT1_2 * (value + towardsMean[i]!)),
    );
    add(
      -1,
      mean.map((value, i) => Math.SQRT1_2 * (value - towardsMean[i]!)),
    );
  }
  const stacked = zeros(size, columns.length);
  columns.forEach((column, j) => column.forEach((value, i) => (stacked.data[i * columns.length + j] = value)));
  return sandwich(vectors, diagonal, stacked, signs);
}
