import { zeros, type Matrix } from "@finitewidth/core";
import type { SitePart } from "@finitewidth/numerics";

/**
 * Posterior mean of M_1 over (output, path) as weights of pairs of paths, averaged over outputs, in units of its prior mean:
 * w_ππ' = Σ_a E[M_1]_(aπ)(aπ') H_2⋯H_L/(D Π_{l≥2} σ_w²(l)). The prior (and the infinite width) gives the identity. Only for paths that were
 * not reduced: how dependent paths share a weight is not identified.
 */
export function pathWeights(mixing: Matrix, outputs: number, heads: readonly number[], weightVariance: readonly number[]): Matrix {
  const d = mixing.shape[0];
  const paths = d / outputs;
  const scale =
    heads.slice(1).reduce((product, h) => product * h, 1) / (outputs * weightVariance.slice(1).reduce((product, s) => product * s, 1));
  const out = zeros(paths, paths);
  for (let a = 0; a < outputs; a++)
    for (let i = 0; i < paths; i++)
      for (let j = 0; j < paths; j++) out.data[i * paths + j]! += scale * mixing.data[(a * paths + i) * d + a * paths + j]!;
  return out;
}

/** Digits of a path (h_2, …, h_L), heads counted from 0. */
export function headsOfPath(path: number, heads: readonly number[]): number[] {
  let rest = path;
  return heads
    .slice(1)
    .toReversed()
    .map((count) => {
      const h = rest % count;
      rest = Math.floor(rest / count);
      return h;
    })
    .toReversed();
}

/**
 * Score of every head of layers 2 … L: Σ |w_ππ'| over the pairs of paths of which at least one passes through it (Tiberi et al. 2024).
 */
export function headScores(weights: Matrix, heads: readonly number[]): number[][] {
  const paths = weights.shape[0];
  const digits = Array.from({ length: paths }, (_, path) => headsOfPath(path, heads));
  const out = heads.slice(1).map((count) => Array.from({ length: count }, () => 0));
  for (let i = 0; i < paths; i++) {
    for (let j = 0; j < paths; j++) {
      const value = Math.abs(weights.data[i * paths + j]!);
      out.forEach((layer, k) => {
        const [a, b] = [digits[i]![k]!, digits[j]![k]!];
        layer[a]! += value;
        if (b !== a) layer[b]! += value;
      });
    }
  }
  return out;
}

/** 1 for the paths that avoid every head given as [layer, head] (layers from 2, heads from 0), 0 for the others. */
export function keptPaths(heads: readonly number[], removed: readonly (readonly [number, number])[]): Float64Array {
  const paths = heads.slice(1).reduce((product, h) => product * h, 1);
  return Float64Array.from({ length: paths }, (_, path) => {
    const digits = headsOfPath(path, heads);
    return removed.every(([layer, head]) => digits[layer - 2] !== head) ? 1 : 0;
  });
}

/** The paths through every head of layers 2 … L with more than one, "layer.head" counted from 1. */
export function headParts(heads: readonly number[]): SitePart[] {
  const paths = heads.slice(1).reduce((product, h) => product * h, 1);
  const digits = Array.from({ length: paths }, (_, path) => headsOfPath(path, heads));
  return heads
    .slice(1)
    .flatMap((count, k) =>
      count === 1
        ? []
        : Array.from({ length: count }, (_, h) => ({
            label: `${k + 2}.${h + 1}`,
            sites: digits.flatMap((own, path) => (own[k] === h ? [path] : [])),
          })),
    );
}
