import { inputError, refusal, type Activation, type Architecture, type Primitive, type RandomLayer, type SiteMap } from "@finitewidth/core";
import { composeMaps, identityMap, isIdentityMap } from "../site-map.js";

/**
 * Gaussian units of a stream, h_i = Σ_v A_v u^v_i with the units u^v_i ~ N(0, S^v) of the random layers v below, independent for different
 * v and i. Written as the steps that make A: fields that several layers share are the same object.
 */
export type Field =
  /** u^v, v = `layer` (index into `Composition.layers`). */
  | { readonly kind: "units"; readonly sites: number; readonly layer: number }
  /** T h at every point. */
  | { readonly kind: "mapped"; readonly sites: number; readonly map: SiteMap; readonly below: Field }
  /** Σ_k coefficients_k h_k, terms of one stream and as many sites. */
  | { readonly kind: "sum"; readonly sites: number; readonly coefficients: readonly number[]; readonly terms: readonly Field[] }
  /**
   * (h − m)/√(c + ε), m and c mean and variance over the units: `norm` is an index into `Composition.norms`; at infinite width m = 0 and c
   * = K_aa.
   */
  | { readonly kind: "normalised"; readonly sites: number; readonly norm: number; readonly below: Field };

/** Units that a random layer reads: ψ_i = Π φ(h_i). */
export interface UnitReading {
  readonly kind: "units";
  /** Index into `Composition.streams`: readings of one stream are of the same units. */
  readonly stream: number;
  readonly field: Field;
  /** φ, left out for φ(h) = h. */
  readonly activation?: Activation;
  /** Π (sites × field.sites), left out for the identity; always left out without an activation. */
  readonly map?: SiteMap;
  /** Sites of ψ. */
  readonly sites: number;
}

/** Features of the data that a random layer reads, not random: ψ = Π z, one unit per channel. */
export interface InputReading {
  readonly kind: "input";
  readonly map?: SiteMap;
  readonly sites: number;
}
export type Reading = UnitReading | InputReading;

/** A random layer v: its units are N(0, S^v), S^v = coefficient · Σ_k T_k Q̂ T_kᵀ + σ_b², Q̂ = Σ_i ψ_i ψ_iᵀ/N of what it reads. */
export interface CompositionLayer {
  readonly random: RandomLayer;
  readonly reading: Reading;
  /** σ_w²/K, c_k of every map T_k = random.maps[k] (σ_w² for softmax scores, whose map is the one Ω at infinite width). */
  readonly coefficient: number;
  /** Sites of its units. */
  readonly sites: number;
  /** Stream that its units are of (after merges); −1 for the readout. */
  readonly stream: number;
}

/** A layer normalisation: the variables m_a, c_a (a: point and site), averages of h and (h − m)² over the units of a stream. */
export interface CompositionNorm {
  readonly field: Field;
  readonly stream: number;
  readonly epsilon: number;
}

/**
 * Averages over units on which layers above depend, in document order, which is also an order of dependence: S^v of a layer, (m, c) of a
 * norm.
 */
export type Statistic = { readonly kind: "layer"; readonly index: number } | { readonly kind: "norm"; readonly index: number };

/** Exchangeable units; a merge identifies the units of its branches. */
export interface Stream {
  /** N. */
  readonly width: number;
}

/** A network as averages over streams of units. Plain data. Theory: docs/theories/layers.md, "Streams". */
export interface Composition {
  readonly input?: { readonly channels: number; readonly sites: number };
  /** Random layers in document order, the readout last. */
  readonly layers: readonly CompositionLayer[];
  readonly norms: readonly CompositionNorm[];
  readonly statistics: readonly Statistic[];
  readonly streams: readonly Stream[];
}

/** What travels upwards: the reading that a random layer would make here. */
type Node = Reading;
interface Draft {
  readonly layers: (Omit<CompositionLayer, "stream"> & { readonly opened: number })[];
  readonly norms: (Omit<CompositionNorm, "stream"> & { readonly opened: number })[];
  readonly statistics: Statistic[];
  readonly widths: number[];
  /** Of every stream that was opened: itself or a stream it was merged with. */
  readonly parents: number[];
}

const known = new WeakMap<Architecture, Composition>();

/** The composition of an architecture, once for each. @throws FinitewidthError (code "input") where primitives do not fit together. */
export function composition(architecture: Architecture): Composition {
  let found = known.get(architecture);
  if (found === undefined) known.set(architecture, (found = compose(architecture)));
  return found;
}

