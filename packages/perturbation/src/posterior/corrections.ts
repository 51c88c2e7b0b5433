import { zeros, type Matrix } from "@finitewidth/core";
import {
  block,
  diagonalOf,
  frobenius,
  innerProduct,
  multiply,
  multiplyTransposedRight,
  symmetricEigenvalues,
  symmetrise,
  transpose,
} from "@finitewidth/linalg";
import type { Fluctuation } from "./fluctuation.js";
import type { GaussianPieces } from "./gaussian-pieces.js";

/** First-order correction of the latent outputs at m points. */
export interface PredictionCorrection {
  /** m × D. */
  readonly mean: Matrix;
  /** m × D. */
  readonly variance: Matrix;
  /** (m·D) × (m·D), index point·D + output; on request. */
  readonly covariance?: Matrix;
}

/** A fluctuation seen through rows q (m × n): all that a prediction needs of it. */
export interface ProjectedFluctuation {
  /** X over the joint points, n × n. */
  readonly x: Matrix;
  /** [q Z]_{·,train} a: m × D. */
  readonly meanPart: Matrix;
  /** q Z qᵀ: its diagonal (m numbers), or the whole m × m matrix. */
  readonly shared: Float64Array | Matrix;
  /** W: its diagonal (m × D), or the whole (m·D) × (m·D) matrix. */
  readonly outputs: Matrix;
}

/**
 * Projects Z and W of a fluctuation that is known as a whole. O(m n²), with covariances also O(m² n), and the outputs' part of the
 * fluctuation.
 */
export function projectFluctuation(
  fluctuation: Fluctuation,
  q: Matrix,
  { weights }: GaussianPieces,
  covariance: boolean,
): ProjectedFluctuation {
  const image = multiply(q, fluctuation.z);
  return {
    x: fluctuation.x,
    meanPart: multiply(block(image, 0, q.shape[0], 0, weights.shape[0]), weights),
    shared: covariance ? multiplyTransposedRight(image, q) : rowProducts(image, q),
    outputs: covariance ? fluctuation.crossOutputs(q) : fluctuation.crossOutputsDiagonal(q),
  };
}

/** Σ_j a_ij b_ij for every row i. */
export function rowProducts(a: Matrix, b: Matrix): Float64Array {
  const [rows, columns] = a.shape;
  const out = new Float64Array(rows);
  for (let i = 0; i < rows; i++) for (let j = i * columns; j < (i + 1) * columns; j++) out[i]! += a.data[j]! * b.data[j]!;
  return out;
}

/**
 * mean1 = [q(δ + X − Z)]_{·,train} a, cov1 = δ_jk q(δ + X − Z)qᵀ + W. With q = [−K_*R Γ⁻¹, 1] (m × n) this is the prediction at the test
 * points of the joint kernel, with q = T Γ⁻¹ (on the training points alone) the one at the training points. `meanShift`: δ, n × n. O(m n²)
 * for q of m × n, with covariances also O(m² (n + D²)). Source: docs/theories/perturbative.md §4; S. Yaida (2019) for the mean at T = 0.
 */
export function correctPrediction(
  q: Matrix,
  meanShift: Matrix,
  projected: ProjectedFluctuation,
  { weights }: GaussianPieces,
): PredictionCorrection {
  const [P, D] = weights.shape;
  const m = q.shape[0];
  const image = multiply(q, { data: meanShift.data.map((value, i) => value + projected.x.data[i]!), shape: meanShift.shape });
  const kernelPart = multiply(block(image, 0, m, 0, P), weights);
  const mean: Matrix = { data: kernelPart.data.map((value, i) => value - projected.meanPart.data[i]!), shape: [m, D] };
  const { shared, outputs } = projected;
  if (shared instanceof Float64Array) {
    const own = rowProducts(image, q);
    return {
      mean,
      variance: { data: outputs.data.map((value, i) => value + own[Math.floor(i / D)]! - shared[Math.floor(i / D)]!), shape: [m, D] },
    };
  }
  const own = multiplyTransposedRight(image, q);
  const covariance = zeros(m * D, m * D);
  const variance = zeros(m, D);
  for (let i = 0; i < m; i++) {
    for (let k = 0; k < m; k++) {
      for (let j = 0; j < D; j++) {
        for (let o = 0; o < D; o++) {
          const at = (i * D + j) * m * D + k * D + o;
          covariance.data[at] = outputs.data[at]! + (j === o ? own.data[i * m + k]! - shared.data[i * m + k]! : 0);
        }
      }
    }
    for (let j = 0; j < D; j++) variance.data[i * D + j] = covariance.data[(i * D + j) * m * D + i * D + j]!;
  }
  return { mean, variance, covariance };
}

