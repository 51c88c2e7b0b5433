import { erf } from "@finitewidth/activations";
import type { Architecture, Matrix, Primitive, RandomLayer, SiteMap } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { averageMap, flatteningMaps, identityMap, siteMapOfRows } from "../src/index.js";
import { normalMatrix } from "../../../tools/testing.ts";

export const phi: Primitive = { kind: "pointwise", activation: erf };
export const pooling: SiteMap = siteMapOfRows(3, [[[0, 0.6], [1, 0.3]], [[1, 0.5], [2, -0.8]]]); // prettier-ignore
export const mixing: SiteMap = siteMapOfRows(3, [[[0, 0.8], [2, -0.3]], [[1, 1.1]], [[0, 0.4], [1, 0.2]]]); // prettier-ignore
/** Reads the site before, a zero at the first. */
export const shifted: SiteMap = { inputSites: 3, outputSites: 3, sources: Int32Array.of(-1, 0, 1) };
export const law = { value: (x: number) => x + 0.2 * x ** 3, derivative: (x: number) => 1 + 0.6 * x ** 2 };
export const random = (
  width: number | undefined,
  weightVariance: number,
  biasVariance: number,
  maps: readonly SiteMap[],
  more: object = {},
): RandomLayer => ({ kind: "random", ...(width ? { width } : {}), weightVariance, biasVariance, maps, ...more });

/** Every primitive, units and variances all different: skips, two norms of one field, pooling, attention, flattening. */
export const layersOf = (attention: object, weights: object = {}): Primitive[] => [
  random(4, 1.3, 0.2, [mixing, shifted]),
  {
    kind: "merge",
    branches: [[], [phi, random(4, 0.7, 0.3, [shifted, identityMap(3), mixing], weights)], [{ kind: "normalise", epsilon: 0.2 }]],
    coefficients: [0.7, -0.4, 1.2],
  },
  phi,
  { kind: "site-map", map: pooling },
  random(3, 1.1, 0.15, [identityMap(2)], attention),
  { kind: "normalise", epsilon: 0.05 },
  phi,
  random(5, 1.7, 0, flatteningMaps(2), { order: "map-channel" }),
  phi,
  random(undefined, 0.9, 0.25, [identityMap(1)]),
];
/** Fields made of fields: maps of inputs, of norms and of sums, a sum in a sum, a norm of all that, two maps above an activation. */
export const fields: Primitive[] = [
  { kind: "site-map", map: mixing },
  { kind: "site-map", map: shifted },
  random(4, 1.3, 0.2, [mixing, identityMap(3)]),
  {
    kind: "merge",
    branches: [
      [{ kind: "site-map", map: mixing }],
      [
        { kind: "normalise", epsilon: 0.2 },
        { kind: "site-map", map: shifted },
      ],
      [{ kind: "merge", branches: [[], [phi, random(4, 0.7, 0.3, [shifted])]], coefficients: [0.5, 1.5] }],
      [],
    ],
    coefficients: [0.7, -0.4, 1.2, 0.3],
  },
  { kind: "normalise", epsilon: 0.1 },
  phi,
  { kind: "site-map", map: mixing },
  { kind: "site-map", map: pooling },
  random(3, 1.1, 0, [identityMap(2)]),
  { kind: "site-map", map: averageMap(2) },
  phi,
  random(undefined, 0.9, 0.25, [identityMap(1)]),
];
export const scores = { maps: [], scores: { scoreVariance: 0.9, heads: 2, keys: 3 } };
export const size = [2, 3] as const;
export const architecture = (layers: readonly Primitive[]): Architecture => ({ input: { channels: 2, sites: 3 }, layers });
export const normal = (rows: number, columns: number, seed: number): Matrix => normalMatrix(stream(seed), rows, columns);
export const exact = { relative: 1e-11, absolute: 1e-12 };
