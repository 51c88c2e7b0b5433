import type { Activation, SiteMap } from "@finitewidth/core";
import { requireMemory } from "../convolution/memory.js";
import { entriesPerSite, isIdentityMap } from "../site-map.js";
import { fieldOrder, type Composition, type Field, type Reading } from "./graph.js";

/** Pairs (site of the one point, site of the other) at which a quantity is needed, in the order of their first use. */
export interface SitePairList {
  readonly first: number[];
  readonly second: number[];
  /** Position of a pair, which is added where it is new. */
  at(first: number, second: number): number;
}

/** Entries of a linear operation: out[p] += Σ_e weights[e] below[sources[e]], e from starts[p] to starts[p + 1]. */
export interface PairTable {
  readonly below: number;
  readonly starts: Int32Array;
  readonly sources: Int32Array;
  /** One for all entries, or one each. */
  readonly weight: number;
  readonly weights?: Float64Array;
}

/** How a quantity between two points follows from earlier ones (indices into `SitePlan.quantities`). */
export type Operation =
  /** Σ_c z_c z'_c/channels of the inputs after a site map. */
  | { readonly kind: "inputs"; readonly map?: SiteMap }
  /** Σ_k coefficient_k L_k X_k R_kᵀ + bias; maps left out are identities. */
  | { readonly kind: "linear"; readonly terms: readonly LinearTerm[]; readonly bias: number }
  /** E φφ. */
  | { readonly kind: "moment"; readonly activation: Activation; readonly below: number }
  /** Divided by √(c + ε) of a norm on one or both sides. */
  | { readonly kind: "scale"; readonly below: number; readonly left?: number; readonly right?: number }
  /** σ_w² Ω X Ωᵀ + σ_b², Ω = softmax of scoreVariance · X of either point with itself. */
  | { readonly kind: "softmax"; readonly below: number; readonly layer: number };
interface LinearTerm {
  readonly below: number;
  readonly coefficient: number;
  readonly left?: SiteMap;
  readonly right?: SiteMap;
}

/** A matrix over (site of one point) × (site of another). */
export interface Quantity {
  readonly operation: Operation;
  readonly pairs: SitePairList;
  readonly shape: readonly [first: number, second: number];
  /** What a linear operation reads. */
  tables?: readonly PairTable[];
  /** What another one reads: a position below for every pair; for softmax for all pairs of sites, row by row. */
  sources?: Int32Array;
}

/**
 * Operations that give the infinite-width kernels of a composition between any two points, in order, each on the pairs of sites that the
 * outputs need: the diagonal pairs for flattened circular convolutions, all of them below a pooling. Every point with itself comes first:
 * variances.
 */
export interface SitePlan {
  readonly quantities: readonly Quantity[];
  /** S^v and, for layers that do not read the inputs, Q of what they read. */
  readonly layers: readonly { readonly units: number; readonly reading?: number }[];
  /** Quantities whose diagonal is the variance that a moment or a norm needs. */
  readonly momentVariances: ReadonlySet<number>;
  /** Of every norm: the kernel whose diagonal is c. */
  readonly norms: readonly number[];
  /** Bytes of the tables. */
  readonly bytes: number;
}

const remedy = "use larger strides, pooling before these layers, or smaller inputs";

function pairList([, columns]: readonly [number, number]): SitePairList {
  const known = new Map<number, number>();
  const [first, second]: [number[], number[]] = [[], []];
  return {
    first,
    second,
    at(i, j) {
      const key = i * columns + j;
      let position = known.get(key);
      if (position === undefined) {
        known.set(key, (position = first.length));
        first.push(i);
        second.push(j);
      }
      return position;
    },
  };
}

/**
 * The plan of a composition. O(pairs · entries) time and bytes. @throws FinitewidthError (code "memory") before allocating more than the
 * limit.
 */
export function sitePlan(composition: Composition): SitePlan {
  const builder = planBuilder(composition);
  const { quantities, layers, norms, momentVariances } = builder;
  let bytes = 0;
  const diagonal = (quantity: number): void => {
    const { pairs, shape } = quantities[quantity]!;
    for (let i = 0; i < shape[0]; i++) pairs.at(i, i);
  };
  for (const { units, reading } of layers) for (const quantity of reading === undefined ? [units] : [units, reading]) diagonal(quantity);
  for (const quantity of [...norms, ...momentVariances]) diagonal(quantity);
  for (let q = quantities.length - 1; q >= 0; q--) bytes += demandBelow(quantities, quantities[q]!, bytes);
  return { quantities, layers, norms, momentVariances, bytes };
}

