import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  combine,
  gram,
  innerProduct,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveCholesky,
  solveLower,
  symmetricEigen,
  symmetrise,
  transpose,
} from "@finitewidth/linalg";
import { newtonRoot } from "@finitewidth/numerics";

/** The action's two parts at Σ, in coordinates E of Σ^½ exp(E) Σ^½ along the eigenvectors of Σ. */
export interface LinearState {
  /** Z with Σ = ZZᵀ, columns along the eigenvectors: r × r. */
  readonly root: Matrix;
  /** Eigenvalues μ of M. */
  readonly overlaps: Float64Array;
  /** v = (FZ)ᵀV: r × D. */
  readonly fields: Matrix;
  /** ρ = (FZ)ᵀR FZ: r × r. */
  readonly freedom: Matrix;
  /** Minus the action, up to a constant. */
  readonly value: number;
  /** ½(M + s(Dρ − vvᵀ)): r × r. */
  readonly gradient: Matrix;
  /** Second derivative of the rate, entry by entry. */
  readonly curvature: Matrix;
}

/** μ > −min N_l with ln σ = Σ_l ln(1 + μ/N_l). */
function overlapOf(logVariance: number, widths: readonly number[]): number {
  // in t = ln(1 + μ/N_min) both ends are finite
  const least = Math.min(...widths);
  const f = (t: number): { readonly value: number; readonly slope: number } => {
    const mu = least * Math.expm1(t);
    let [value, slope] = [-logVariance, 0];
    for (const width of widths) {
      value += Math.log1p(mu / width);
      slope += (least * Math.exp(t)) / (width + mu);
    }
    return { value, slope };
  };
  if (logVariance === 0) return 0;
  // every term is at most t in size, and the narrowest layer's is t
  const equal = logVariance / widths.length;
  return (
    least *
    Math.expm1(
      newtonRoot(f, Math.min(equal, logVariance) - 1e-9, Math.max(equal, logVariance) + 1e-9, { start: equal, tolerance: 1e-15 }).root,
    )
  );
}

/** State at Σ = ZZᵀ, undefined where C + T is not positive definite in floating point. */
export function stateAt(
  problem: {
    readonly scales: Matrix;
    readonly targets: Matrix;
    readonly temperature: number;
    readonly widths: readonly number[];
    readonly strength: number;
  },
  start: Matrix,
): LinearState | undefined {
  const { scales, targets, temperature, widths, strength } = problem;
  const [r, D] = targets.shape;
  const { values, vectors } = symmetricEigen(gram(start));
  if (!(values[0]! > 0)) return undefined;
  const root = zeros(r, r);
  for (let i = 0; i < r; i++) for (let k = 0; k < r; k++) root.data[i * r + k] = vectors.data[i * r + k]! * Math.sqrt(values[k]!);
  const scaled = zeros(r, r);
  for (let i = 0; i < r; i++) for (let k = 0; k < r; k++) scaled.data[i * r + k] = scales.data[i]! * root.data[i * r + k]!;
  let factor;
  try {
    factor = cholesky(addDiagonal(multiplyTransposedRight(scaled, scaled), temperature));
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "not-positive-definite") return undefined;
    throw error;
  }
  const weights = solveCholesky(factor, targets);
  const fields = multiplyTransposedLeft(scaled, weights);
  const freedom = gram(transpose(solveLower(factor.factor, scaled)));
  const overlaps = values.map((value) => overlapOf(Math.log(value), widths));
  let rate = 0;
  for (const mu of overlaps) for (const width of widths) rate += 0.5 * (mu - width * Math.log1p(mu / width));
  const outer = multiplyTransposedRight(fields, fields);
  const gradient = combine(0.5 * strength * D, freedom, -0.5 * strength, outer);
  const curvature = zeros(r, r);
  for (let j = 0; j < r; j++) {
    gradient.data[j * r + j]! += 0.5 * overlaps[j]!;
    for (let k = 0; k < r; k++) {
      const difference = Math.log(values[j]!) - Math.log(values[k]!);
      let slope = 0;
      for (const width of widths) slope += 1 / (width + overlaps[k]!);
      // ¼(μ_j − μ_k)(σ_j + σ_k)/(σ_j − σ_k), and its limit ½ dμ/d ln σ
      curvature.data[j * r + k] =
        Math.abs(difference) < 1e-5 ? 0.5 / slope : (0.25 * (overlaps[j]! - overlaps[k]!)) / Math.tanh(0.5 * difference);
    }
  }
  const value = 0.5 * strength * (innerProduct(targets, weights) + D * factor.logDeterminant) + rate;
  return Number.isFinite(value) ? { root, overlaps, fields, freedom, value, gradient, curvature } : undefined;
}

/** Hessian of minus the action applied to a symmetric E: O(r³). */
export function applyHessian({ fields, freedom, gradient, overlaps, curvature }: LinearState, strength: number, e: Matrix): Matrix {
  const r = e.shape[0];
  const D = fields.shape[1];
  // the data's part of the gradient: without M
  const force: Matrix = { data: gradient.data.slice(), shape: gradient.shape };
  for (let k = 0; k < r; k++) force.data[k * r + k]! -= 0.5 * overlaps[k]!;
  const first = multiply(force, e);
  const pulled = multiply(e, freedom);
  const second = combine(
    strength,
    multiply(fields, multiplyTransposedLeft(fields, pulled)),
    -0.5 * strength * D,
    multiply(freedom, pulled),
  );
  const out = symmetrise(combine(1, first, 1, second));
  for (let i = 0; i < out.data.length; i++) out.data[i]! += curvature.data[i]! * e.data[i]!;
  return out;
}

/** Square of the gradient in the metric of the curvature. */
export const gradientSize = ({ gradient, curvature }: LinearState): number =>
  gradient.data.reduce((sum, value, i) => sum + value ** 2 / curvature.data[i]!, 0);
