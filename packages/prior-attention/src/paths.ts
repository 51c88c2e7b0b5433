import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import { identity, multiplyTransposedLeft, thinSvd } from "@finitewidth/linalg";
import { mapOf, type AttentionMaps } from "./maps.js";

/**
 * Sites of the mixing matrices M_1 … M_L of an attention network: attention paths σ = (h_{l+1}, …, h_L) from layer l to the readout,
 * row-major with h_{l+1} slowest, or fewer combinations of them where suffix vectors ω^σ = rᵀ Ω^{L,h_L} ⋯ Ω^{l+1,h_{l+1}} are dependent.
 */
export interface AttentionPaths {
  /** r: how the tokens of the last layer are read. */
  readonly readout: Float64Array;
  /** Heads of layers 1 … L. */
  readonly heads: readonly number[];
  /** Number of sites of M_1 … M_L; the last is 1. */
  readonly sites: readonly number[];
  /** t_h: sites_l × sites_{l+1} for l = 1 … L − 1 (head h of layer l + 1); empty for the last layer. */
  readonly taps: readonly (readonly Matrix[])[];
  /** What sites are of a constant over all paths: 1 each, or sums of the rows of the combinations. */
  readonly ones: readonly Float64Array[];
  /** Whether some dependent paths were merged. */
  readonly reduced: boolean;
}

/** Singular values below this fraction of the largest count as 0. */
const cut = 1e-10;
/** Paths of one layer that are enumerated at most: their mixing matrix alone has this many numbers squared. */
export const pathLimit = 4096;

/** How the paths of a network are merged: over these maps (and, in layer 1, the tokens of these examples). */
export interface ReductionData {
  readonly maps: readonly AttentionMaps[];
  /** Tokens of the examples, features × tokens of each; left out: relations must hold for any tokens. */
  readonly tokens?: (example: number) => Matrix;
}

/**
 * Taps of all layers. Without `reduce` one site per path, Π H of them: refused beyond 4096. With it every layer is projected on the span of
 * its suffix vectors (exact, as long as the relations hold for all inputs in use), which for maps common to all inputs leaves at most one
 * site per token. With `reduce` one singular value decomposition a layer, of the sites × (tokens × examples) suffix vectors. @throws
 * FinitewidthError (code "memory") before anything is allocated.
 */
export function attentionPaths(heads: readonly number[], readout: Float64Array, reduce?: ReductionData): AttentionPaths {
  const depth = heads.length;
  const tokens = readout.length;
  const sites = [1];
  const ones = [Float64Array.of(1)];
  const taps: Matrix[][] = [[]];
  let suffix = [readout];
  let merged = false;
  const refuse = (paths: number): void => {
    if (paths > pathLimit)
      throw new FinitewidthError(
        `the heads of layers 2 to ${depth} span ${paths} paths or more (more than ${pathLimit}): their mixing matrix would take ${8 * paths * paths} bytes; use fewer heads or layers, or attention maps that are common to all inputs`,
        { code: "memory" },
      );
  };
  if (reduce === undefined) refuse(heads.slice(1).reduce((product, h) => product * h, 1));
  for (let l = depth - 2; l >= 0; l--) {
    const [count, above] = [heads[l + 1]!, sites[0]!];
    const paths = count * above;
    refuse(paths);
    let wide = Array.from({ length: count }, (_, h) => headTap(count, h, above));
    let constant = Float64Array.from({ length: paths }, (_, path) => ones[0]![path % above]!);
    let size = paths;
    if (reduce !== undefined) {
      const stacked = applyHeads(suffix, reduce.maps[l + 1]!, tokens);
      const span = spanOf(l > 0 ? stacked.map((row) => [row]) : firstLayer(stacked, reduce, tokens));
      if (span.shape[1] < paths) {
        merged = true;
        size = span.shape[1];
        wide = wide.map((tap) => multiplyTransposedLeft(span, tap));
        constant = Float64Array.from(multiplyTransposedLeft(span, { data: constant, shape: [paths, 1] }).data);
        suffix = combine(span, stacked);
      } else suffix = stacked;
    }
    sites.unshift(size);
    taps.unshift(wide);
    ones.unshift(constant);
  }
  return { readout, heads, sites, taps, ones, reduced: merged };
}

/** e_h ⊗ 1: what head h of the layer above does to its sites. */
function headTap(heads: number, h: number, above: number): Matrix {
  const out = zeros(heads * above, above);
  for (let i = 0; i < above; i++) out.data[(h * above + i) * above + i] = 1;
  return out;
}

