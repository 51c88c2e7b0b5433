import { shapeError, zeros, type Architecture, type Matrix, type MixingLaw, type WishartChain, type WishartLayer } from "@finitewidth/core";
import { identity, multiplyTransposedLeft, multiplyTransposedRight, thinSvd } from "@finitewidth/linalg";
import type { SiteGeometry } from "@finitewidth/numerics";
import { requireImages } from "../convolution/images.js";
import { requireMemory } from "../convolution/memory.js";
import { orthonormalBasis } from "../convolution/site-subspaces.js";
import { keepLive, liveSites } from "../live-sites.js";
import { siteLaw } from "../site-law.js";
import { siteRows } from "./full-kernels.js";
import { linearSteps, type LinearStep } from "./linear-steps.js";
import { applyMap, applyTransposed, everywhere } from "./source-maps.js";

/**
 * B_L with B_L B_Lᵀ = Σ_k T_kᵀT_k over the K maps of the readout: the maps side by side, in fewer columns where they depend on each other.
 */
function readoutBasis({ maps }: LinearStep, live: Uint8Array): Matrix {
  const [sites, count] = [maps[0]!.inputSites, maps.length];
  requireMemory(16 * sites * count, "the basis of the readout's sites", "use larger strides, fewer sites or a pooled readout");
  const one: Matrix = { data: Float64Array.of(1), shape: [1, 1] };
  const all = zeros(sites, count);
  maps.forEach((map, k) => applyTransposed(everywhere(map), one).data.forEach((value, i) => (all.data[i * count + k] = value)));
  const stacked = keepLive(all, live);
  const independent = orthonormalBasis([stacked]).shape[1];
  if (independent === count) return stacked;
  const { left, values } = thinSvd(stacked);
  const out = zeros(sites, independent);
  for (let i = 0; i < sites; i++)
    for (let r = 0; r < independent; r++) out.data[i * independent + r] = left.data[i * left.shape[1] + r]! * values[r]!;
  return out;
}

/**
 * Exact law of the mixing variable of random layers one above the other, with pooling, flattening and fixed attention between them, biases
 * included, and skips over single layers of weights (a noncentral step, see `WishartSkip`): M_l = B_l Z_l B_lᵀ with Z_L ~ W(N_L,
 * σ_w²(L+1)/(K N_L) 1) and Z_l | Z_{l+1} ~ W(N_l, σ_w²(l+1)/(K N_l) Σ_k t_k Z_{l+1} t_kᵀ), t_k = B_lᵀ (ΠT_k)ᵀ B_{l+1}: sites are those that
 * the layer above reads, the maps {ΠT_k} of a layer are its Kraus list. B_l (l < L) is an orthonormal basis of what the layers above see of
 * the sites, so that every Z_l is positive definite. Undefined for other networks. O(Σ_l K_l s_l ρ_l ρ_{l+1}) once for the bases, K_l maps
 * and ρ_l reduced sites; a covariance of P points costs what `siteCovariance` does.
 * @throws FinitewidthError (code "memory"). Theory: docs/theories/layers.md, "Exact laws".
 */
export function compositionMixing(architecture: Architecture): (MixingLaw & SiteGeometry) | undefined {
  const steps = linearSteps(architecture);
  if (steps === undefined) return undefined;
  const [first] = steps as readonly [LinearStep];
  const hidden = steps.slice(0, -1);
  const bases: Matrix[] = [];
  const taps: Matrix[][] = [];
  const skips: (Matrix | undefined)[] = [];
  const live = reachedSites(hidden);
  for (let l = hidden.length - 1; l >= 0; l--) {
    if (l === hidden.length - 1) bases.unshift(readoutBasis(steps[l + 1]!, live[l]!));
    else {
      const { maps, skip } = steps[l + 1]!;
      const above = bases[0]!;
      requireMemory(
        16 * (maps.length + 1) * steps[l]!.constant.length * above.shape[1],
        "the site subspaces",
        "use larger strides, fewer sites or fewer taps",
      );
      const moved = maps.map((map) => keepLive(applyTransposed(everywhere(map), above), live[l]!));
      const carried = skip === undefined ? undefined : keepLive(applyTransposed(everywhere(skip), above), live[l]!);
      const basis = orthonormalBasis(carried === undefined ? moved : [...moved, carried]);
      taps.unshift(moved.map((block) => multiplyTransposedLeft(basis, block)));
      skips.unshift(carried === undefined ? undefined : multiplyTransposedLeft(basis, carried));
      bases.unshift(basis);
    }
    if (bases[0]!.shape[1] === 0) return undefined;
  }
  const chain = chainOf(steps, bases, taps, skips);
  const { sites } = chain.layers[0]!;
  const features = (inputs: Matrix): readonly Matrix[] => siteFeatures(architecture, first, bases[0]!, inputs);
  return {
    ...siteLaw(chain, features),
    siteBases: bases,
    siteMaps: hidden.map(({ maps }) => maps),
    constants: hidden.map(({ constant }) => constant),
    siteFeatures: (inputs) => siteFeatures(architecture, first, identity(bases[0]!.shape[0]), inputs),
    reducedFeatures: features,
    covariance: (outputs, value, inputs, others) => {
      const d = outputs * sites;
      if (value.shape[0] !== d || value.shape[1] !== d) throw shapeError("value", `${d} × ${d} (outputs × sites)`, value.shape.join(" × "));
      const left = features(inputs);
      return outputCovariance(outputs, value, left, others ? features(others) : left);
    },
  };
}

