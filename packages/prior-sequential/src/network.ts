import {
  buildLayers,
  inputError,
  name,
  positiveInteger,
  randomLayers,
  strictObject,
  varyLayers,
  type Architecture,
  type LayerEntry,
  type LayerShape,
  type Network,
  type NetworkVariation,
  type Primitive,
  type Registry,
  type SiteMap,
  type StandardSchemaV1,
} from "@finitewidth/core";
import { flatteningMaps, identityMap } from "@finitewidth/kernels";
import * as v from "valibot";

/** A network as a list of layers from the inputs to the readout. */
export interface SequentialNetwork extends Network {
  /** [features] or [channels, …grid] with 1 to 3 grid axes; an input row is this array flattened, last index fastest. */
  readonly inputShape: readonly number[];
  readonly layers: readonly LayerEntry[];
}

const shape = "[features] or [channels, …grid] with 1 to 3 grid axes";

/** Schema of `"type": "sequential"`; the entries of `layers` are checked by their plug-ins when the network is built. */
export const sequentialSchema: StandardSchemaV1<unknown, SequentialNetwork> = strictObject({
  type: name,
  inputShape: v.pipe(v.array(positiveInteger, shape), v.minLength(1, shape), v.maxLength(4, shape)),
  layers: v.pipe(v.array(v.looseObject({ layer: name }, 'an object with a "layer"'), "a list of layers"), v.nonEmpty("at least one layer")),
});

/** Layers of a network. @throws FinitewidthError (code "input") naming the field by its path. */
export function architectureOf({ inputShape, layers }: SequentialNetwork, registry: Registry): Architecture {
  const [channels = 1, ...grid] = inputShape;
  const sites = grid.reduce((all, extent) => all * extent, 1);
  const below: LayerShape = { width: channels, grid, flattened: false, gaussian: false, input: true };
  const { primitives, above } = buildLayers(layers, below, "network.layers", registry, true);
  const last = primitives.at(-1);
  if (last?.kind !== "random" || last.width !== undefined)
    throw inputError(`network.layers[${layers.length - 1}]`, "the readout at the end: a dense layer without a width", layers.at(-1)?.layer);
  if (randomLayers(primitives).filter(({ width }) => width === undefined).length > 1)
    throw inputError("network.layers", "one readout, the last layer", "several");
  const left = above.grid.reduce((all, extent) => all * extent, 1);
  if (left !== 1) throw inputError("network.layers", "one site at the readout (flatten or pool the sites before it)", `${left} sites`);
  return foldInputs(channels, sites, primitives);
}

/** A first layer with weights for every (channel, site) of the inputs reads channels·sites features on one site. */
function foldInputs(channels: number, sites: number, layers: readonly Primitive[]): Architecture {
  const [first, ...rest] = layers;
  const flattened = sites > 1 && first?.kind === "random" && !first.scores && sameMaps(first.maps, flatteningMaps(sites));
  if (!flattened) return { input: { channels, sites }, layers };
  return { input: { channels: channels * sites, sites: 1 }, layers: [{ ...first, maps: [identityMap(1)] }, ...rest] };
}

const sameMaps = (a: readonly SiteMap[], b: readonly SiteMap[]): boolean =>
  a.length === b.length &&
  a.every((map, k) => map.outputSites === b[k]!.outputSites && map.weights === undefined && map.sources.join() === b[k]!.sources.join());

/** The same network with other widths and variances. */
export const varyNetwork = (network: SequentialNetwork, variation: NetworkVariation, registry: Registry): SequentialNetwork => ({
  ...network,
  layers: varyLayers(network.layers, variation, registry),
});
