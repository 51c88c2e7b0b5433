import { zeros, type Matrix } from "@finitewidth/core";
import { gram, multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import { logGamma } from "@finitewidth/numerics";
import { biasAt, scalarAction } from "./scalar-action.js";
import { scalarMinima, type ScalarMinima } from "./scalar-minima.js";
import type { ScalarProblem } from "./scalar-problem.js";

/** Saddle point and the Gaussian approximation around it. */
export interface ScalarSaddle {
  /** Q*, at the global minimum. */
  readonly orderParameter: number;
  readonly action: number;
  /** S_uu and S_uuu at Q*. */
  readonly second: number;
  readonly third: number;
  /** Laplace: −(P/2) log 2π − (N/2)(S* − 1) − ½ log S_uu, exact for P = 0. */
  readonly logEvidence: number;
  /** E Q to order 1/N: Q*(1 + (1/S_uu − S_uuu/S_uu²)/N). */
  readonly meanOrderParameter: number;
  /** Var log Q ≈ 2/(N S_uu). */
  readonly varianceLogOrderParameter: number;
}

/** Laplace approximation at the lowest minimum. docs/theories/effective-action.md, "Laplace and the exact integral". */
export function scalarSaddle(problem: ScalarProblem, minima: ScalarMinima = scalarMinima(problem)): ScalarSaddle {
  const { orderParameter, action } = minima.minima[0];
  const { second, third } = scalarAction(problem, orderParameter);
  const { width } = problem;
  return {
    orderParameter,
    action,
    second,
    third,
    logEvidence: -0.5 * problem.eigenvalues.length * Math.log(2 * Math.PI) - 0.5 * width * (action - 1) - 0.5 * Math.log(second),
    meanOrderParameter: orderParameter * (1 + (1 / second - third / (second * second)) / width),
    varianceLogOrderParameter: 2 / (width * second),
  };
}

/** Nodes and normalised weights of the posterior of Q. */
export interface OrderParameterNodes {
  readonly nodes: Float64Array;
  readonly weights: Float64Array;
}
export interface ScalarIntegral extends OrderParameterNodes {
  /** log p(y), exact within the Gaussian equivalence. */
  readonly logEvidence: number;
  readonly mean: number;
  readonly variance: number;
  /** |log p(y)| difference to the rule with every other node: what the trapezoid rule may be wrong by, and far more. */
  readonly error: number;
}

/**
 * Posterior of Q by the trapezoid rule in u = log Q between the points where (N/2)(S − S_min) = 40: converges exponentially in the number
 * of nodes, which follows from the width of the minima. O(P) a node. Exact for φ = identity.
 */
export function scalarIntegral(problem: ScalarProblem, minima: ScalarMinima = scalarMinima(problem)): ScalarIntegral {
  const { width } = problem;
  const lowest = minima.minima[0].action;
  const excess = (u: number): number => 0.5 * width * (scalarAction(problem, Math.exp(u)).value - lowest);
  const logs = minima.minima.map(({ orderParameter }) => Math.log(orderParameter));
  const spread = (u: number): number => {
    const { second } = scalarAction(problem, Math.exp(u));
    return Math.sqrt(2 / (width * Math.max(second, 1e-3 * Math.exp(u))));
  };
  const step = Math.min(0.2, ...logs.map((u) => 0.2 * spread(u)));
  const edge = (from: number, direction: number): number => {
    let stride = direction * spread(from);
    let u = from + stride;
    for (let i = 0; i < 2000 && excess(u) < 40; i++) {
      if (i > 20) stride *= 1.2;
      u += stride;
    }
    return u;
  };
  const a = edge(Math.min(...logs), -1);
  const b = edge(Math.max(...logs), 1);
  const intervals = 2 * Math.ceil(Math.min(Math.max((b - a) / step, 60), 20000) / 2);
  const h = (b - a) / intervals;
  const nodes = Float64Array.from({ length: intervals + 1 }, (_, i) => Math.exp(a + i * h));
  const densities = nodes.map((Q) => Math.exp(-0.5 * width * (scalarAction(problem, Q).value - lowest)));
  let total = 0;
  let even = 0;
  densities.forEach((density, i) => {
    total += density;
    if (i % 2 === 0) even += density;
  });
  const weights = densities.map((density) => density / total);
  let mean = 0;
  nodes.forEach((Q, i) => (mean += weights[i]! * Q));
  let variance = 0;
  nodes.forEach((Q, i) => (variance += weights[i]! * (Q - mean) ** 2));
  const logNormalisation = 0.5 * width * Math.log(0.5 * width) - logGamma(0.5 * width);
  return {
    nodes,
    weights,
    mean,
    variance,
    logEvidence: -0.5 * problem.eigenvalues.length * Math.log(2 * Math.PI) + logNormalisation - 0.5 * width * lowest + Math.log(total * h),
    error: Math.abs(Math.log((2 * even) / total)),
  };
}

/** A posterior of Q that is a point: the saddle, or Q = 1 for infinite width. */
export const pointMass = (orderParameter: number): OrderParameterNodes => ({ nodes: Float64Array.of(orderParameter), weights: Float64Array.of(1) });

/** Nodes whose weight matters for a relative accuracy of 1e-15. */
export function* significantNodes({ nodes, weights }: OrderParameterNodes): Generator<readonly [orderParameter: number, weight: number]> {
  for (let i = 0; i < nodes.length; i++) if (weights[i]! > 1e-18) yield [nodes[i]!, weights[i]!];
}

/** Mean, variance and on request covariance of the outputs at some points. */
export interface ScalarPrediction {
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly covariance?: Matrix;
}

/**
 * Latent outputs at test points: E m(Q) and E s²(Q) + Var m(Q) over the nodes, with
 * m = c + Q Σ v_i(z_i − c w_i)/d_i and s² = Qκ − Q² Σ v_i²/d_i + (b/g)(1 − Q Σ v_i w_i/d_i)².
 * cross: P* × P and variances: P*, both without the readout bias; own: P* × P*, for covariances. O(P* P²) + O(P* P) a node.
 */
export function predictScalar(problem: ScalarProblem, posterior: OrderParameterNodes, cross: Matrix, variances: Float64Array, own?: Matrix): ScalarPrediction {
  const { eigenvalues: k, targets: z, ones: w, temperature, biasVariance: b } = problem;
  const size = k.length;
  const count = cross.shape[0];
  const v = multiply(cross, problem.vectors);
  const mean = new Float64Array(count);
  const variance = new Float64Array(count);
  const covariance = own === undefined ? undefined : zeros(count, count);
  const inverse = new Float64Array(size);
  const solved = new Float64Array(size);
  const perNode: { readonly weight: number; readonly means: Float64Array }[] = [];
  for (const [Q, weight] of significantNodes(posterior)) {
    const { factor, mean: c } = biasAt(problem, Q);
    for (let i = 0; i < size; i++) {
      inverse[i] = 1 / (temperature + Q * k[i]!);
      solved[i] = (z[i]! - c * w[i]!) * inverse[i]!;
    }
    const means = new Float64Array(count);
    const leverage = new Float64Array(count);
    for (let t = 0; t < count; t++) {
      let m = 0;
      let square = 0;
      let bias = 0;
      for (let i = 0; i < size; i++) {
        const x = v.data[t * size + i]!;
        m += x * solved[i]!;
        square += x * x * inverse[i]!;
        bias += x * w[i]! * inverse[i]!;
      }
      means[t] = c + Q * m;
      mean[t]! += weight * means[t]!;
      leverage[t] = 1 - Q * bias;
      variance[t]! += weight * (Q * variances[t]! - Q * Q * square + (b / factor) * leverage[t]! ** 2);
    }
    perNode.push({ weight, means });
    if (covariance && own) addCovariance(covariance, { Q, weight, inverse, v, own, leverage, biasScale: b / factor });
  }
  for (const { weight, means } of perNode) {
    for (let t = 0; t < count; t++) {
      variance[t]! += weight * (means[t]! - mean[t]!) ** 2;
      if (covariance) for (let s = 0; s < count; s++) covariance.data[t * count + s]! += weight * (means[t]! - mean[t]!) * (means[s]! - mean[s]!);
    }
  }
  for (let t = 0; t < count; t++) variance[t] = Math.max(variance[t]!, 0);
  return { mean, variance, ...(covariance ? { covariance } : {}) };
}

function addCovariance(
  covariance: Matrix,
  node: { readonly Q: number; readonly weight: number; readonly inverse: Float64Array; readonly v: Matrix; readonly own: Matrix; readonly leverage: Float64Array; readonly biasScale: number },
): void {
  const { Q, weight, inverse, v, own, leverage, biasScale } = node;
  const [count, size] = v.shape;
  const scaled = zeros(count, size);
  for (let t = 0; t < count; t++) for (let i = 0; i < size; i++) scaled.data[t * size + i] = v.data[t * size + i]! * Math.sqrt(inverse[i]!);
  const explained = gram(scaled);
  for (let t = 0; t < count; t++) {
    for (let s = 0; s < count; s++) {
      covariance.data[t * count + s]! += weight * (Q * own.data[t * count + s]! - Q * Q * explained.data[t * count + s]! + biasScale * leverage[t]! * leverage[s]!);
    }
  }
}

/** Latent outputs at the training points, in the form without cancellation: y − f = T A⁻¹y, variance T(1 − T A⁻¹); both exact at T = 0. O(P²) a node. */
export function predictScalarTrain(problem: ScalarProblem, posterior: OrderParameterNodes): ScalarPrediction {
  const { eigenvalues: k, targets: z, ones: w, temperature, biasVariance: b, vectors } = problem;
  const size = k.length;
  const mean = new Float64Array(size);
  const variance = new Float64Array(size);
  const perNode: { readonly weight: number; readonly means: Float64Array }[] = [];
  for (const [Q, weight] of significantNodes(posterior)) {
    const { factor, mean: c } = biasAt(problem, Q);
    const fitted = new Float64Array(size);
    const kept = new Float64Array(size);
    const leverage = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      const d = temperature + Q * k[i]!;
      fitted[i] = (Q * k[i]! * z[i]! + temperature * c * w[i]!) / d;
      kept[i] = (temperature * Q * k[i]!) / d;
      leverage[i] = (temperature * w[i]!) / d;
    }
    const means = new Float64Array(size);
    for (let t = 0; t < size; t++) {
      let [m, s, bias] = [0, 0, 0];
      for (let i = 0; i < size; i++) {
        const x = vectors.data[t * size + i]!;
        m += x * fitted[i]!;
        s += x * x * kept[i]!;
        bias += x * leverage[i]!;
      }
      means[t] = m;
      mean[t]! += weight * m;
      variance[t]! += weight * (s + (b / factor) * bias * bias);
    }
    perNode.push({ weight, means });
  }
  for (const { weight, means } of perNode) for (let t = 0; t < size; t++) variance[t]! += weight * (means[t]! - mean[t]!) ** 2;
  return { mean, variance };
}

