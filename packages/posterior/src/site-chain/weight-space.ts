import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  gram,
  identity,
  multiply,
  multiplyTransposedLeft,
  multiplyTransposedRight,
  solveCholesky,
  type Cholesky,
} from "@finitewidth/linalg";
import {
  chainFactors,
  coordinatesToFactors,
  hasUpperBiases,
  outputRows,
  type ChainFactor,
  type CoordinateFactors,
  type StackedFeatures,
} from "@finitewidth/numerics";
import type { SiteModel } from "./problem.js";

/**
 * What the likelihood needs of the data when the outputs are seen as f = Ψ θ, θ ~ N(0, 1) over (column of the factor of M_1, feature):
 * second moments of the features, nothing of the size of the data. Plain data.
 */
export interface WeightSpace {
  /** Σ_μ Φ_s(μ,f) Φ_s'(μ,f') at row (s, f, f'), column s'. */
  readonly moments: Matrix;
  /** Σ_μ Φ_s(μ,f) y_a(μ): outputs × (S F), one row per output. */
  readonly projections: Matrix;
  /** |y|². */
  readonly square: number;
  /** F. */
  readonly width: number;
}

/** Weights per target above which the posterior is found over points instead. */
const share = 0.8;
/** |y|²/T above which the difference |y|² − bᵀA⁻¹b would lose too many digits. */
const largestRatio = 1e9;

/** The weights' view of a problem; undefined where there are too many of them, without noise, or with biases above layer 1. */
export function weightSpaceOf(
  { law, layout, outputs, targets, temperature }: Omit<SiteModel, "covariance">,
  { points, width, stacked }: StackedFeatures,
): WeightSpace | undefined {
  const square = targets.reduce((sum, y) => sum + y * y, 0);
  if (!(temperature > 0) || square > largestRatio * temperature || hasUpperBiases(law.chain)) return undefined;
  if (layout.layers[0]!.rank * width > share * targets.length) return undefined;
  const sites = stacked.shape[0];
  const byFeature = zeros(sites * width, points);
  for (let s = 0; s < sites; s++)
    for (let mu = 0; mu < points; mu++)
      for (let f = 0; f < width; f++) byFeature.data[(s * width + f) * points + mu] = stacked.data[(s * points + mu) * width + f]!;
  const { data } = gram(byFeature);
  const moments = zeros(sites * width * width, sites);
  for (let s = 0; s < sites; s++)
    for (let f = 0; f < width; f++)
      for (let other = 0; other < sites; other++)
        for (let g = 0; g < width; g++)
          moments.data[((s * width + f) * width + g) * sites + other] = data[(s * width + f) * sites * width + other * width + g]!;
  return { moments, projections: multiplyTransposedRight({ data: targets, shape: [outputs, points] }, byFeature), square, width };
}

/** The Gaussian posterior of the weights θ given one value of the chain: mean A⁻¹b, covariance T A⁻¹, A = ΨᵀΨ + T, b = Ψᵀy. */
export interface WeightConditional {
  readonly coordinates: CoordinateFactors;
  readonly factors: readonly ChainFactor[];
  /** A = L Lᵀ. */
  readonly root: Cholesky;
  readonly weights: Float64Array;
  readonly logLikelihood: number;
  /** S(F_a ⊗ 1) for every output: S × (F F r), for the gradient. */
  readonly images: readonly Matrix[];
}

/**
 * Everything at one point of coordinate space: log N(y | 0, ΨΨᵀ + T) by Woodbury. O(n³ + D S F² r (S + r)) with n = r F weights, whatever
 * the number of points; undefined where A is singular.
 */
