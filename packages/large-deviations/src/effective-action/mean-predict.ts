import { zeros, type Matrix } from "@finitewidth/core";
import { multiplyTransposedLeft } from "@finitewidth/linalg";
import type { MeanNodes } from "./mean-integral.js";
import type { NewPoints } from "./multi-output-predict.js";
import type { MultiOutputProblem, MultiOutputSpectrum } from "./multi-output-problem.js";
import { biasAt } from "./scalar-action.js";
import { sandwich, spanOf, type ScalarPrediction } from "./scalar-predict.js";

/** The pieces of the prediction that are linear in ξ at one Q: f = base + ξ slope in the mean, plus a variance. */
interface LinearInXi {
  readonly weight: number;
  readonly base: Float64Array;
  readonly slope: Float64Array;
  readonly spread: number;
  readonly xi: number;
}

const significant = ({ nodes, weights, xi, xiSquare }: MeanNodes) =>
  Array.from(nodes.keys())
    .filter((j) => weights[j]! > 1e-18)
    .map((j) => ({ Q: nodes[j]!, weight: weights[j]!, xi: xi[j]!, spread: Math.max(xiSquare[j]! - xi[j]! ** 2, 0) }));

/** A⁻¹y and A⁻¹m at one Q in the eigenbasis, A = T + b11ᵀ + QK_c, with the bias coefficients of both. */
function solveAt(problem: MultiOutputSpectrum, Q: number) {
  const {
    eigenvalues: k,
    targets: { data: z },
    ones: w,
    temperature,
    biasVariance: b,
  } = problem;
  const m = problem.mean!;
  const inverse = k.map((value) => 1 / (temperature + Q * value));
  const y = biasAt(problem, Q, z);
  const mean = biasAt(problem, Q, m);
  return {
    inverse,
    fromTargets: z.map((value, i) => (value - y.mean * w[i]!) * inverse[i]!),
    fromMean: m.map((value, i) => (value - mean.mean * w[i]!) * inverse[i]!),
    targetBias: y.mean,
    meanBias: mean.mean,
    biasScale: b / y.factor,
  };
}

/** Latent outputs at new points averaged over (ξ, Q). O(P* P²) + O(P* P) a node. */
export function predictMeanIntegral(problem: MultiOutputProblem, posterior: MeanNodes, points: NewPoints): ScalarPrediction {
  const { ones: w, temperature } = problem;
  const { projected: v, inside, outside, ownOutside } = spanOf(problem, points);
  const [count, size] = v.shape;
  const variance = new Float64Array(count);
  const covariance = points.own ? zeros(count, count) : undefined;
  const parts: LinearInXi[] = [];
  for (const { Q, weight, xi, spread } of significant(posterior)) {
    const at = solveAt(problem, Q);
    const base = new Float64Array(count);
    const slope = new Float64Array(count);
    const leverage = new Float64Array(count);
    for (let t = 0; t < count; t++) {
      let [fy, fm, left, bias] = [0, 0, 0, 0];
      for (let i = 0; i < size; i++) {
        const x = v.data[t * size + i]!;
        fy += x * at.fromTargets[i]!;
        fm += x * at.fromMean[i]!;
        left += inside.data[i * count + t]! ** 2 * (temperature * at.inverse[i]!);
        bias += x * w[i]! * at.inverse[i]!;
      }
      base[t] = at.targetBias + Q * fy;
      slope[t] = points.mean![t]! - at.meanBias - Q * fm;
      leverage[t] = 1 - Q * bias;
      variance[t]! += weight * (Q * (ownOutside[t]! + left) + at.biasScale * leverage[t]! ** 2);
    }
    if (covariance) {
      const scaled = { data: inside.data.map((x, i) => x * (temperature * at.inverse[Math.floor(i / count)]!)), shape: inside.shape };
      const left = multiplyTransposedLeft(scaled, inside);
      for (let t = 0; t < count; t++)
        for (let s = 0; s < count; s++)
          covariance.data[t * count + s]! +=
            weight * (Q * (outside[t * count + s]! + left.data[t * count + s]!) + at.biasScale * leverage[t]! * leverage[s]!);
    }
    parts.push({ weight, base, slope, xi, spread });
  }
  return mixture(parts, variance, covariance);
}

