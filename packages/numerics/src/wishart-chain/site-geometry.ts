import { zeros, type Matrix, type MixingLaw } from "@finitewidth/core";
import { identity, multiply, multiplyTransposedLeft, multiplyTransposedRight } from "@finitewidth/linalg";
import { blockDiagonal } from "./moments.js";

/** What a mixing law over sites may know besides its chain: how reduced sites sit among all sites of a layer. */
export interface SiteGeometry {
  /** U_l: S_l × ρ_l with orthonormal columns, layers 1 … L. */
  readonly siteBases: readonly Matrix[];
  /** Layers 1 … L: which site of the layer below each tap reads, at i·|m| + m; −1 for padding. */
  readonly tapTables: readonly { readonly inputSites: number; readonly outputSites: number; readonly tapCount: number; readonly taps: Int32Array }[];
  /** Φ_i with K¹_ij = Φ_i Φ_jᵀ, one per site of the first hidden layer: P × F. */
  siteFeatures(inputs: Matrix): readonly Matrix[];
}

/** The geometry of a law that has one (convolutions), undefined for the others. */
export function siteGeometryOf(law: MixingLaw): SiteGeometry | undefined {
  return "siteFeatures" in law && "siteBases" in law && "tapTables" in law ? (law as MixingLaw & SiteGeometry) : undefined;
}

/** (I⊗U) M (I⊗U)ᵀ: a mixing matrix over (output, reduced site) as one over (output, site). */
export function expandSites(basis: Matrix, mixing: Matrix): Matrix {
  const outputs = mixing.shape[0] / basis.shape[1];
  const wide = blockDiagonal(basis, outputs);
  return multiplyTransposedRight(multiply(wide, mixing), wide);
}

/** Mean over outputs of the diagonal blocks of a mixing matrix: S × S, how strongly pairs of sites are renormalised. */
export function siteMap(mixing: Matrix, outputs: number): Matrix {
  const d = mixing.shape[0];
  const sites = d / outputs;
  const out = zeros(sites, sites);
  for (let a = 0; a < outputs; a++) {
    for (let i = 0; i < sites; i++) for (let j = 0; j < sites; j++) out.data[i * sites + j]! += mixing.data[(a * sites + i) * d + a * sites + j]! / outputs;
  }
  return out;
}

/** Φ̃_r = Σ_i U_ir Φ_i: features of the reduced sites, K_rs = Φ̃_r Φ̃_sᵀ. */
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

/**
 * Covariance over features (F × F) of the first layer's filters given the data, whose image Φ_i A Φ_jᵀ is E[Ĝ¹_ij]: A = 1 + (1/C) Σ_rs Φ̃_rᵀ R_rs Φ̃_s,
 * R_(rμ)(sν) = Σ_ab M_(ar)(bs) H_(aμ)(bν), H = αα^T − Σ⁻¹ over (output, point). Same as K¹ + K¹RK¹/C, without kernels between all pairs of sites.
 * Cost: S² (D² P² + P² F + P F²). Source: docs/theories/convolution.md §7.
 */
export function learnedFeatureCovariance(reduced: readonly Matrix[], mixing: Matrix, h: Matrix, channels: number): Matrix {
  const [points, width] = reduced[0]!.shape;
  const sites = reduced.length;
  const d = mixing.shape[0];
  const outputs = d / sites;
  const core = identity(width);
  for (let r = 0; r < sites; r++) {
    for (let s = 0; s < sites; s++) {
      const block = zeros(points, points);
      for (let a = 0; a < outputs; a++) {
        for (let b = 0; b < outputs; b++) {
          const weight = mixing.data[(a * sites + r) * d + b * sites + s]! / channels;
          for (let mu = 0; mu < points; mu++) for (let nu = 0; nu < points; nu++) block.data[mu * points + nu]! += weight * h.data[(a * points + mu) * outputs * points + b * points + nu]!;
        }
      }
      const part = multiply(multiplyTransposedLeft(reduced[r]!, block), reduced[s]!);
      for (let k = 0; k < core.data.length; k++) core.data[k]! += part.data[k]!;
    }
  }
  return core;
}

/** mean_i Φ_i A Φ_iᵀ: a kernel averaged over sites, P × P. */
export function averageOverSites(features: readonly Matrix[], core: Matrix): Matrix {
  const points = features[0]!.shape[0];
  const out = zeros(points, points);
  for (const feature of features) {
    const part = multiplyTransposedRight(multiply(feature, core), feature);
    for (let k = 0; k < out.data.length; k++) out.data[k]! += part.data[k]! / features.length;
  }
  return out;
}