/** Asks the quantities below for what this one reads. Returns the bytes of its tables. */
function demandBelow(quantities: readonly Quantity[], quantity: Quantity, before: number): number {
  const { operation, pairs, shape } = quantity;
  const count = pairs.first.length;
  switch (operation.kind) {
    case "inputs":
      return 0;
    case "moment":
    case "scale": {
      requireMemory(before + 60 * count, "pairs of sites", remedy);
      const below = quantities[operation.below]!.pairs;
      quantity.sources = Int32Array.from(pairs.first, (i, p) => below.at(i, pairs.second[p]!));
      return 4 * count;
    }
    case "softmax": {
      const all = shape[0] * shape[1];
      requireMemory(before + 60 * all, "pairs of sites", remedy);
      const below = quantities[operation.below]!.pairs;
      quantity.sources = Int32Array.from({ length: all }, (_, e) => below.at(Math.floor(e / shape[1]), e % shape[1]));
      return 4 * all;
    }
    case "linear": {
      const groups = new Map<number, LinearTerm[]>();
      for (const term of operation.terms) {
        const group = groups.get(term.below);
        if (group) group.push(term);
        else groups.set(term.below, [term]);
      }
      let bytes = 0;
      quantity.tables = [...groups].map(([below, terms]) => {
        const entries = terms.reduce(
          (sum, { left, right }) => sum + (left ? entriesPerSite(left) : 1) * (right ? entriesPerSite(right) : 1),
          0,
        );
        const { shape: size } = quantities[below]!;
        bytes += 12 * count * entries;
        requireMemory(before + bytes + 56 * Math.min(count * entries, size[0] * size[1]), "pairs of sites", remedy);
        return pairTable(pairs, below, terms, quantities[below]!.pairs);
      });
      return bytes;
    }
  }
}

function pairTable({ first, second }: SitePairList, below: number, terms: readonly LinearTerm[], source: SitePairList): PairTable {
  const starts = new Int32Array(first.length + 1);
  const sources: number[] = [];
  const weights: number[] = [];
  const row = (map: SiteMap | undefined, site: number, visit: (site: number, weight: number) => void): void => {
    if (map === undefined) return visit(site, 1);
    const R = entriesPerSite(map);
    for (let e = site * R; e < (site + 1) * R; e++) if (map.sources[e]! >= 0) visit(map.sources[e]!, map.weights?.[e] ?? 1);
  };
  for (let p = 0; p < first.length; p++) {
    for (const { coefficient, left, right } of terms) {
      row(left, first[p]!, (i, a) =>
        row(right, second[p]!, (j, b) => {
          if (a * b === 0) return;
          sources.push(source.at(i, j));
          weights.push(coefficient * a * b);
        }),
      );
    }
    starts[p + 1] = sources.length;
  }
  const [weight = 1] = weights;
  const uniform = weights.every((value) => value === weight);
  return { below, starts, sources: Int32Array.from(sources), weight, ...(uniform ? {} : { weights: Float64Array.from(weights) }) };
}

