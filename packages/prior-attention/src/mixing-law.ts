import { inputError, type Matrix, type MixingLaw, type WishartChain } from "@finitewidth/core";
import { gram, multiplyTransposedRight, transpose } from "@finitewidth/linalg";
import { chainLayout, sampleChainFactors, siteCovariance, stackSiteKernels, type SiteGeometry } from "@finitewidth/numerics";
import { pathFeatures, tokenFeatures } from "./features.js";
import type { AttentionModel } from "./model.js";
import { attentionPaths, pathNames, suffixVectors, type AttentionPaths } from "./paths.js";
import { headParts } from "./scores.js";

/** Mixing law of an attention network: sites are paths of heads. */
export interface AttentionMixingLaw extends MixingLaw, SiteGeometry {
  readonly paths: AttentionPaths;
}

/**
 * M_L ~ W(N_L, s_L/N_L), M_l | M_{l+1} ~ W(N_l, (s_l/N_l) H_{l+1}⁻¹ Σ_h (I⊗t_h) M_{l+1} (I⊗t_h)ᵀ), s_l = σ_w²(l+1). Biases of layers 2 … L
 * enter with the sums R_σ of the suffix vectors, which must not depend on the input.
 * @throws FinitewidthError (code "input") for such biases under maps of the input whose rows need not sum to one.
 */
export function attentionChain(model: AttentionModel, paths: AttentionPaths): WishartChain {
  const { layers, weightVariance, biasVariance } = model.network;
  const depth = layers.length;
  const biased = biasVariance.findIndex((b, l) => l > 0 && l < depth && b > 0);
  if (biased > 0 && model.common === undefined && !model.stochastic)
    throw inputError(
      `network.biasVariance[${biased}]`,
      "0 in layers of values above maps that come with the inputs (their rows need not sum to one, so that the bias would depend on the input)",
      biasVariance[biased],
    );
  const total = model.readout.reduce((sum, value) => sum + value, 0);
  const suffix = model.common === undefined ? undefined : suffixVectors(paths, model.common);
  const sums = (l: number): Float64Array => {
    if (suffix !== undefined) return Float64Array.from(suffix[l]!, (row) => row.reduce((sum, value) => sum + value, 0));
    return paths.ones[l]!.map((value) => total * value);
  };
  return {
    layers: layers.map(({ width }, l) => ({
      width,
      sites: paths.sites[l]!,
      variance: weightVariance[l + 1]!,
      taps: paths.taps[l]!,
      biasVariance: l === 0 ? 0 : biasVariance[l]!,
      biasWeights: sums(l),
    })),
    readoutBiasVariance: biasVariance[depth]!,
  };
}

/**
 * Exact law of the mixing matrix over (output, attention path): cov(f_a(x), f_b(x')) = Σ_στ (M_1)_(aσ)(bτ) K_στ(x, x'), K_στ = σ_w²(1)/(N0
 * H_1) Σ_h ξ^{hσ}(x)·ξ^{hτ}(x'), ξ^{hσ} = Σ_j [ω^σ Ω^{1,h}]_j x_j. Sites are merged where paths are dependent for all inputs (maps common
 * to them), or as `paths` says. Kernels between sites cost O(ρ² P P′ F) for ρ sites, F features of a token. @throws FinitewidthError (code
 * "memory") for too many paths. Theory: docs/theories/attention.md; L. Tiberi, F. Mignacco, K. Irie, H. Sompolinsky (2024), generalised.
 */
export function attentionMixing(
  model: AttentionModel,
  paths: AttentionPaths = attentionPaths(model.heads, model.readout, model.common === undefined ? undefined : { maps: model.common }),
): AttentionMixingLaw {
  const chain = attentionChain(model, paths);
  const { weightVariance, biasVariance } = model.network;
  const features = (inputs: Matrix, path?: string): { readonly tokens: Matrix[]; readonly reduced: Matrix[] } => {
    const { sequences, maps } = model.parse(inputs, path);
    const tokens = tokenFeatures(sequences, maps[0]!, weightVariance[0]!, biasVariance[0]!);
    return { tokens, reduced: pathFeatures(tokens, suffixVectors(paths, maps)[0]!) };
  };
  const siteKernels = (inputs: Matrix, others?: Matrix): Matrix[] => {
    const left = features(inputs).reduced;
    if (others !== undefined) {
      const right = features(others, "others").reduced;
      return left.flatMap((a) => right.map((b) => multiplyTransposedRight(a, b)));
    }
    const out: Matrix[] = [];
    for (const [s, a] of left.entries())
      for (const [t, b] of left.entries())
        out.push(t < s ? transpose(out[t * left.length + s]!) : t === s ? gram(a) : multiplyTransposedRight(a, b));
    return out;
  };
  return {
    sites: paths.sites[0]!,
    chain,
    paths,
    ...(paths.reduced || paths.sites[0]! < 2 ? {} : { siteNames: pathNames(model.heads), parts: headParts(model.heads) }),
    siteFeatures: (inputs) => features(inputs).tokens,
    reducedFeatures: (inputs) => features(inputs).reduced,
    sample: (outputs, stream) => gram(sampleChainFactors(chainLayout(chain, outputs), stream)[0]!.f),
    siteKernels,
    covariance: (outputs, value, inputs, others) =>
      siteCovariance(stackSiteKernels(siteKernels(inputs, others), paths.sites[0]!), outputs, value),
  };
}
