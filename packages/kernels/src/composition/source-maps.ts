import { zeros, type Matrix, type SiteMap } from "@finitewidth/core";
import { composeMaps, entriesPerSite, identityMap, rowsOfMap, siteMapOfRows } from "../site-map.js";
import type { Field } from "./graph.js";

/**
 * A_v over all points: block diagonal, the same site map at every point or, above a normalisation, with weights of its own at every point
 * (points × outputSites × R).
 */
export interface PointMap extends SiteMap {
  readonly perPoint: boolean;
}

/** A site map that is the same at every point. */
export const everywhere = (map: SiteMap): PointMap => ({ ...map, perPoint: false });

/** 1/√(c + ε) of every norm at every point and site (points × sites). */
export type NormScales = readonly Float64Array[];

/**
 * A_v of every random layer v that a field h = Σ_v A_v u^v hangs on, by its index. `scales` of the norms below it are needed where there
 * are any. Fields of one composition share their maps through `known`. O(entries of the maps made), times P below norms and softmax
 * attention, whose maps differ from point to point.
 */
export function sourceMaps(
  field: Field,
  points: number,
  scales: NormScales = [],
  known = new Map<Field, ReadonlyMap<number, PointMap>>(),
): ReadonlyMap<number, PointMap> {
  const found = known.get(field);
  if (found !== undefined) return found;
  const below = (inner: Field): ReadonlyMap<number, PointMap> => sourceMaps(inner, points, scales, known);
  const made = ((): ReadonlyMap<number, PointMap> => {
    switch (field.kind) {
      case "units":
        return new Map([[field.layer, everywhere(identityMap(field.sites))]]);
      case "mapped":
        return mapEach(below(field.below), (map) => forPoints(map, points, (at) => composeMaps(field.map, at)));
      case "normalised":
        return mapEach(below(field.below), (map) => scaled(map, points, scales[field.norm]!));
      case "sum": {
        const out = new Map<number, PointMap>();
        field.terms.forEach((term, k) => {
          for (const [layer, map] of below(term)) {
            const present = out.get(layer);
            out.set(
              layer,
              present
                ? combined(present, 1, map, field.coefficients[k]!, points)
                : combined(map, field.coefficients[k]!, undefined, 0, points),
            );
          }
        });
        return out;
      }
    }
  })();
  known.set(field, made);
  return made;
}

const mapEach = (maps: ReadonlyMap<number, PointMap>, change: (map: PointMap) => PointMap): ReadonlyMap<number, PointMap> =>
  new Map([...maps].map(([layer, map]) => [layer, change(map)]));

/** The block of one point. */
function blockAt(map: PointMap, point: number): SiteMap {
  if (!map.perPoint) return map;
  const size = map.sources.length;
  return { ...map, weights: map.weights!.subarray(point * size, (point + 1) * size) };
}

/** A map made of others, point by point where one of them needs it; all points have the same sources. */
function forPoints(map: PointMap, points: number, make: (at: SiteMap) => SiteMap): PointMap {
  if (!map.perPoint) return everywhere(make(map));
  const blocks = Array.from({ length: points }, (_, point) => make(blockAt(map, point)));
  return joined(blocks);
}

function joined(blocks: readonly SiteMap[]): PointMap {
  const [first] = blocks;
  const size = first!.sources.length;
  const weights = new Float64Array(blocks.length * size);
  blocks.forEach((block, point) => weights.set(block.weights ?? new Float64Array(size).fill(1), point * size));
  return { ...first!, weights, perPoint: true };
}

/** diag(scale) A. */
function scaled(map: PointMap, points: number, scale: Float64Array): PointMap {
  const [size, R, sites] = [map.sources.length, entriesPerSite(map), map.outputSites];
  const weights = new Float64Array(points * size);
  for (let point = 0; point < points; point++) {
    const own = blockAt(map, point).weights;
    for (let e = 0; e < size; e++) weights[point * size + e] = scale[point * sites + Math.floor(e / R)]! * (own?.[e] ?? 1);
  }
  return { ...map, weights, perPoint: true };
}

/** a A + b B. */
function combined(one: PointMap, a: number, other: PointMap | undefined, b: number, points: number): PointMap {
  const add = (x: SiteMap, y: SiteMap | undefined): SiteMap => {
    const second = y ? rowsOfMap(y) : undefined;
    const rows = rowsOfMap(x).map((row, site) => [
      ...row.map(([source, weight]) => [source, a * weight] as const),
      ...(second?.[site] ?? []).map(([source, weight]) => [source, b * weight] as const),
    ]);
    return siteMapOfRows(x.inputSites, rows);
  };
  if (!one.perPoint && !other?.perPoint) return everywhere(add(one, other));
  return joined(Array.from({ length: points }, (_, point) => add(blockAt(one, point), other && blockAt(other, point))));
}

/** (A x)[μ, a] for x with rows (point, site): (P·s_in) × c → (P·s_out) × c. O(P · entries · c). */
export function applyMap(map: PointMap, x: Matrix): Matrix {
  return run(map, x, false);
}

/** Aᵀ x: (P·s_out) × c → (P·s_in) × c. O(P · entries · c). */
export function applyTransposed(map: PointMap, x: Matrix): Matrix {
  return run(map, x, true);
}

function run(map: PointMap, x: Matrix, transposed: boolean): Matrix {
  const { inputSites, outputSites, sources, weights, perPoint } = map;
  const [from, to] = transposed ? [outputSites, inputSites] : [inputSites, outputSites];
  const columns = x.shape[1];
  const points = x.shape[0] / from;
  const R = entriesPerSite(map);
  const out = zeros(points * to, columns);
  for (let point = 0; point < points; point++) {
    for (let e = 0; e < sources.length; e++) {
      if (sources[e]! < 0) continue;
      const w = weights?.[(perPoint ? point * sources.length : 0) + e] ?? 1;
      const [outer, inner] = [Math.floor(e / R), sources[e]!];
      const source = (point * from + (transposed ? outer : inner)) * columns;
      const target = (point * to + (transposed ? inner : outer)) * columns;
      for (let c = 0; c < columns; c++) out.data[target + c]! += w * x.data[source + c]!;
    }
  }
  return out;
}
