import { shapeError, zeros, type Matrix, type MixingLaw, type SiteMap, type WishartChain, type WishartLayer } from "@finitewidth/core";
import { multiply, multiplyTransposedRight } from "@finitewidth/linalg";
import { reduceSites, type SiteGeometry } from "@finitewidth/numerics";
import type { ConvolutionChain } from "../chain.js";
import { filterMaps } from "./filters.js";
import type { ConvolutionGeometry } from "./geometry.js";
import { requireImages } from "./images.js";
import { requireMemory } from "./memory.js";
import { adjointPatchOperator } from "./patch-operator.js";
import { liveSites } from "../live-sites.js";
import { siteLaw } from "../site-law.js";
import { formKernel } from "./site-form.js";
import { siteSubspaces, type SiteSubspaces } from "./site-subspaces.js";

/** Mixing law of a deep linear convolutional network, with the geometry that kernels over all sites need. */
export interface ConvolutionalMixingLaw extends MixingLaw, SiteGeometry {
  readonly siteBases: readonly Matrix[];
  readonly siteMaps: readonly (readonly SiteMap[])[];
}

/**
 * The chain of a deep linear convolutional network in its site subspaces. A step between single sites gets the tap [[1]], its factor moved
 * into the variance.
 */
export function convolutionalChain(chain: ConvolutionChain, subspaces: SiteSubspaces): WishartChain {
  const { geometry, channels } = chain;
  const depth = channels.length;
  const layers = channels.map((width, l): WishartLayer => {
    const basis = subspaces.bases[l]!;
    const [rows, sites] = basis.shape;
    const biasWeights = Float64Array.from({ length: sites }, (_, r) => {
      let sum = 0;
      for (let i = 0; i < rows; i++) sum += basis.data[i * sites + r]!;
      return sum;
    });
    const common = { width, sites, biasVariance: l === 0 ? 0 : chain.biasVariance[l]!, biasWeights };
    const variance = chain.weightVariance[l + 1]!;
    if (l === depth - 1) return { ...common, variance: variance / geometry.layers[l]!.outputSites, taps: [] };
    const taps = subspaces.taps[l]!;
    if (sites > 1 || subspaces.bases[l + 1]!.shape[1] > 1) return { ...common, variance, taps };
    const factor = taps.reduce((sum, tap) => sum + tap.data[0]! ** 2, 0) / taps.length;
    return { ...common, variance: variance * factor, taps: [{ data: Float64Array.of(1), shape: [1, 1] }] };
  });
  return { layers, readoutBiasVariance: chain.biasVariance[depth]! };
}

/**
 * Exact law of the mixing matrix over (output, site) of a deep linear convolutional network: M^L ~ W(C_L, σ_w²(L+1)/(C_L S_L)),
 * M^{l−1} | M^l ~ W(C_{l−1}, σ_w²(l) T*_l(M^l)/C_{l−1}), cov(f_a, f_b) = Σ_ij M¹_(ai)(bj) K¹_ij. Covariances are contracted with T*_1
 * first, so they need S_0² numbers and never the S_1² kernels between sites.
 * @throws FinitewidthError (code "memory") when the site bases do not fit. Theory: docs/theories/convolution.md §4 (Bassetti et al. 2024).
 * A covariance of P points costs O(D² (|m| S_1² + C_0 P S_0 (S_0 + P))).
 */
export function convolutionalMixing(network: ConvolutionChain): ConvolutionalMixingLaw {
  const { geometry } = network;
  const siteMaps = geometry.layers.map(filterMaps);
  const subspaces = siteSubspaces(geometry, network.readout, reachedSites(network, siteMaps));
  const chain = convolutionalChain(network, subspaces);
  const [weightVariance, biasVariance] = [network.weightVariance[0]!, network.biasVariance[0]!];
  const features = (inputs: Matrix): Matrix[] => patchFeatures(geometry, inputs, weightVariance, biasVariance);
  return {
    ...siteLaw(chain, (inputs) => reduceSites(features(inputs), subspaces.bases[0]!)),
    siteBases: subspaces.bases,
    siteMaps,
    siteFeatures: features,
    covariance: (outputs, value, inputs, others = inputs) => {
      requireImages(inputs, geometry.channels, geometry.inputSites);
      requireImages(others, geometry.channels, geometry.inputSites, "others");
      return outputCovariance(geometry, subspaces.bases[0]!, outputs, value, inputs, others, weightVariance, biasVariance);
    },
  };
}

