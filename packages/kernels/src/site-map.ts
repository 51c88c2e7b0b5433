import type { SiteMap } from "@finitewidth/core";

/** z → z over `sites` sites. */
export function identityMap(sites: number): SiteMap {
  return { inputSites: sites, outputSites: sites, sources: Int32Array.from({ length: sites }, (_, a) => a) };
}

/** Whether T is the identity. */
export const isIdentityMap = ({ inputSites, outputSites, sources, weights }: SiteMap): boolean =>
  inputSites === outputSites &&
  sources.length === outputSites &&
  sources.every((site, a) => site === a) &&
  (weights?.every((w) => w === 1) ?? true);

/** The maps of a layer that reads all sites by weights of their own: T_a = row a of the identity. */
export function flatteningMaps(sites: number): readonly SiteMap[] {
  return Array.from({ length: sites }, (_, a) => ({ inputSites: sites, outputSites: 1, sources: Int32Array.of(a) }));
}

/** Mean over all sites, 1ᵀ/s. */
export function averageMap(sites: number): SiteMap {
  return { inputSites: sites, outputSites: 1, sources: identityMap(sites).sources, weights: new Float64Array(sites).fill(1 / sites) };
}
