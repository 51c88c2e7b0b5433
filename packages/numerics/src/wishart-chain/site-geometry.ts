import { zeros, type Matrix, type MixingLaw, type SiteMap } from "@finitewidth/core";
import { identity, multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";
import { mapSites } from "./factors.js";

/** Sites that share something which can be taken away: the paths through one attention head. */
export interface SitePart {
  readonly label: string;
  readonly sites: readonly number[];
}

/** What a mixing law over sites may know besides its chain: how its sites come from those of the first layer. */
export interface SiteGeometry {
  /** Φ_i with K¹_ij = Φ_i Φ_jᵀ, one per site of the first hidden layer: P × F. */
  siteFeatures(inputs: Matrix): readonly Matrix[];
  /** Φ̃_r with K_rs = Φ̃_r Φ̃_sᵀ, one per site of M_1; left out: Σ_i U_ir Φ_i with the basis of layer 1. */
  reducedFeatures?(inputs: Matrix): readonly Matrix[];
  /** U_l: S_l × ρ_l with orthonormal columns, layers 1 … L, where the sites of M_l are combinations of the sites of layer l. */
  readonly siteBases?: readonly Matrix[];
  /** T_k of layers 1 … L, from the sites of the layer below to their own. Hidden kernels above layer 1 need them. */
  readonly siteMaps?: readonly (readonly SiteMap[])[];
  /** What a constant is at the sites of layers 1 … L (pooling with zeros makes it smaller). @defaultValue 1 everywhere */
  readonly constants?: readonly Float64Array[];
  /** Names of the sites of M_1, and what they pass through, where sites are paths. */
  readonly siteNames?: readonly string[];
  readonly parts?: readonly SitePart[];
}

/** The geometry of a law that has one (convolutions, attention), undefined for the others. */
export function siteGeometryOf(law: MixingLaw): SiteGeometry | undefined {
  return "siteFeatures" in law ? (law as MixingLaw & SiteGeometry) : undefined;
}

/** Features of the sites of M_1. Cost of the features, and of `reduceSites`. */
export const featuresOfSites = (geometry: SiteGeometry, inputs: Matrix): readonly Matrix[] =>
  geometry.reducedFeatures?.(inputs) ?? reduceSites(geometry.siteFeatures(inputs), geometry.siteBases![0]!);

/**
 * Diagonal of K between the rows of `inputs`, for a law of one site: in blocks, so that a long list needs no square matrix. 64 P numbers of
 * the kernel instead of P².
 */
export function siteKernelDiagonal(law: MixingLaw, { data, shape: [rows, columns] }: Matrix): Float64Array {
  const size = 64;
  const out = new Float64Array(rows);
  for (let from = 0; from < rows; from += size) {
    const count = Math.min(size, rows - from);
    const kernel = law.siteKernels({ data: data.subarray(from * columns, (from + count) * columns), shape: [count, columns] })[0]!;
    for (let i = 0; i < count; i++) out[from + i] = kernel.data[i * count + i]!;
  }
  return out;
}

/** (I⊗U) M (I⊗U)ᵀ: a mixing matrix over (output, reduced site) as one over (output, site). O(D² S ρ (S + ρ)) for ρ reduced sites. */
export function expandSites(basis: Matrix, mixing: Matrix): Matrix {
  return mapSites(basis, mixing.shape[0] / basis.shape[1], mixing);
}

/** Mean over outputs of the diagonal blocks of a mixing matrix: S × S, how strongly pairs of sites are renormalised. */
export function siteMap(mixing: Matrix, outputs: number): Matrix {
  const d = mixing.shape[0];
  const sites = d / outputs;
  const out = zeros(sites, sites);
  for (let a = 0; a < outputs; a++) {
    for (let i = 0; i < sites; i++)
      for (let j = 0; j < sites; j++) out.data[i * sites + j]! += mixing.data[(a * sites + i) * d + a * sites + j]! / outputs;
  }
  return out;
}

/** Φ̃_r = Σ_i U_ir Φ_i: features of the reduced sites, K_rs = Φ̃_r Φ̃_sᵀ. O(S ρ P F). */
export function reduceSites(features: readonly Matrix[], basis: Matrix): Matrix[] {
  const sites = basis.shape[1];
  return Array.from({ length: sites }, (_, r) => {
    const out = zeros(...features[0]!.shape);
    features.forEach((feature, i) => {
      const weight = basis.data[i * sites + r]!;
      if (weight !== 0) for (let k = 0; k < out.data.length; k++) out.data[k]! += weight * feature.data[k]!;
    });
    return out;
  });
}

/** Features of reduced sites side by side, S × (P F): row r holds Φ̃_r, point after point. */
export interface StackedFeatures {
  readonly points: number;
  readonly width: number;
  readonly stacked: Matrix;
}

/** Stacks the features of sites. */
export function stackFeatures(reduced: readonly Matrix[]): StackedFeatures {
  const [points, width] = reduced[0]!.shape;
  const stacked = zeros(reduced.length, points * width);
  reduced.forEach((feature, r) => stacked.data.set(feature.data, r * points * width));
  return { points, width, stacked };
}

/** Rows of output `a` of a factor of M_1: S × r, a view. */
export const outputRows = (factor: Matrix, a: number, sites: number): Matrix => ({
  data: factor.data.subarray(a * sites * factor.shape[1], (a + 1) * sites * factor.shape[1]),
  shape: [sites, factor.shape[1]],
});

/**
 * Ψ with f = Ψ θ given the chain, θ ~ N(0, 1), so that cov f = Ψ Ψᵀ: row (a, μ), column (c, f) holds Σ_r F_(ar)c Φ̃_r(μ, f), one block of F
 * columns per column c of the factor of M_1. (D P) × (r F). Cost: 2 D P r F S.
 */
export function outputDesign({ points, width, stacked }: StackedFeatures, factor: Matrix): Matrix {
  const sites = stacked.shape[0];
  const [rows, rank] = factor.shape;
  const outputs = rows / sites;
  const out = zeros(outputs * points, rank * width);
  for (let a = 0; a < outputs; a++) {
    const { data } = multiplyTransposedLeft(outputRows(factor, a, sites), stacked);
    for (let c = 0; c < rank; c++) {
      for (let mu = 0; mu < points; mu++)
        out.data.set(data.subarray((c * points + mu) * width, (c * points + mu + 1) * width), (a * points + mu) * rank * width + c * width);
    }
  }
  return out;
}

/** Adjoint of `outputDesign`: gradient with respect to the factor, (D S) × r, from one with respect to Ψ. 2 D P r F S flops. */
export function outputDesignAdjoint({ points, width, stacked }: StackedFeatures, rank: number, gradient: Matrix): Matrix {
  const sites = stacked.shape[0];
  const outputs = gradient.shape[0] / points;
  const out = zeros(outputs * sites, rank);
  const turned = zeros(rank, points * width);
  for (let a = 0; a < outputs; a++) {
    for (let c = 0; c < rank; c++) {
      for (let mu = 0; mu < points; mu++)
        turned.data.set(
          gradient.data.subarray((a * points + mu) * rank * width + c * width, (a * points + mu) * rank * width + (c + 1) * width),
          (c * points + mu) * width,
        );
    }
    out.data.set(multiplyTransposedRight(stacked, turned).data, a * sites * rank);
  }
  return out;
}

/** What the data say about the outputs: weight·αα^T − Σ⁻¹ over (output, point); without `whiten` the second term is dropped. */
export interface OutputEvidence {
  readonly alpha: Float64Array;
  readonly weight: number;
  /** Σ^{−½} applied. */
  readonly whiten?: (b: Matrix) => Matrix;
}

/**
 * Covariance over features (F × F) of the first layer's filters given the data, whose image Φ_i A Φ_jᵀ is E[Ĝ¹_ij]: A = 1 + (1/C) Σ_c Ψ_cᵀ
 * H Ψ_c, H = αα^T − Σ⁻¹. The same as K¹ + K¹RK¹/C, R_(rμ)(sν) = Σ_ab M_(ar)(bs) H_(aμ)(bν), without kernels between all pairs of sites.
 * Cost: r F (D P)² with r the rank of M_1. Source: docs/theories/convolution.md §7.
 */
export function learnedFeatureCovariance(
  features: StackedFeatures,
  factor: Matrix,
  channels: number,
  { alpha, weight, whiten }: OutputEvidence,
): Matrix {
  const { width } = features;
  const rank = factor.shape[1];
  const design = outputDesign(features, factor);
  const core = identity(width);
  const image = multiplyTransposedLeft(design, { data: alpha, shape: [alpha.length, 1] }).data;
  for (let c = 0; c < rank; c++) {
    for (let f = 0; f < width; f++)
      for (let g = 0; g < width; g++) core.data[f * width + g]! += (weight / channels) * image[c * width + f]! * image[c * width + g]!;
  }
  if (whiten === undefined) return core;
  const half = whiten(design);
  const rows = half.shape[0];
  // (row, c, f) read as rows (row, c): the sum over both is one product
  const stacked: Matrix = { data: half.data, shape: [rows * rank, width] };
  const reduction = multiplyTransposedLeft(stacked, stacked);
  for (let k = 0; k < core.data.length; k++) core.data[k]! -= reduction.data[k]! / channels;
  return core;
}

/** mean_i Φ_i A Φ_iᵀ: a kernel averaged over sites, P × P. O(S P F (F + P)). */
export function averageOverSites(features: readonly Matrix[], core: Matrix): Matrix {
  const points = features[0]!.shape[0];
  const out = zeros(points, points);
  for (const feature of features) {
    const part = multiplyTransposedRight(multiply(feature, core), feature);
    for (let k = 0; k < out.data.length; k++) out.data[k]! += part.data[k]! / features.length;
  }
  return out;
}