/** Quantities in an order in which each follows from earlier ones, without their pairs. */
function planBuilder(composition: Composition) {
  const quantities: Quantity[] = [];
  const layers: { units: number; reading?: number }[] = [];
  const norms: number[] = [];
  const momentVariances = new Set<number>();
  const order = fieldOrder(composition);
  const add = (operation: Operation, shape: readonly [number, number]): number =>
    quantities.push({ operation, shape, pairs: pairList(shape) }) - 1;
  const linear = (terms: readonly LinearTerm[], bias: number, shape: readonly [number, number]): number => {
    const [only] = terms;
    const trivial = terms.length === 1 && bias === 0 && only!.coefficient === 1 && only!.left === undefined && only!.right === undefined;
    return trivial ? only!.below : add({ kind: "linear", terms, bias }, shape);
  };
  /** L X Rᵀ; maps that read many sites are applied one after the other: R + R′ entries a pair, not R R′. */
  const mapped = (below: number, coefficient: number, left: SiteMap | undefined, right: SiteMap | undefined): LinearTerm => {
    const [one, other] = [left && !isIdentityMap(left) ? left : undefined, right && !isIdentityMap(right) ? right : undefined];
    if (one && other && entriesPerSite(one) > 1) {
      const half = add({ kind: "linear", terms: [{ below, coefficient: 1, left: one }], bias: 0 }, [
        one.outputSites,
        quantities[below]!.shape[1],
      ]);
      return { below: half, coefficient, right: other };
    }
    return { below, coefficient, ...(one ? { left: one } : {}), ...(other ? { right: other } : {}) };
  };
  const known = new Map<Field, Map<Field, number | undefined>>();
  /** K^{xy}; undefined where the fields have no layer in common. */
  const between = (x: Field, y: Field): number | undefined => {
    let row = known.get(x);
    if (row === undefined) known.set(x, (row = new Map()));
    if (!row.has(y)) row.set(y, expand(x, y));
    return row.get(y);
  };
  const expand = (x: Field, y: Field): number | undefined => {
    const shape = [x.sites, y.sites] as const;
    if (x === y) return ofOne(x, shape);
    // the field that was made later cannot be part of the other: its steps are taken back
    const later = order.get(x)! > order.get(y)!;
    const [field, other] = later ? [x, y] : [y, x];
    const partner = (inner: Field): number | undefined => (later ? between(inner, other) : between(other, inner));
    switch (field.kind) {
      case "units":
        return undefined;
      case "mapped": {
        const below = partner(field.below);
        return below === undefined
          ? undefined
          : linear([later ? mapped(below, 1, field.map, undefined) : mapped(below, 1, undefined, field.map)], 0, shape);
      }
      case "normalised": {
        const below = partner(field.below);
        return below === undefined
          ? undefined
          : add({ kind: "scale", below, ...(later ? { left: field.norm } : { right: field.norm }) }, shape);
      }
      case "sum": {
        const terms = field.terms.flatMap((term, k): LinearTerm[] => {
          const below = field.coefficients[k] === 0 ? undefined : partner(term);
          return below === undefined ? [] : [{ below, coefficient: field.coefficients[k]! }];
        });
        return terms.length === 0 ? undefined : linear(terms, 0, shape);
      }
    }
  };
  const ofOne = (x: Field, shape: readonly [number, number]): number => {
    switch (x.kind) {
      case "units":
        return layers[x.layer]!.units;
      case "mapped":
        return linear([mapped(between(x.below, x.below)!, 1, x.map, x.map)], 0, shape);
      case "normalised":
        return add({ kind: "scale", below: between(x.below, x.below)!, left: x.norm, right: x.norm }, shape);
      case "sum": {
        const terms = x.terms.flatMap((one, k) =>
          x.terms.flatMap((other, l): LinearTerm[] => {
            const coefficient = x.coefficients[k]! * x.coefficients[l]!;
            const below = coefficient === 0 ? undefined : between(one, other);
            return below === undefined ? [] : [{ below, coefficient }];
          }),
        );
        return linear(terms, 0, shape);
      }
    }
  };
  const read = (reading: Reading): number => {
    if (reading.kind === "input")
      return add({ kind: "inputs", ...(reading.map ? { map: reading.map } : {}) }, [reading.sites, reading.sites]);
    const kernel = between(reading.field, reading.field)!;
    let top = kernel;
    if (reading.activation) {
      momentVariances.add(kernel);
      top = add({ kind: "moment", activation: reading.activation, below: kernel }, quantities[kernel]!.shape);
    }
    return linear([mapped(top, 1, reading.map, reading.map)], 0, [reading.sites, reading.sites]);
  };
  for (const { kind, index } of composition.statistics) {
    if (kind === "norm") {
      const { field } = composition.norms[index]!;
      norms[index] = between(field, field)!;
      continue;
    }
    const { random, reading, coefficient, sites } = composition.layers[index]!;
    const q = read(reading);
    const shape = [sites, sites] as const;
    const units = random.scores
      ? add({ kind: "softmax", below: q, layer: index }, shape)
      : add({ kind: "linear", terms: random.maps.map((map) => mapped(q, coefficient, map, map)), bias: random.biasVariance }, shape);
    layers[index] = reading.kind === "input" ? { units } : { units, reading: q };
  }
  return { quantities, layers, norms, momentVariances };
}
