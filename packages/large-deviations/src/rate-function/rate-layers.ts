import type { WishartChain } from "@finitewidth/core";

/** A chain of one site as its rate function sees it: layers that fluctuate, and the numbers that are taken into the kernel. */
export interface RateLayers {
  /** N_l of the layers with weights. */
  readonly widths: readonly number[];
  /** k_l = α²/β² of those. */
  readonly skips: readonly number[];
  /** Π of their variances s_l = β_l² and of α² of the layers that only carry units on. */
  readonly variance: number;
  /** For every layer of the chain: its variance or α², and its index among the layers with weights. */
  readonly scales: readonly number[];
  readonly indices: readonly (number | undefined)[];
}

/** Splits a chain of one site. */
export function rateLayers({ layers }: WishartChain): RateLayers {
  const top = layers.length - 1;
  const skipOf = (l: number): number => (layers[l]!.skip ? layers[l]!.skip.coefficient * layers[l]!.skip.tap.data[0]! : 0);
  const random = layers.map(({ taps }, l) => l === top || taps.length > 0);
  const scales = layers.map(({ variance, taps }, l) => {
    if (!random[l]) return skipOf(l) ** 2;
    return taps.length === 0 ? variance : (variance * taps.reduce((sum, tap) => sum + tap.data[0]! ** 2, 0)) / taps.length;
  });
  const kept = layers.map((_, l) => l).filter((l) => random[l]);
  return {
    widths: kept.map((l) => layers[l]!.width),
    skips: kept.map((l) => skipOf(l) ** 2 / scales[l]!),
    variance: scales.reduce((product, scale) => product * scale, 1),
    scales,
    indices: layers.map((_, l) => (random[l] ? kept.indexOf(l) : undefined)),
  };
}
