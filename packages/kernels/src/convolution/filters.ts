import type { SiteMap } from "@finitewidth/core";
import type { TapTable } from "./taps.js";

/** One map per tap of a filter: T_m reads site τ_m(i) at site i, or a zero on padding. */
export function filterMaps({ inputSites, outputSites, tapCount, taps }: TapTable): readonly SiteMap[] {
  return Array.from({ length: tapCount }, (_, m) => ({
    inputSites,
    outputSites,
    sources: Int32Array.from({ length: outputSites }, (__, i) => taps[i * tapCount + m]!),
  }));
}