/** The sites of every layer that are not zero whatever the weights. */
function reachedSites(steps: readonly LinearStep[]): Uint8Array[] {
  let below: Uint8Array = new Uint8Array((steps[0]!.maps[0] ?? steps[0]!.skip!).inputSites).fill(1);
  return steps.map(({ layer, maps, constant, skip }) => {
    const reached = liveSites(skip === undefined ? maps : [...maps, skip], below);
    below = layer.biasVariance > 0 ? reached.map((value, i) => (value === 1 || constant[i] !== 0 ? 1 : 0)) : reached;
    return below;
  });
}

function chainOf(
  steps: readonly LinearStep[],
  bases: readonly Matrix[],
  taps: readonly (readonly Matrix[])[],
  skips: readonly (Matrix | undefined)[],
): WishartChain {
  const layers = bases.map((basis, l): WishartLayer => {
    const { layer } = steps[l]!;
    const above = steps[l + 1]!;
    const sites = basis.shape[1];
    const biasWeights = reducedConstant(steps[l]!, basis);
    const common = { width: layer.width!, sites, biasVariance: l === 0 ? 0 : layer.biasVariance, biasWeights };
    const variance = above.layer.weightVariance;
    if (l === bases.length - 1) return { ...common, variance: variance / above.maps.length, taps: [] };
    const own = taps[l]!;
    const tap = skips[l];
    if (sites > 1 || bases[l + 1]!.shape[1] > 1)
      return { ...common, variance, taps: own, ...(tap === undefined ? {} : { skip: { coefficient: 1, tap } }) };
    // between single sites: the tap [[1]], its factor in the variance
    const one: Matrix = { data: Float64Array.of(1), shape: [1, 1] };
    const factor = own.reduce((sum, { data }) => sum + data[0]! ** 2, 0) / own.length;
    const skip = tap === undefined ? {} : { skip: { coefficient: tap.data[0]!, tap: one } };
    return own.length === 0
      ? { ...common, variance: 0, taps: [], ...skip }
      : { ...common, variance: variance * factor, taps: [one], ...skip };
  });
  return { layers, readoutBiasVariance: steps.at(-1)!.layer.biasVariance };
}

/** Bᵀ Π1. */
const reducedConstant = ({ constant }: LinearStep, basis: Matrix): Float64Array =>
  multiplyTransposedLeft(basis, { data: constant, shape: [constant.length, 1] }).data;

/** Φ̃_r = Σ_i B_ir Φ_i with K¹_ij = Φ_iΦ_jᵀ: one P × (K·C + 1) matrix for each reduced site; a bias is one more feature. */
function siteFeatures({ input }: Architecture, step: LinearStep, basis: Matrix, inputs: Matrix): readonly Matrix[] {
  const { layer, maps } = step;
  const { channels, sites } = input ?? { channels: inputs.shape[1], sites: 1 };
  requireImages(inputs, channels, sites);
  const points = inputs.shape[0];
  const [, reduced] = basis.shape;
  const bias = Math.sqrt(layer.biasVariance);
  const columns = channels * maps.length + (bias > 0 ? 1 : 0);
  requireMemory(
    8 * points * (reduced * columns + channels * (sites + basis.shape[0])),
    "the features of the inputs",
    "use fewer inputs or larger strides",
  );
  const scale = Math.sqrt(layer.weightVariance / (channels * maps.length));
  const rows = siteRows(inputs, channels, sites);
  const out = Array.from({ length: reduced }, () => zeros(points, columns));
  maps.forEach((map, k) => {
    const seen = applyMap(everywhere(map), rows);
    for (let mu = 0; mu < points; mu++) {
      const size = basis.shape[0] * channels;
      const own: Matrix = { data: seen.data.slice(mu * size, (mu + 1) * size), shape: [basis.shape[0], channels] };
      const { data } = multiplyTransposedLeft(basis, own);
      for (let r = 0; r < reduced; r++)
        for (let c = 0; c < channels; c++) out[r]!.data[mu * columns + k * channels + c] = scale * data[r * channels + c]!;
    }
  });
  if (bias > 0) {
    const constant = reducedConstant(step, basis);
    out.forEach(({ data }, r) => {
      for (let mu = 0; mu < points; mu++) data[(mu + 1) * columns - 1] = bias * constant[r]!;
    });
  }
  return out;
}

/** Σ_rs Q_(ar)(bs) K_rs, index (output, point). */
function outputCovariance(outputs: number, value: Matrix, features: readonly Matrix[], others: readonly Matrix[]): Matrix {
  const n = features.length;
  const [rows, columns] = [features[0]!.shape[0], others[0]!.shape[0]];
  requireMemory(8 * outputs * outputs * rows * columns, "the covariance of the outputs", "use fewer inputs or outputs");
  const out = zeros(outputs * rows, outputs * columns);
  for (let r = 0; r < n; r++) {
    for (let s = 0; s < n; s++) {
      const kernel = multiplyTransposedRight(features[r]!, others[s]!).data;
      for (let a = 0; a < outputs; a++) {
        for (let b = 0; b < outputs; b++) {
          const weight = value.data[(a * n + r) * outputs * n + b * n + s]!;
          for (let mu = 0; mu < rows; mu++)
            for (let nu = 0; nu < columns; nu++)
              out.data[(a * rows + mu) * outputs * columns + b * columns + nu]! += weight * kernel[mu * columns + nu]!;
        }
      }
    }
  }
  return out;
}
