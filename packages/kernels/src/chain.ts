import { identity } from "@finitewidth/activations";
import type { Activation, Architecture, Primitive, RandomLayer, SiteMap } from "@finitewidth/core";
import type { ConvolutionGeometry } from "./convolution/geometry.js";
import type { TapTable } from "./convolution/taps.js";
import { isIdentityMap } from "./site-map.js";

/** h¹ = W¹x/√N0 + b¹, hˡ = Wˡφ(hˡ⁻¹)/√N_{l−1} + bˡ, f = h^{L+1} on one site, one φ throughout. */
export interface DenseChain {
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  /** σ_w² of layers 1 … L+1. */
  readonly weightVariance: readonly number[];
  /** σ_b² of layers 1 … L+1. */
  readonly biasVariance: readonly number[];
  readonly activation: Activation;
}

/**
 * The same with filters over sites: h^l[a, i] = Σ_{b,m} W[a, b, m] φ(h^{l−1}[b, τ_m(i)])/√(C_{l−1}·M) + b, one readout over all sites or
 * their average.
 */
export interface ConvolutionChain {
  readonly geometry: ConvolutionGeometry;
  /** C_1 … C_L. */
  readonly channels: readonly number[];
  readonly readout: "flatten" | "global-average";
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  readonly activation: Activation;
}

/** Random layers of a list without branches, each but the last followed by the same activation; `pooling` stands before the last one. */
interface Chain {
  readonly random: readonly RandomLayer[];
  readonly activation: Activation;
  readonly pooling?: SiteMap;
}

/**
 * Gaussian weights with maps of their own, each hidden layer of them followed by the same φ (or none by any: linear); undefined for
 * anything else.
 */
function chainOf(layers: readonly Primitive[]): Chain | undefined {
  const random: RandomLayer[] = [];
  const activations: Activation[] = [];
  let pooling: SiteMap | undefined;
  let below: Primitive["kind"] | undefined;
  for (const layer of layers) {
    if (layer.kind === "random") {
      if (layer.weights !== undefined || layer.scores !== undefined || (pooling !== undefined && layer.width !== undefined))
        return undefined;
      random.push(layer);
    } else if (layer.kind === "pointwise" && below === "random") activations.push(layer.activation);
    else if (layer.kind === "site-map" && below !== undefined && pooling === undefined) pooling = layer.map;
    else return undefined;
    below = layer.kind;
  }
  const [activation = identity] = activations;
  const same = activations.every((other) => other === activation || (other.linear && activation.linear));
  if (random.length < 2 || !same || (activations.length !== random.length - 1 && !activation.linear)) return undefined;
  return { random, activation, ...(pooling === undefined ? {} : { pooling }) };
}

const variances = (random: readonly RandomLayer[]): Pick<DenseChain, "weightVariance" | "biasVariance"> => ({
  weightVariance: random.map((layer) => layer.weightVariance),
  biasVariance: random.map((layer) => layer.biasVariance),
});

/** One computation for each architecture. */
function remembered<T>(compute: (architecture: Architecture) => T): (architecture: Architecture) => T {
  const known = new WeakMap<Architecture, { readonly value: T }>();
  return (architecture) => {
    let entry = known.get(architecture);
    if (entry === undefined) known.set(architecture, (entry = { value: compute(architecture) }));
    return entry.value;
  };
}

/**
 * The network as a fully connected chain, whatever its model calls it; undefined when it is none. O(layers), once for each architecture.
 */
export const denseChain: (architecture: Architecture) => DenseChain | undefined = remembered(({ input, layers }) => {
  const chain = chainOf(layers);
  if (chain === undefined || chain.pooling !== undefined || (input?.sites ?? 1) !== 1) return undefined;
  if (!chain.random.every(({ maps }) => maps.length === 1 && maps[0]!.inputSites === 1 && isIdentityMap(maps[0]!))) return undefined;
  return { widths: chain.random.slice(0, -1).map(({ width }) => width!), ...variances(chain.random), activation: chain.activation };
});

/** The network as a convolutional chain; undefined when it is none or a fully connected one. O(taps), once for each architecture. */
export const convolutionChain: (architecture: Architecture) => ConvolutionChain | undefined = remembered((architecture) => {
  const { input, layers } = architecture;
  const chain = chainOf(layers);
  if (chain === undefined || input === undefined || denseChain(architecture) !== undefined) return undefined;
  const hidden = chain.random.slice(0, -1);
  const tables = hidden.map(({ maps }) => tapTableOf(maps));
  if (!tables.every((table) => table !== undefined)) return undefined;
  const sites = tables.at(-1)!.outputSites;
  const { maps } = chain.random.at(-1)!;
  const readout =
    chain.pooling === undefined
      ? readsEverySite(maps, sites)
        ? "flatten"
        : undefined
      : averagesAll(chain.pooling) && maps.length === 1
        ? "global-average"
        : undefined;
  if (readout === undefined) return undefined;
  return {
    geometry: { channels: input.channels, inputSites: input.sites, layers: tables },
    channels: hidden.map(({ width }) => width!),
    readout,
    ...variances(chain.random),
    activation: chain.activation,
  };
});

/** Maps that read one site each with weight 1, as a tap table. */
function tapTableOf(maps: readonly SiteMap[]): TapTable | undefined {
  const [first] = maps;
  if (first === undefined) return undefined;
  const { inputSites, outputSites } = first;
  const taps = new Int32Array(outputSites * maps.length);
  for (const [m, { sources, weights }] of maps.entries()) {
    if (sources.length !== outputSites || weights !== undefined) return undefined;
    for (let i = 0; i < outputSites; i++) taps[i * maps.length + m] = sources[i]!;
  }
  // filters that see nothing but zeros have no law of their own
  return taps.every((site) => site < 0) ? undefined : { inputSites, outputSites, tapCount: maps.length, taps };
}

const readsEverySite = (maps: readonly SiteMap[], sites: number): boolean =>
  maps.length === sites &&
  maps.every(
    ({ outputSites, sources, weights }, a) => outputSites === 1 && sources.length === 1 && sources[0] === a && weights === undefined,
  );

const averagesAll = ({ inputSites, outputSites, sources, weights }: SiteMap): boolean =>
  outputSites === 1 &&
  sources.length === inputSites &&
  sources.every((site, i) => site === i) &&
  weights !== undefined &&
  weights.every((w) => w === 1 / inputSites);
