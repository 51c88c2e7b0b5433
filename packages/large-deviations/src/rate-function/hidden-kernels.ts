import { zeros, type Matrix, type MixingLaw, type Problem, type Scaling, type WishartChain } from "@finitewidth/core";
import { cholesky, multiply } from "@finitewidth/linalg";
import {
  averageOverSites,
  conditionTargets,
  learnedFeatureCovariance,
  featuresOfSites,
  siteGeometryOf,
  stackFeatures,
  stackSiteKernels,
} from "@finitewidth/numerics";
import { dataCovariance } from "./chain-data.js";
import { predictRotated } from "./kronecker-solution.js";
import type { SpectralData } from "./spectral-data.js";

const diagonalQuadratic = (vector: Float64Array, into: Matrix, factor: number): void => {
  const n = vector.length;
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) into.data[i * n + j]! += factor * vector[i]! * vector[j]!;
};

/**
 * Ĝ¹ … Ĝ^L of a fully connected chain at the minimiser, E[Ĝ^l] = (1 − r_l/N_l) σ_w²(l) E[Ĝ^{l−1}] + E[f M_l⁺ fᵀ]/N_l with f | Y, Q
 * Gaussian. In mean-field scaling f is √N times smaller than f̄ and the terms of relative order 1/N are dropped: σ_w² Ĝ^{l−1} + f̄ M_l⁻¹
 * f̄ᵀ/n_l, a spike of rank D. O(D r P² + L D P²) for a kernel of rank r. Source: docs/theories/large-deviation.md §5.
 */
export function hiddenKernelsAtMinimum(
  chain: WishartChain,
  mixing: readonly Matrix[],
  kernel: Matrix,
  data: SpectralData,
  scaling: Scaling,
  referenceWidth: number,
): Matrix[] {
  const points = kernel.shape[0];
  const outputs = mixing[0]!.shape[0];
  const { mean, spread, vectors } = predictRotated(data, mixing[0]!, kernel, kernel.data);
  const out: Matrix[] = [];
  let previous = kernel;
  for (const [l, layer] of chain.layers.entries()) {
    const meanField = scaling === "mean-field";
    const share = meanField ? referenceWidth / layer.width : 1 / layer.width;
    const keep = (l === 0 ? 1 : chain.layers[l - 1]!.variance) * (meanField ? 1 : 1 - Math.min(outputs, layer.width) / layer.width);
    const next: Matrix = { data: previous.data.map((value) => keep * value), shape: previous.shape };
    // M_l commutes with Q: its eigenvalue along each eigenvector of Q
    const along = multiply(mixing[l]!, vectors);
    for (let a = 0; a < outputs; a++) {
      let value = 0;
      for (let b = 0; b < outputs; b++) value += vectors.data[b * outputs + a]! * along.data[b * outputs + a]!;
      diagonalQuadratic(
        Float64Array.from({ length: points }, (_, mu) => mean.data[mu * outputs + a]!),
        next,
        share / value,
      );
      if (!meanField)
        for (let k = 0; k < next.data.length; k++) next.data[k]! += (share / value) * (points > 1 ? spread[a]![k]! : spread[a]![0]!);
    }
    out.push(next);
    previous = next;
  }
  return out;
}

/**
 * Ĝ¹ averaged over sites for one hidden layer: mean_i [K_ii + (1/C) Σ_kl K_ik R_kl K_li], R = Σ_ab M_(ak)(bl) H_ab, H = αα^T − Σ⁻¹ over
 * (output, point), in mean-field scaling H = N αα^T. All sites i of the layer, k and l over its reduced sites. Undefined when the law does
 * not know its sites.
 */
export function firstHiddenKernelOverSites(
  problem: Problem,
  law: MixingLaw,
  mixing: readonly Matrix[],
  referenceWidth: number,
): readonly [Matrix] | undefined {
  const geometry = siteGeometryOf(law);
  if (geometry === undefined) return undefined;
  const { inputs, targets, temperature, scaling } = problem;
  const [points, outputs] = targets.shape;
  const y = zeros(points * outputs, 1);
  for (let mu = 0; mu < points; mu++) for (let a = 0; a < outputs; a++) y.data[a * points + mu] = targets.data[mu * outputs + a]!;
  const kernels = stackSiteKernels(law.siteKernels(inputs), law.sites);
  const conditioned = conditionTargets(dataCovariance(law.chain, kernels, mixing, outputs), y, temperature, { regular: true });
  const alpha = conditioned.weights.data;
  const features = geometry.siteFeatures(inputs);
  const evidence = scaling === "mean-field" ? { alpha, weight: referenceWidth } : { alpha, weight: 1, whiten: conditioned.whiten };
  const core = learnedFeatureCovariance(
    stackFeatures(featuresOfSites(geometry, inputs)),
    cholesky(mixing[0]!).factor,
    law.chain.layers[0]!.width,
    evidence,
  );
  return [averageOverSites(features, core)];
}
