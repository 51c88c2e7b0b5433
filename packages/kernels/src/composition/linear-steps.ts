import type { Architecture, Primitive, RandomLayer, SiteMap } from "@finitewidth/core";
import { composeMaps, identityMap, rowsOfMap, siteMapOfRows } from "../site-map.js";
import { applyMap, everywhere } from "./source-maps.js";

/**
 * One random layer of a linear chain, with the maps ΠT_k from what it reads to what the layer above reads of its units, what Π makes of a
 * constant, and the skip that carries the units below into its own: z ↦ coefficient·Π S z + σ_w/√(N K) Σ_k W_k ΠT_k z + σ_b b Π1.
 */
export interface LinearStep {
  readonly layer: Pick<RandomLayer, "width" | "weightVariance" | "biasVariance">;
  /** None where only the skip is left. */
  readonly maps: readonly SiteMap[];
  readonly constant: Float64Array;
  readonly skip?: SiteMap;
}

const mapConstant = (map: SiteMap, constant: Float64Array): Float64Array =>
  applyMap(everywhere(map), { data: constant, shape: [constant.length, 1] }).data;

function scaledMap(map: SiteMap, factor: number): SiteMap {
  const weights = Float64Array.from(map.sources, (_, k) => factor * (map.weights?.[k] ?? 1));
  return factor === 1 ? map : { ...map, weights };
}

/** S + S′. */
function sumOfMaps(one: SiteMap, other: SiteMap): SiteMap {
  const [a, b] = [rowsOfMap(one), rowsOfMap(other)];
  return siteMapOfRows(
    one.inputSites,
    a.map((row, i) => [...row, ...b[i]!]),
  );
}

/** Everything a step puts out, mapped. */
function mapped(step: LinearStep, map: SiteMap): LinearStep {
  return {
    layer: step.layer,
    maps: step.maps.map((own) => composeMaps(map, own)),
    constant: mapConstant(map, step.constant),
    ...(step.skip === undefined ? {} : { skip: composeMaps(map, step.skip) }),
  };
}

/** A branch with at most one random layer: its site maps before and after, and the layer. */
interface Branch {
  readonly before: SiteMap;
  readonly random?: { readonly layer: RandomLayer; readonly after: SiteMap };
}

function branchOf(layers: readonly Primitive[], sites: number): Branch | undefined {
  let before = identityMap(sites);
  let random: { layer: RandomLayer; after: SiteMap } | undefined;
  for (const layer of layers) {
    if (layer.kind === "site-map") {
      if (random === undefined) before = composeMaps(layer.map, before);
      else random = { ...random, after: composeMaps(layer.map, random.after) };
    } else if (layer.kind === "random" && random === undefined && !layer.scores && !layer.weights)
      random = { layer, after: identityMap(layer.maps[0]!.outputSites) };
    else if (layer.kind !== "pointwise" || !layer.activation.linear) return undefined;
  }
  return random === undefined ? { before } : { before, random };
}

/**
 * Branches that all start from the same units as one step: those without weights make the skip, the others read the units below directly,
 * so that their weights add up to one Kraus list. Undefined for branches of several layers of weights.
 */
function mergedStep(
  { branches, coefficients }: Extract<Primitive, { kind: "merge" }>,
  width: number,
  sites: number,
): LinearStep | undefined {
  const parts = branches.map((branch) => branchOf(branch, sites));
  let skip: SiteMap | undefined;
  const kraus: { readonly map: SiteMap; readonly strength: number }[] = [];
  let biasVariance = 0;
  let constant: Float64Array | undefined;
  for (const [k, part] of parts.entries()) {
    if (part === undefined) return undefined;
    const c = coefficients[k]!;
    if (part.random === undefined) {
      const own = scaledMap(part.before, c);
      skip = skip === undefined ? own : sumOfMaps(skip, own);
      continue;
    }
    const { layer, after } = part.random;
    const ones = mapConstant(after, new Float64Array(after.inputSites).fill(1));
    if (c === 0) continue;
    if (layer.biasVariance > 0 && constant !== undefined && constant.some((value, i) => value !== ones[i])) return undefined;
    if (layer.biasVariance > 0) constant = ones;
    biasVariance += c * c * layer.biasVariance;
    for (const map of layer.maps)
      kraus.push({ map: composeMaps(after, composeMaps(map, part.before)), strength: (c * c * layer.weightVariance) / layer.maps.length });
  }
  const outputSites = skip?.outputSites ?? kraus[0]?.map.outputSites;
  if (outputSites === undefined) return undefined;
  // c Σ_k T_k Q T_kᵀ with one number for all maps: the mean, the rest in the maps
  const weightVariance = kraus.reduce((sum, { strength }) => sum + strength, 0);
  const mean = weightVariance / kraus.length;
  return {
    layer: { width, weightVariance, biasVariance },
    maps: kraus.map(({ map, strength }) => scaledMap(map, strength === mean ? 1 : Math.sqrt(strength / mean))),
    constant: constant ?? new Float64Array(outputSites).fill(1),
    ...(skip === undefined || skip.weights?.every((weight) => weight === 0) ? {} : { skip }),
  };
}

/**
 * A linear network as layers of weights one above the other, the readout last: site maps between them, and skips over single layers of
 * weights. Undefined for other networks. O(entries of the site maps and of their products).
 */
export function linearSteps(architecture: Architecture): readonly LinearStep[] | undefined {
  const steps: LinearStep[] = [];
  let inputs: SiteMap | undefined;
  for (const layer of architecture.layers) {
    const last = steps.at(-1);
    if (layer.kind === "site-map") {
      if (last === undefined) inputs = inputs ? composeMaps(layer.map, inputs) : layer.map;
      else steps[steps.length - 1] = mapped(last, layer.map);
    } else if (layer.kind === "random" && !layer.scores && !layer.weights) {
      const pooled = last === undefined ? inputs : undefined;
      const maps = pooled ? layer.maps.map((map) => composeMaps(map, pooled)) : layer.maps;
      steps.push({ layer, maps, constant: new Float64Array(maps[0]!.outputSites).fill(1) });
    } else if (layer.kind === "merge" && last !== undefined) {
      const step = mergedStep(layer, last.layer.width!, last.constant.length);
      if (step === undefined) return undefined;
      steps.push(step);
    } else if (layer.kind !== "pointwise" || !layer.activation.linear) return undefined;
  }
  return steps.length > 1 ? steps : undefined;
}