export function conditionOnWeights(
  { layout, outputs, targets, temperature }: SiteModel,
  space: WeightSpace,
  x: Float64Array,
): WeightConditional | undefined {
  const coordinates = coordinatesToFactors(layout, x);
  const { width } = space;
  const sites = space.moments.shape[1];
  try {
    const factors = chainFactors(layout, coordinates.z);
    const factor = factors[0]!.f;
    const r = factor.shape[1];
    const n = r * width;
    const a = zeros(n, n);
    const b = new Float64Array(n);
    const images: Matrix[] = [];
    for (let o = 0; o < outputs; o++) {
      const rows = outputRows(factor, o, sites);
      const image: Matrix = { data: multiply(space.moments, rows).data, shape: [sites, width * width * r] };
      images.push(image);
      const quadratic = multiplyTransposedLeft(rows, image).data;
      for (let c = 0; c < r; c++)
        for (let f = 0; f < width; f++)
          for (let g = 0; g < width; g++)
            for (let e = 0; e < r; e++) a.data[(c * width + f) * n + e * width + g]! += quadratic[((c * width + f) * width + g) * r + e]!;
      for (let s = 0; s < sites; s++)
        for (let c = 0; c < r; c++)
          for (let f = 0; f < width; f++) b[c * width + f]! += rows.data[s * r + c]! * space.projections.data[(o * sites + s) * width + f]!;
    }
    const root = cholesky(addDiagonal(a, temperature));
    const weights = solveCholesky(root, { data: b, shape: [n, 1] }).data;
    const explained = weights.reduce((sum, value, k) => sum + value * b[k]!, 0);
    const count = targets.length;
    const logDeterminant = (count - n) * Math.log(temperature) + root.logDeterminant;
    const logLikelihood = -0.5 * ((space.square - explained) / temperature + logDeterminant + count * Math.log(2 * Math.PI));
    return { coordinates, factors, root, weights, logLikelihood, images };
  } catch (error) {
    if (error instanceof FinitewidthError && (error.code === "not-positive-definite" || error.code === "input")) return undefined;
    throw error;
  }
}

/** Gradient of the log likelihood with respect to the factor of M_1: 2 S(F⊗1)Ḡ and u b̄, with Ḡ = −½A⁻¹ − θθᵀ/2T, b̄ = θ/T. */
export function weightGradient({ outputs, temperature }: SiteModel, space: WeightSpace, conditional: WeightConditional): Matrix {
  const { factors, root, weights, images } = conditional;
  const { width } = space;
  const [rows, r] = factors[0]!.f.shape;
  const sites = rows / outputs;
  const n = r * width;
  const inverse = solveCholesky(root, identity(n)).data;
  // −2Ḡ as (f, g, e) × c
  const g = zeros(width * width * r, r);
  for (let c = 0; c < r; c++) {
    for (let f = 0; f < width; f++) {
      for (let h = 0; h < width; h++) {
        for (let e = 0; e < r; e++) {
          const at = (c * width + f) * n + e * width + h;
          g.data[((f * width + h) * r + e) * r + c] = inverse[at]! + (weights[c * width + f]! * weights[e * width + h]!) / temperature;
        }
      }
    }
  }
  const out = zeros(rows, r);
  images.forEach((image, o) => {
    const part = multiply(image, g).data;
    for (let s = 0; s < sites; s++) {
      for (let c = 0; c < r; c++) {
        let value = -part[s * r + c]!;
        for (let f = 0; f < width; f++)
          value += (space.projections.data[(o * sites + s) * width + f]! * weights[c * width + f]!) / temperature;
        out.data[(o * sites + s) * r + c] = value;
      }
    }
  });
  return out;
}

/**
 * E[θθᵀ | Y] summed over the columns of the factor: C E[A] = (C − r) 1 + Σ_c (θ_cθ_cᵀ + T [A⁻¹]_cc), the learned covariance of features
 * over C.
 */
export function learnedWeightCovariance(
  { temperature }: SiteModel,
  { root, weights }: WeightConditional,
  width: number,
  channels: number,
): Matrix {
  const n = weights.length;
  const r = n / width;
  const inverse = solveCholesky(root, identity(n)).data;
  const out = zeros(width, width);
  for (let f = 0; f < width; f++) {
    for (let g = 0; g < width; g++) {
      let sum = f === g ? channels - r : 0;
      for (let c = 0; c < r; c++)
        sum += weights[c * width + f]! * weights[c * width + g]! + temperature * inverse[(c * width + f) * n + c * width + g]!;
      out.data[f * width + g] = sum / channels;
    }
  }
  return out;
}