/** Latent outputs at the training points, without cancellation. O(P²) a node. */
export function predictMeanIntegralTrain(problem: MultiOutputProblem, posterior: MeanNodes): ScalarPrediction {
  const {
    eigenvalues: k,
    targets: { data: z },
    ones: w,
    temperature: T,
    vectors,
  } = problem;
  const size = k.length;
  const variance = new Float64Array(size);
  const parts: LinearInXi[] = [];
  for (const { Q, weight, xi, spread } of significant(posterior)) {
    const at = solveAt(problem, Q);
    const base = new Float64Array(size);
    const slope = new Float64Array(size);
    for (let t = 0; t < size; t++) {
      let [fitted, seen, kept, bias] = [0, 0, 0, 0];
      for (let i = 0; i < size; i++) {
        const x = vectors.data[t * size + i]!;
        fitted += x * (z[i]! - T * at.fromTargets[i]!);
        seen += x * T * at.fromMean[i]!;
        kept += x * x * T * Q * k[i]! * at.inverse[i]!;
        bias += x * T * w[i]! * at.inverse[i]!;
      }
      // y − T A⁻¹(y − ξm)
      base[t] = fitted;
      slope[t] = seen;
      variance[t]! += weight * (kept + at.biasScale * bias * bias);
    }
    parts.push({ weight, base, slope, xi, spread });
  }
  return mixture(parts, variance);
}

function mixture(parts: readonly LinearInXi[], variance: Float64Array, covariance?: Matrix): ScalarPrediction {
  const count = variance.length;
  const mean = new Float64Array(count);
  for (const { weight, base, slope, xi } of parts) for (let t = 0; t < count; t++) mean[t]! += weight * (base[t]! + xi * slope[t]!);
  for (const { weight, base, slope, xi, spread } of parts) {
    const deviation = base.map((value, t) => value + xi * slope[t]! - mean[t]!);
    for (let t = 0; t < count; t++) {
      variance[t]! += weight * (deviation[t]! ** 2 + slope[t]! ** 2 * spread);
      if (covariance)
        for (let s = 0; s < count; s++)
          covariance.data[t * count + s]! += weight * (deviation[t]! * deviation[s]! + slope[t]! * slope[s]! * spread);
    }
  }
  for (let t = 0; t < count; t++) variance[t] = Math.max(variance[t]!, 0);
  return { mean, variance, ...(covariance ? { covariance } : {}) };
}

/**
 * Posterior mean of σ_w²φφᵀ/N on the training inputs: m mᵀ + K_c + E[(Q/N) K_c(r rᵀ − A⁻¹)K_c + (ξ/N)(m (K_c r)ᵀ + (K_c r) mᵀ)], r = A⁻¹(y
 * − ξm). O(P³ + P² nodes).
 */
export function meanLearnedKernel(problem: MultiOutputProblem, posterior: MeanNodes): Matrix {
  const { eigenvalues: k, ones: w, width } = problem;
  const m = problem.mean!;
  const size = k.length;
  const diagonal = k.slice();
  const columns: Float64Array[] = [];
  const cross = new Float64Array(size);
  for (const { Q, weight, xi, spread } of significant(posterior)) {
    const at = solveAt(problem, Q);
    const scale = (weight * Q) / width;
    for (let i = 0; i < size; i++) {
      diagonal[i]! -= scale * k[i]! * k[i]! * at.inverse[i]!;
      cross[i]! += (weight / width) * k[i]! * (xi * at.fromTargets[i]! - (spread + xi * xi) * at.fromMean[i]!);
    }
    columns.push(k.map((value, i) => Math.sqrt(scale) * value * (at.fromTargets[i]! - xi * at.fromMean[i]!)));
    columns.push(k.map((value, i) => Math.sqrt(scale * spread) * value * at.fromMean[i]!));
    if (at.biasScale > 0) columns.push(k.map((value, i) => Math.sqrt(scale * at.biasScale) * value * w[i]! * at.inverse[i]!));
  }
  const signs = columns.map(() => 1);
  // m pᵀ + p mᵀ = ½[(m + p)(m + p)ᵀ − (m − p)(m − p)ᵀ], and m mᵀ
  columns.push(
    m,
    m.map((value, i) => Math.SQRT1_2 * (value + cross[i]!)),
    m.map((value, i) => Math.SQRT1_2 * (value - cross[i]!)),
  );
  signs.push(1, 1, -1);
  const stacked = zeros(size, columns.length);
  columns.forEach((column, j) => column.forEach((value, i) => (stacked.data[i * columns.length + j] = value)));
  return sandwich(problem.vectors, diagonal, stacked, signs);
}