function compose({ input, layers }: Architecture): Composition {
  const draft: Draft = { layers: [], norms: [], statistics: [], widths: [], parents: [] };
  const top = walk(draft, layers, { kind: "input", sites: input?.sites ?? 1 });
  const last = draft.layers.at(-1);
  if (
    last?.random.width !== undefined ||
    top.kind !== "units" ||
    top.field.kind !== "units" ||
    top.field.layer !== draft.layers.length - 1 ||
    top.sites !== 1
  )
    throw misfit("a layer of weights without a width over one site at the end: the readout");
  // streams in the order of their first unit, numbered without gaps
  const numbers = new Map<number, number>();
  const number = (opened: number): number => {
    if (opened < 0) return -1;
    const root = rootOf(draft, opened);
    if (!numbers.has(root)) numbers.set(root, numbers.size);
    return numbers.get(root)!;
  };
  const fix = (reading: Reading): Reading => (reading.kind === "input" ? reading : { ...reading, stream: number(reading.stream) });
  const resolved = draft.layers.map(({ opened, reading, ...layer }, l): CompositionLayer => ({
    ...layer,
    stream: l === draft.layers.length - 1 ? -1 : number(opened),
    reading: fix(reading),
  }));
  const norms = draft.norms.map(({ opened, ...norm }): CompositionNorm => ({ ...norm, stream: number(opened) }));
  const streams = [...numbers.keys()].map((root): Stream => ({ width: draft.widths[root]! }));
  return { ...(input ? { input } : {}), layers: resolved, norms, statistics: draft.statistics, streams };
}

function rootOf({ parents }: Draft, stream: number): number {
  let root = stream;
  while (parents[root] !== root) root = parents[root]!;
  return root;
}

const misfit = (expected: string): Error => inputError("network.layers", expected, "other layers");

function walk(draft: Draft, layers: readonly Primitive[], below: Node): Node {
  return layers.reduce((node, layer) => step(draft, layer, node), below);
}

function step(draft: Draft, layer: Primitive, node: Node): Node {
  switch (layer.kind) {
    case "random":
      return random(draft, layer, node);
    case "site-map":
      return mapped(layer.map, node);
    case "pointwise":
      if (layer.activation.linear) return node;
      return { ...gaussian(node, "an activation"), activation: layer.activation };
    case "normalise": {
      const { field, stream } = gaussian(node, "a normalisation");
      const norm = draft.norms.push({ field, opened: stream, epsilon: layer.epsilon }) - 1;
      draft.statistics.push({ kind: "norm", index: norm });
      return { kind: "units", stream, sites: field.sites, field: { kind: "normalised", sites: field.sites, norm, below: field } };
    }
    case "merge":
      return merge(draft, layer, node);
  }
}

/** Units without an activation: what activations, normalisations and merges can take. */
function gaussian(node: Node, what: string): UnitReading {
  if (node.kind === "input" || node.activation !== undefined) throw misfit(`${what} on units that are Gaussian at infinite width`);
  return node;
}

function random(draft: Draft, layer: RandomLayer, node: Node): Node {
  const maps = layer.scores ? [identityMap(node.sites)] : layer.maps;
  const [first] = maps;
  if (first === undefined || maps.some(({ inputSites, outputSites }) => inputSites !== node.sites || outputSites !== first.outputSites))
    throw misfit(`maps of ${node.sites} sites, all to as many, in every layer of weights`);
  if (layer.weights && node.kind === "input")
    throw refusal(
      "kernels",
      "weights that are not Gaussian on the inputs make units that are not Gaussian at any width; put a dense layer below them",
    );
  const stream = draft.parents.length;
  draft.parents.push(stream);
  draft.widths.push(layer.width ?? 0);
  const index = draft.layers.length;
  draft.layers.push({
    random: layer,
    reading: node,
    coefficient: layer.weightVariance / maps.length,
    sites: first.outputSites,
    opened: stream,
  });
  draft.statistics.push({ kind: "layer", index });
  return { kind: "units", stream, sites: first.outputSites, field: { kind: "units", sites: first.outputSites, layer: index } };
}

function mapped(map: SiteMap, node: Node): Node {
  if (map.inputSites !== node.sites) throw misfit(`a map of ${node.sites} sites`);
  if (isIdentityMap(map)) return node;
  const sites = map.outputSites;
  if (node.kind === "units" && node.activation === undefined)
    return { ...node, sites, field: { kind: "mapped", sites, map, below: node.field } };
  return { ...node, sites, map: node.map === undefined ? map : composeMaps(map, node.map) };
}

function merge(draft: Draft, { branches, coefficients }: Extract<Primitive, { kind: "merge" }>, node: Node): Node {
  const tops = branches.map((branch) => gaussian(walk(draft, branch, node), "a sum"));
  const [first] = tops;
  if (first === undefined || coefficients.length !== tops.length) throw misfit("one coefficient for each branch");
  for (const top of tops) {
    const [one, other] = [rootOf(draft, first.stream), rootOf(draft, top.stream)];
    if (draft.widths[one] !== draft.widths[other] || top.sites !== first.sites) throw misfit("branches with as many units and sites");
    draft.parents[other] = one;
  }
  return {
    kind: "units",
    stream: first.stream,
    sites: first.sites,
    field: { kind: "sum", sites: first.sites, coefficients, terms: tops.map(({ field }) => field) },
  };
}

/** Numbers the fields so that what a field is made of has smaller numbers. */
export function fieldOrder({ layers, norms }: Composition): ReadonlyMap<Field, number> {
  const order = new Map<Field, number>();
  const visit = (field: Field): void => {
    if (order.has(field)) return;
    if (field.kind === "sum") field.terms.forEach(visit);
    else if (field.kind !== "units") visit(field.below);
    order.set(field, order.size);
  };
  for (const { reading } of layers) if (reading.kind === "units") visit(reading.field);
  for (const { field } of norms) visit(field);
  return order;
}
