import type { Matrix, SiteMap } from "@finitewidth/core";

/**
 * The sites of a linear layer that something reaches, 1 or 0 each: those whose taps read a live site below, or all where `constant` (a
 * bias) reaches them. At the others every unit is 0 whatever the weights: the padding of an image smaller than its margin. O(entries of
 * the maps).
 */
export function liveSites(maps: readonly SiteMap[], below: Uint8Array, constant = false): Uint8Array {
  const out = new Uint8Array(maps[0]!.outputSites).fill(constant ? 1 : 0);
  for (const { sources, weights, outputSites } of maps) {
    const perSite = sources.length / outputSites;
    sources.forEach((source, e) => {
      if (source >= 0 && below[source] === 1 && weights?.[e] !== 0) out[Math.floor(e / perSite)] = 1;
    });
  }
  return out;
}

/** The rows of live sites, zeros in the others. */
export function keepLive(block: Matrix, live: Uint8Array): Matrix {
  if (live.every((value) => value === 1)) return block;
  const columns = block.shape[1];
  return { data: block.data.map((value, k) => (live[Math.floor(k / columns)] === 1 ? value : 0)), shape: block.shape };
}
