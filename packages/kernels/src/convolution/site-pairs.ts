import type { ConvolutionGeometry } from "./geometry.js";
import { requireMemory } from "./memory.js";
import type { TapTable } from "./taps.js";

/** Ordered pairs of sites of one layer whose covariance is needed. */
export interface SitePairs {
  readonly first: Int32Array;
  readonly second: Int32Array;
  /** Positions of the pairs (i, i), one for every site. */
  readonly diagonal: Int32Array;
  /** Position in the layer below of the pair that tap m of pair p reads, at p·|m| + m; −1 for padding. Empty for the input layer. */
  readonly sources: Int32Array;
}

const remedy = 'use readout "flatten", larger strides or smaller inputs';

/**
 * The pairs of sites of layers 0 … L that the kernels need: all (i, i), and for a pooled readout all pairs of layer L with everything below
 * that they read. @throws FinitewidthError (code "memory") before allocating more than the limit.
 */
export function sitePairs(geometry: ConvolutionGeometry, pooled: boolean): readonly SitePairs[] {
  const { layers, inputSites } = geometry;
  if (!pooled) {
    requireMemory(
      layers.reduce((all, { outputSites, tapCount }) => all + 4 * outputSites * (tapCount + 3), 0),
      "site pairs",
      remedy,
    );
    return [diagonalPairs(inputSites, new Int32Array()), ...layers.map((table) => diagonalPairs(table.outputSites, table.taps))];
  }
  const top = layers.at(-1)!.outputSites;
  requireMemory(4 * top * top * (2 + layers.at(-1)!.tapCount), "pairs of sites of the pooled layer", remedy);
  let keys: Float64Array = Float64Array.from({ length: top * top }, (_, key) => key);
  const out: SitePairs[] = [];
  for (const table of layers.toReversed()) {
    const below = pairsBelow(table, keys);
    out.unshift(unpack(keys, table.outputSites, below.sources));
    keys = below.keys;
  }
  out.unshift(unpack(keys, inputSites, new Int32Array()));
  return out;
}

function diagonalPairs(sites: number, sources: Int32Array): SitePairs {
  const all = Int32Array.from({ length: sites }, (_, i) => i);
  return { first: all, second: all, diagonal: all, sources };
}

function unpack(keys: Float64Array, sites: number, sources: Int32Array): SitePairs {
  const first = Int32Array.from(keys, (key) => Math.floor(key / sites));
  const second = Int32Array.from(keys, (key) => key % sites);
  const diagonal = new Int32Array(sites);
  first.forEach((i, p) => {
    if (i === second[p]) diagonal[i] = p;
  });
  return { first, second, diagonal, sources };
}

/** Pairs of the layer below: all (i, i) first, then what `keys` (pairs i·S + j of the layer above) read, in order of first use. */
function pairsBelow(table: TapTable, keys: Float64Array): { readonly keys: Float64Array; readonly sources: Int32Array } {
  const { taps, tapCount, outputSites, inputSites } = table;
  requireMemory(4 * keys.length * tapCount + 40 * Math.min(keys.length * tapCount, inputSites * inputSites), "pairs of sites", remedy);
  const position = new Map<number, number>();
  for (let i = 0; i < inputSites; i++) position.set(i * inputSites + i, i);
  const sources = new Int32Array(keys.length * tapCount);
  keys.forEach((key, p) => {
    const [i, j] = [Math.floor(key / outputSites), key % outputSites];
    for (let m = 0; m < tapCount; m++) {
      const [a, b] = [taps[i * tapCount + m]!, taps[j * tapCount + m]!];
      if (a < 0 || b < 0) {
        sources[p * tapCount + m] = -1;
        continue;
      }
      const source = a * inputSites + b;
      let at = position.get(source);
      if (at === undefined) position.set(source, (at = position.size));
      sources[p * tapCount + m] = at;
    }
  });
  return { keys: Float64Array.from(position.keys()), sources };
}
