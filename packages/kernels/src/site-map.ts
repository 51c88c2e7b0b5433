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

/** R, the number of entries per output site. */
export const entriesPerSite = ({ sources, outputSites }: SiteMap): number => sources.length / outputSites;

/**
 * From the entries of every row: [site, weight], as many per row as the longest row has; equal sites of a row are joined. O(e log e) a row
 * of e entries.
 */
export function siteMapOfRows(inputSites: number, rows: readonly (readonly (readonly [site: number, weight: number])[])[]): SiteMap {
  const joined = rows.map((row) => {
    const entries = new Map<number, number>();
    for (const [site, weight] of row) if (site >= 0) entries.set(site, (entries.get(site) ?? 0) + weight);
    return [...entries].sort(([a], [b]) => a - b);
  });
  const R = Math.max(1, ...joined.map((row) => row.length));
  const sources = new Int32Array(rows.length * R).fill(-1);
  const weights = new Float64Array(rows.length * R);
  joined.forEach((row, a) =>
    row.forEach(([site, weight], r) => {
      sources[a * R + r] = site;
      weights[a * R + r] = weight;
    }),
  );
  return { inputSites, outputSites: rows.length, sources, weights };
}

/** Entries of row a of T, those that read a zero left out. */
function rowOfMap(map: SiteMap, a: number): (readonly [site: number, weight: number])[] {
  const R = entriesPerSite(map);
  const row: [number, number][] = [];
  for (let e = a * R; e < (a + 1) * R; e++) if (map.sources[e]! >= 0) row.push([map.sources[e]!, map.weights?.[e] ?? 1]);
  return row;
}

/** Entries of every row of T, those that read a zero left out. */
export const rowsOfMap = (map: SiteMap): (readonly [site: number, weight: number])[][] =>
  Array.from({ length: map.outputSites }, (_, a) => rowOfMap(map, a));

/** T T′: first `below`, then `above`. O(entries of the product). */
export function composeMaps(above: SiteMap, below: SiteMap): SiteMap {
  const rows = rowsOfMap(above).map((row) =>
    row.flatMap(([site, weight]) => rowOfMap(below, site).map(([source, factor]) => [source, weight * factor] as const)),
  );
  return siteMapOfRows(below.inputSites, rows);
}
