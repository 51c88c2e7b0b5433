import { inputError, shapeError, zeros, type Matrix, type MixingLaw, type Problem } from "@finitewidth/core";
import {
  addDiagonal,
  affine,
  cholesky,
  gram,
  identity,
  multiply,
  multiplyTransposedLeft,
  solveLower,
  symmetricEigen,
  requireMemory,
} from "@finitewidth/linalg";
import {
  addConstantCovariance,
  biasCovariance,
  chainLayout,
  featuresOfSites,
  hasUpperBiases,
  outputDesign,
  pullBackMixing,
  siteCovariance,
  siteGeometryOf,
  stackFeatures,
  stackSiteKernels,
  type ChainLayout,
  type SiteKernels,
  type StackedFeatures,
} from "@finitewidth/numerics";
import { weightSpaceOf, type WeightSpace } from "./weight-space.js";

/** What the likelihood of the mixing matrices is made from, as plain data. */
export interface SiteModel {
  readonly law: Pick<MixingLaw, "chain">;
  readonly layout: ChainLayout;
  /** How the covariance of the outputs is put together from M_1. */
  readonly covariance: SiteCovariance;
  /** Y O as (output, point): D·P numbers. */
  readonly targets: Float64Array;
  readonly outputs: number;
  readonly temperature: number;
  /** Given where there are fewer weights than targets: the likelihood then works on them. */
  readonly weights?: WeightSpace;
}

/** A regression problem over sites with everything that does not depend on the mixing matrices computed once. */
export interface SiteProblem extends SiteModel {
  readonly law: MixingLaw;
  /** Orthogonal D × D: the sampler works on Y O, with the strongest direction of the outputs first. */
  readonly rotation: Matrix;
  /** Number of observations per output: the training points, or the rank of their covariance at T = 0. */
  readonly points: number;
}

/** Kernels between pairs of sites, or features of sites with the same Gram matrices: S P F numbers in place of S² P². */
export type SiteCovariance =
  { readonly kind: "kernels"; readonly kernels: SiteKernels } | { readonly kind: "features"; readonly features: StackedFeatures };

/** Features where the law knows them, else kernels. */
export function siteCovarianceOf(law: MixingLaw, inputs: Matrix): SiteCovariance {
  const geometry = siteGeometryOf(law);
  if (geometry === undefined) return { kind: "kernels", kernels: stackSiteKernels(law.siteKernels(inputs), law.sites) };
  return { kind: "features", features: stackFeatures(featuresOfSites(geometry, inputs)) };
}

/** Covariance Σ_ij M_1 K_ij at a factor F of M_1 = F Fᵀ, with Ψ (cov = Ψ Ψᵀ) where there is one. */
export function covarianceAt(
  covariance: SiteCovariance,
  outputs: number,
  factor: Matrix,
): { readonly covariance: Matrix; readonly design?: Matrix } {
  if (covariance.kind === "kernels") return { covariance: siteCovariance(covariance.kernels, outputs, gram(factor)) };
  const design = outputDesign(covariance.features, factor);
  return { covariance: gram(design), design };
}

/**
 * Covariance of all outputs, its Cholesky factor, inverse and adjoint, and what one layer of kernels works on, besides the features of the
 * sites: counted in P × P arrays.
 */
function requireSiteMemory({ chain, sites }: MixingLaw, points: number, outputs: number): void {
  const arrays = 8 * outputs ** 2 + (chain.layers.length + 2) * 2 + sites / points;
  const instead = 'a pooled readout over sites of which nothing is padding, or "nngp"';
  requireMemory({ method: "exact", points, arrays, together: 2.2 * outputs ** 2, instead });
}

/**
 * Kernels between sites and the rotation of the outputs (right singular vectors of (C + T)^(−1/2) Y, C the mean prior covariance), which
 * keeps Bartlett diagonals away from 0. `problem` in standard scaling. @throws FinitewidthError (code "memory") when the kernels do not
 * fit. Cost: S P F numbers (S² P² without features), O(P³).
 */
