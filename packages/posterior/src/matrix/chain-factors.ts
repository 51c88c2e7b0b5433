import type { Matrix, WishartChain } from "@finitewidth/core";
import { affine, combine } from "@finitewidth/linalg";
import {
  addCoordinateGradient,
  chainAdjoint,
  chainFactors,
  chainLayout,
  coordinatesToFactors,
  type ChainFactor,
  type ChainLayout,
  type CoordinateFactors,
} from "@finitewidth/numerics";
import type { PlainChain } from "../exact/chain.js";
import { smallMultiply, smallMultiplyLeft, smallMultiplyRight } from "./small.js";

/**
 * Bartlett factors of a chain over outputs: F_L = √s_L Z_L, F_l = √s_l F_{l+1} Z_l, M_l = F_l F_lᵀ; arrays indexed 0 … L − 1 for layers 1 …
 * L.
 */
export interface ChainFactors {
  readonly coordinates: CoordinateFactors;
  /** F_l: D × r_l. */
  readonly f: readonly Float64Array[];
  readonly ranks: readonly number[];
  /** What `chainFactors` gave, for chains with skips. */
  readonly general?: readonly ChainFactor[];
}

/** Shapes of the coordinates of a plain chain for D outputs. */
export function plainLayout(chain: PlainChain, outputs: number): ChainLayout {
  const one = { data: Float64Array.of(1), shape: [1, 1] as const };
  const layers: WishartChain["layers"] = chain.widths.map((width, l) => ({
    width,
    sites: 1,
    variance: chain.variances[l]!,
    taps: l + 1 < chain.widths.length && chain.variances[l]! > 0 ? [one] : [],
    ...(chain.skips?.[l] === undefined ? {} : { skip: { coefficient: chain.skips[l]!, tap: one } }),
    biasVariance: chain.hiddenBias[l]!,
    biasWeights: Float64Array.of(1),
  }));
  return chainLayout({ layers, readoutBiasVariance: chain.readoutBias }, outputs);
}

/** Factors at a point of coordinate space. O(L D³). */
export function factorsAt(layout: ChainLayout, x: Float64Array): ChainFactors {
  const coordinates = coordinatesToFactors(layout, x);
  const d = layout.outputs;
  const ranks = layout.layers.map(({ rank }) => rank);
  if (layout.layers.some(({ layer }) => layer.skip !== undefined)) {
    const general = chainFactors(layout, coordinates.z);
    return { coordinates, f: general.map(({ f }) => f.data), ranks, general };
  }
  const f: Float64Array[] = [];
  for (let l = layout.layers.length - 1; l >= 0; l--) {
    const { layer, size, rank } = layout.layers[l]!;
    const z = coordinates.z[l]!.data;
    const scale = Math.sqrt(layer.variance);
    const above = f[0];
    const out = new Float64Array(d * rank);
    if (above === undefined) out.set(z);
    else smallMultiply(above, z, d, size, rank, out);
    for (let i = 0; i < out.length; i++) out[i]! *= scale;
    f.unshift(out);
  }
  return { coordinates, f, ranks };
}

/** M_l = F_l F_lᵀ, D × D. O(D² r_l). */
export function mixingAt(factors: ChainFactors, layer: number, outputs: number, out: Float64Array): void {
  smallMultiplyRight(factors.f[layer]!, factors.f[layer]!, outputs, factors.ranks[layer]!, outputs, out);
}

/** B = σ_b²(L+1) I + Σ_{l≥2} b_l M_l, or undefined when there are no biases beyond layer 1. O(L D² r_l). */
export function biasAt(chain: PlainChain, factors: ChainFactors, outputs: number): Float64Array | undefined {
  if (chain.readoutBias === 0 && chain.hiddenBias.every((b) => b === 0)) return undefined;
  const out = new Float64Array(outputs * outputs);
  for (let a = 0; a < outputs; a++) out[a * outputs + a] = chain.readoutBias;
  const mixing = new Float64Array(outputs * outputs);
  for (const [l, b] of chain.hiddenBias.entries()) {
    if (b === 0) continue;
    mixingAt(factors, l, outputs, mixing);
    for (let i = 0; i < out.length; i++) out[i]! += b * mixing[i]!;
  }
  return out;
}

/**
 * Adds to `gradient` (coordinates) what symmetric gradients with respect to M_1 and B mean: F̄_1 = 2 G_Q F_1, going up Z̄_l = R_lᵀF̄_l,
 * F̄_{l+1} = √s_l F̄_l Z_lᵀ + 2 b_{l+1} G_B F_{l+1}, with R_l the left factor of Z_l. O(L D³).
 */
export function addChainGradient(
  layout: ChainLayout,
  chain: PlainChain,
  factors: ChainFactors,
  gradientQ: Float64Array,
  gradientB: Float64Array | undefined,
  gradient: Float64Array,
): void {
  const d = layout.outputs;
  if (factors.general !== undefined) {
    const square = (data: Float64Array): Matrix => ({ data, shape: [d, d] });
    const gradients = layout.layers.map((_, l): Matrix | undefined => {
      const b = chain.hiddenBias[l]!;
      const fromBias = gradientB !== undefined && b > 0 ? affine(b, square(gradientB)) : undefined;
      if (l > 0) return fromBias;
      return fromBias === undefined ? square(gradientQ) : combine(1, square(gradientQ), 1, fromBias);
    });
    addCoordinateGradient(layout, factors.coordinates, chainAdjoint(layout, factors.general, gradients), gradient);
    return;
  }
  let fBar = new Float64Array(d * factors.ranks[0]!);
  smallMultiply(gradientQ, factors.f[0]!, d, d, factors.ranks[0]!, fBar);
  for (let i = 0; i < fBar.length; i++) fBar[i]! *= 2;
  const zBars = layout.layers.map(({ layer, size, rank }, l) => {
    const scale = Math.sqrt(layer.variance);
    const zBar = new Float64Array(size * rank);
    const above = factors.f[l + 1];
    if (above === undefined) {
      for (let i = 0; i < zBar.length; i++) zBar[i] = scale * fBar[i]!;
      return { data: zBar, shape: [size, rank] as const };
    }
    smallMultiplyLeft(above, fBar, d, size, rank, zBar);
    for (let i = 0; i < zBar.length; i++) zBar[i]! *= scale;
    const next = new Float64Array(d * size);
    smallMultiplyRight(fBar, factors.coordinates.z[l]!.data, d, rank, size, next);
    const b = chain.hiddenBias[l + 1]!;
    const direct = new Float64Array(d * size);
    if (b > 0 && gradientB !== undefined) smallMultiply(gradientB, above, d, d, size, direct);
    for (let i = 0; i < next.length; i++) next[i] = scale * next[i]! + 2 * b * direct[i]!;
    fBar = next;
    return { data: zBar, shape: [size, rank] as const };
  });
  addCoordinateGradient(layout, factors.coordinates, zBars, gradient);
}