/** [−R, 1] for R = K_*R Γ⁻¹: m × (P + m). */
export function residualRows(regression: Matrix): Matrix {
  const [m, P] = regression.shape;
  const q = zeros(m, P + m);
  for (let i = 0; i < m; i++) {
    for (let b = 0; b < P; b++) q.data[i * (P + m) + b] = -regression.data[i * P + b]!;
    q.data[i * (P + m) + P + i] = 1;
  }
  return q;
}

/** ½tr(Aδ) − ½tr(AZ) − (D/4)tr(Γ⁻¹Z) + ¼tr(AX), all on training points: the first-order correction of log p(Y). */
export function evidenceCorrection(meanShift: Matrix, x: Matrix, z: Matrix, { gradient, inverse, weights }: GaussianPieces): number {
  const D = weights.shape[1];
  return (
    0.5 * innerProduct(gradient, meanShift) -
    0.5 * innerProduct(gradient, z) -
    0.25 * D * innerProduct(inverse, z) +
    0.25 * innerProduct(gradient, x)
  );
}

/** How far a problem is from the regime of the expansion. */
export interface ExpansionDiagnostics {
  /** Standard deviation of the log importance weight of K̂, √(½ tr(A X)). */
  readonly logWeightStd: number;
  /** λ_max(R Z Rᵀ), RᵀR = Γ⁻¹, of order P/N times the number of layers. */
  readonly kernelFluctuation: number;
  /** ‖X + δ‖_F/‖K‖_F on training points. */
  readonly relativeKernelShift: number;
}

/** Diagnostics on the training points. O(P³). Source: docs/theories/perturbative.md §9. */
export function expansionDiagnostics(
  kernel: Matrix,
  meanShift: Matrix,
  x: Matrix,
  z: Matrix,
  { gradient, whiten }: GaussianPieces,
): ExpansionDiagnostics {
  const whitened = whiten(transpose(whiten(z)));
  const shift = zeros(...x.shape);
  for (let i = 0; i < x.data.length; i++) shift.data[i] = x.data[i]! + meanShift.data[i]!;
  return {
    logWeightStd: Math.sqrt(Math.max(0.5 * innerProduct(gradient, x), 0)),
    kernelFluctuation: symmetricEigenvalues(symmetrise(whitened)).at(-1)!,
    relativeKernelShift: frobenius(shift) / (frobenius(kernel) || 1),
  };
}

/**
 * KernelFluctuation above which corrections of predictions are doubtful and not to be trusted; logWeightStd²·kernelFluctuation, the size of
 * the second order, above which that of the log evidence is. Measured against sampled networks (docs/theories/perturbative.md, "When it
 * holds").
 */
export const perturbativeThresholds = { doubtful: 0.5, broken: 1, evidence: 5 } as const;

/** Warnings for a result: size of the expansion parameters. */
export function expansionWarnings({ logWeightStd, kernelFluctuation }: ExpansionDiagnostics): string[] {
  const { doubtful, broken, evidence } = perturbativeThresholds;
  const size = `kernelFluctuation = ${kernelFluctuation.toPrecision(3)}`;
  const warnings: string[] = [];
  if (kernelFluctuation > broken)
    warnings.push(
      `not perturbative: ${size} exceeds ${broken}, errors of 6 to 100 % in the generalisation error were measured there; use wider layers, more noise, or another method`,
    );
  else if (kernelFluctuation > doubtful) warnings.push(`first-order corrections are doubtful: ${size} exceeds ${doubtful}`);
  const second = logWeightStd ** 2 * kernelFluctuation;
  if (second > evidence)
    warnings.push(
      `the log evidence is doubtful: logWeightStd² · kernelFluctuation = ${second.toPrecision(3)} exceeds ${evidence}, errors of 0.5 nats and more were measured there`,
    );
  return warnings;
}

/** Smallest eigenvalue of a corrected kernel below −1e-10 of its largest: the first-order kernel is indefinite. O(P³). */
export function isIndefinite(kernel: Matrix): boolean {
  const values = symmetricEigenvalues(kernel);
  return values[0]! < -1e-10 * Math.max(values.at(-1)!, Math.max(...diagonalOf(kernel).map(Math.abs)));
}