export function siteProblem(problem: Problem, law: MixingLaw, rotation?: Matrix, path = "likelihood.temperature"): SiteProblem {
  const { inputs, targets, temperature } = problem;
  const [points, outputs] = targets.shape;
  if (inputs.shape[0] !== points) throw shapeError("targets", `${inputs.shape[0]} rows, like inputs`, `${points}`);
  requireSiteMemory(law, points, outputs);
  const all = siteCovarianceOf(law, inputs);
  const { covariance, observed } = temperature === 0 ? onRange(law, all, targets, path) : { covariance: all, observed: targets };
  const rank = observed.shape[0];
  const turn = rotation ?? outputRotation(law, covariance, observed, temperature);
  const turned = multiply(observed, turn);
  const flat = new Float64Array(rank * outputs);
  for (let mu = 0; mu < rank; mu++) for (let a = 0; a < outputs; a++) flat[a * rank + mu] = turned.data[mu * outputs + a]!;
  const problemOnPoints = {
    law,
    layout: chainLayout(law.chain, outputs),
    covariance,
    rotation: turn,
    targets: flat,
    outputs,
    points: rank,
    temperature,
  };
  const weights = covariance.kind === "features" ? weightSpaceOf(problemOnPoints, covariance.features) : undefined;
  return weights === undefined ? problemOnPoints : { ...problemOnPoints, weights };
}

/**
 * At T = 0 the targets have a density on the range of the covariance only: everything is expressed in an orthonormal basis V of it, Φ_i →
 * VᵀΦ_i.
 * @throws FinitewidthError (code "input") for targets outside the range, or where the law has no features to project.
 */
function onRange(
  law: MixingLaw,
  covariance: SiteCovariance,
  targets: Matrix,
  path: string,
): { readonly covariance: SiteCovariance; readonly observed: Matrix } {
  const { values, vectors } = symmetricEigen(meanCovariance(law, covariance));
  const points = values.length;
  const from = values.findIndex((value) => value > 1e-12 * values[points - 1]!);
  if (from === 0) return { covariance, observed: targets };
  const rotated = multiplyTransposedLeft(vectors, targets);
  const outputs = targets.shape[1];
  const size = targets.data.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const outside = from < 0 || rotated.data.subarray(0, from * outputs).some((value) => Math.abs(value) > 1e-9 * size);
  // biases are constants over points: their image under the basis would have to be carried along
  if (outside || covariance.kind === "kernels" || hasUpperBiases(law.chain)) {
    throw inputError(
      path,
      "T > 0, or targets that the network can produce: their covariance is singular (duplicates, or more points than features)",
      `rank ${from < 0 ? 0 : points - from} for ${points} points`,
    );
  }
  const rank = points - from;
  const basis = zeros(points, rank);
  for (let i = 0; i < points; i++) basis.data.set(vectors.data.subarray(i * points + from, (i + 1) * points), i * rank);
  const { width, stacked } = covariance.features;
  const sites = stacked.shape[0];
  const projected = zeros(sites, rank * width);
  for (let r = 0; r < sites; r++) {
    projected.data.set(
      multiplyTransposedLeft(basis, { data: stacked.data.subarray(r * points * width, (r + 1) * points * width), shape: [points, width] })
        .data,
      r * rank * width,
    );
  }
  return {
    covariance: { kind: "features", features: { points: rank, width, stacked: projected } },
    observed: { data: rotated.data.slice(from * outputs), shape: [rank, outputs] },
  };
}

function outputRotation(law: MixingLaw, sites: SiteCovariance, targets: Matrix, temperature: number): Matrix {
  const outputs = targets.shape[1];
  if (outputs === 1) return identity(1);
  const covariance = meanCovariance(law, sites);
  const size = covariance.data.reduce((most, value) => Math.max(most, value), 0);
  const half = solveLower(cholesky(addDiagonal(covariance, temperature + 1e-10 * size)).factor, targets);
  const { vectors } = symmetricEigen(multiplyTransposedLeft(half, half));
  const rotation = zeros(outputs, outputs);
  for (let a = 0; a < outputs; a++)
    for (let b = 0; b < outputs; b++) rotation.data[a * outputs + b] = vectors.data[a * outputs + outputs - 1 - b]!;
  return rotation;
}

/** Prior covariance of one output: what infinitely many channels give. */
export function meanCovariance(law: MixingLaw, sites: SiteCovariance): Matrix {
  const mean = meanMixing(law, 1);
  const { covariance } = covarianceAt(sites, 1, cholesky(mean[0]!).factor);
  if (hasUpperBiases(law.chain)) addConstantCovariance(covariance, biasCovariance(law.chain, 1, mean));
  return covariance;
}

/** E M_1 … E M_L under the prior. */
export function meanMixing({ chain }: MixingLaw, outputs: number): Matrix[] {
  const out: Matrix[] = [];
  for (const layer of chain.layers.toReversed()) {
    const above = out[0];
    out.unshift(above === undefined ? affine(layer.variance, identity(outputs * layer.sites)) : pullBackMixing(layer, outputs, above));
  }
  return out;
}