/** ω^{(h, r)} = ω^r Ω^h for all heads and sites: rows over (example, token), examples side by side. O(H · rows · examples · T²). */
export function applyHeads(suffix: readonly Float64Array[], maps: AttentionMaps, tokens: number): Float64Array[] {
  const examples = Math.max(maps.sets, suffix[0]!.length / tokens);
  const shared = suffix[0]!.length === tokens;
  const out: Float64Array[] = [];
  for (let h = 0; h < maps.heads; h++) {
    for (const row of suffix) {
      const next = new Float64Array(examples * tokens);
      for (let mu = 0; mu < examples; mu++) {
        const map = mapOf(maps, mu, h);
        const from = shared ? 0 : mu * tokens;
        for (let i = 0; i < tokens; i++) {
          const weight = row[from + i]!;
          if (weight !== 0) for (let j = 0; j < tokens; j++) next[mu * tokens + j]! += weight * map[i * tokens + j]!;
        }
      }
      out.push(next);
    }
  }
  return out;
}

/** Layer 1 matters only through ω Ω^{1,h} (and its tokens, where they are known): one list of rows per site. */
function firstLayer(suffix: readonly Float64Array[], { maps, tokens: at }: ReductionData, tokens: number): Float64Array[][] {
  return suffix.map((row) =>
    applyHeads([row], maps[0]!, tokens).map((seen) => {
      if (at === undefined) return seen;
      const parts = Array.from({ length: seen.length / tokens }, (_, mu) => {
        const x = at(mu);
        return Float64Array.from({ length: x.shape[0] }, (__, f) => {
          let sum = 0;
          for (let j = 0; j < tokens; j++) sum += seen[mu * tokens + j]! * x.data[f * tokens + j]!;
          return sum;
        });
      });
      return Float64Array.from(parts.flatMap((part) => Array.from(part)));
    }),
  );
}

/** Orthonormal basis (columns) of the span of the columns of a matrix given by rows, each in several parts; one column at least. */
function spanOf(rows: readonly (readonly Float64Array[])[]): Matrix {
  const count = rows.length;
  const width = rows[0]!.reduce((sum, part) => sum + part.length, 0);
  const stacked = zeros(count, width);
  rows.forEach((parts, i) => {
    let at = i * width;
    for (const part of parts) {
      stacked.data.set(part, at);
      at += part.length;
    }
  });
  const { left, values } = thinSvd(stacked);
  const rank = Math.max(
    1,
    values.reduce((sum, value) => sum + (value > cut * values[0]! ? 1 : 0), 0),
  );
  if (rank === count) return identity(count);
  const out = zeros(count, rank);
  for (let i = 0; i < count; i++) for (let r = 0; r < rank; r++) out.data[i * rank + r] = left.data[i * left.shape[1] + r]!;
  return out;
}

/** Σ_i U_ir ω_i. */
function combine(basis: Matrix, rows: readonly Float64Array[]): Float64Array[] {
  const rank = basis.shape[1];
  return Array.from({ length: rank }, (_, r) => {
    const out = new Float64Array(rows[0]!.length);
    rows.forEach((row, i) => {
      const weight = basis.data[i * rank + r]!;
      if (weight !== 0) for (let k = 0; k < out.length; k++) out[k]! += weight * row[k]!;
    });
    return out;
  });
}

/**
 * Suffix vectors of the sites of layers 1 … L for given maps: one row of examples × tokens per site (a single set of tokens while all maps
 * above are common). O(examples tokens² Σ H sites).
 */
export function suffixVectors(paths: AttentionPaths, maps: readonly AttentionMaps[]): readonly (readonly Float64Array[])[] {
  const tokens = paths.readout.length;
  const out: Float64Array[][] = [[paths.readout]];
  for (let l = paths.heads.length - 2; l >= 0; l--) {
    const moved = applyHeads(out[0]!, maps[l + 1]!, tokens);
    const above = out[0]!.length;
    const taps = paths.taps[l]!;
    const size = paths.sites[l]!;
    if (size === moved.length) {
      out.unshift(moved);
      continue;
    }
    out.unshift(
      Array.from({ length: size }, (_, r) => {
        const row = new Float64Array(moved[0]!.length);
        taps.forEach((tap, h) => {
          for (let s = 0; s < above; s++) {
            const weight = tap.data[r * above + s]!;
            const from = moved[h * above + s]!;
            if (weight !== 0) for (let k = 0; k < row.length; k++) row[k]! += weight * from[k]!;
          }
        });
        return row;
      }),
    );
  }
  return out;
}

/** Names of all paths of layer 1, "h₂h₃…" with heads counted from 1. */
export function pathNames(heads: readonly number[]): string[] {
  let names = [""];
  for (const count of heads.slice(1).toReversed())
    names = Array.from({ length: count }, (_, h) => names.map((name) => (name === "" ? `${h + 1}` : `${h + 1}·${name}`))).flat();
  return names;
}