/** Training error E(f_μ − y_μ)², averaged over points: [T²|r|² + T(P − T tr A⁻¹)]/P, and its bias part (f at its mean for each Q). O(P) a node. */
export function trainError(problem: ScalarProblem, posterior: OrderParameterNodes): { readonly total: number; readonly bias: number } {
  const { eigenvalues: k, targets: z, ones: w, temperature: T, biasVariance: b } = problem;
  const size = k.length;
  let total = 0;
  let biasPart = 0;
  for (const [Q, weight] of significantNodes(posterior)) {
    const { factor, mean: c } = biasAt(problem, Q);
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
    const { factor, mean: c } = biasAt(problem, Q);
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

/** U (diag(d) + Σ_j s_j c_j c_jᵀ) Uᵀ for orthogonal U, exactly symmetric; c_j are the columns. O(P³). */
export function sandwich(vectors: Matrix, diagonal: Float64Array, columns: Matrix, signs: readonly number[]): Matrix {
  const size = diagonal.length;
  const rotated = multiply(vectors, columns);
  const count = columns.shape[1];
  const half = zeros(size, size);
  const positive = diagonal.every((value) => value >= 0);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) half.data[i * size + j] = vectors.data[i * size + j]! * (positive ? Math.sqrt(diagonal[j]!) : diagonal[j]!);
  const out = positive ? gram(half) : multiplyTransposedRight(half, vectors);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = positive ? out.data[i * size + j]! : 0.5 * (out.data[i * size + j]! + out.data[j * size + i]!);
      for (let c = 0; c < count; c++) sum += signs[c]! * rotated.data[i * count + c]! * rotated.data[j * count + c]!;
      out.data[i * size + j] = out.data[j * size + i] = sum;
    }
  }
  return out;
}