/** The sites of layers 1 … L that are not zero; all of them where the outputs are nothing but their bias. */
function reachedSites({ geometry, biasVariance }: ConvolutionChain, siteMaps: readonly (readonly SiteMap[])[]): Uint8Array[] | undefined {
  let below: Uint8Array = new Uint8Array(geometry.inputSites).fill(1);
  const live = siteMaps.map((maps, l) => (below = liveSites(maps, below, biasVariance[l]! > 0)));
  return below.includes(1) ? live : undefined;
}

/** Patches of every site of the first hidden layer, scaled so that their Gram matrices are K¹ (first-layer bias as one more feature). */
function patchFeatures(geometry: ConvolutionGeometry, inputs: Matrix, weightVariance: number, biasVariance: number): Matrix[] {
  const { channels, inputSites } = geometry;
  requireImages(inputs, channels, inputSites);
  const { taps, tapCount, outputSites } = geometry.layers[0]!;
  const [rows, size] = inputs.shape;
  const columns = channels * tapCount + (biasVariance > 0 ? 1 : 0);
  requireMemory(8 * outputSites * rows * columns, "the patches of the inputs", "use fewer inputs or larger strides");
  const scale = Math.sqrt(weightVariance / (channels * tapCount));
  return Array.from({ length: outputSites }, (_, i) => {
    const out = zeros(rows, columns);
    for (let mu = 0; mu < rows; mu++) {
      for (let m = 0; m < tapCount; m++) {
        const at = taps[i * tapCount + m]!;
        if (at < 0) continue;
        for (let c = 0; c < channels; c++)
          out.data[mu * columns + c * tapCount + m] = scale * inputs.data[mu * size + c * inputSites + at]!;
      }
      if (biasVariance > 0) out.data[(mu + 1) * columns - 1] = Math.sqrt(biasVariance);
    }
    return out;
  });
}

function outputCovariance(
  geometry: ConvolutionGeometry,
  basis: Matrix,
  outputs: number,
  value: Matrix,
  inputs: Matrix,
  others: Matrix,
  weightVariance: number,
  biasVariance: number,
): Matrix {
  const [size, sites] = basis.shape;
  const dimension = outputs * sites;
  if (value.shape[0] !== dimension || value.shape[1] !== dimension)
    throw shapeError("value", `${dimension} × ${dimension} (outputs × sites)`, value.shape.join(" × "));
  const [rows, columns] = [inputs.shape[0], others.shape[0]];
  requireMemory(
    8 * (outputs * outputs * rows * columns + size * size + 2 * geometry.inputSites ** 2),
    "the covariance of the outputs",
    "use fewer inputs or outputs",
  );
  const out = zeros(outputs * rows, outputs * columns);
  const spanned = size === sites;
  for (let a = 0; a < outputs; a++) {
    for (let b = 0; b < outputs; b++) {
      const reduced = zeros(sites, sites);
      for (let r = 0; r < sites; r++)
        for (let s = 0; s < sites; s++) reduced.data[r * sites + s] = value.data[(a * sites + r) * dimension + b * sites + s]!;
      const full = spanned ? reduced : multiplyTransposedRight(multiply(basis, reduced), basis);
      const kernel = formKernel(
        { kind: "full", weights: adjointPatchOperator(geometry.layers[0]!, full) },
        inputs,
        others,
        geometry.channels,
      );
      const constant = biasVariance * full.data.reduce((sum, entry) => sum + entry, 0);
      for (let mu = 0; mu < rows; mu++) {
        for (let nu = 0; nu < columns; nu++)
          out.data[(a * rows + mu) * outputs * columns + b * columns + nu] = weightVariance * kernel.data[mu * columns + nu]! + constant;
      }
    }
  }
  return out;
}
