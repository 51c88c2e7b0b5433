import {
  inputError,
  name,
  positiveInteger,
  randomLayers,
  strictObject,
  validate,
  type Architecture,
  type BuiltLayer,
  type LayerPlugin,
  type LayerShape,
  type Network,
  type NetworkVariation,
  type Primitive,
  type Registry,
  type StandardSchemaV1,
} from "@finitewidth/core";
import { flatteningMaps, identityMap } from "@finitewidth/kernels";
import * as v from "valibot";

/** An entry of `layers`; its layer plug-in knows the other fields. */
export interface LayerEntry {
  readonly layer: string;
  readonly [field: string]: unknown;
}

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
  const { primitives, above } = buildList(layers, below, "network.layers", registry, true);
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

const sameMaps = (
  a: readonly { readonly outputSites: number; readonly sources: Int32Array; readonly weights?: Float64Array }[],
  b: typeof a,
): boolean =>
  a.length === b.length &&
  a.every((map, k) => map.outputSites === b[k]!.outputSites && map.weights === undefined && map.sources.join() === b[k]!.sources.join());

function buildList(layers: unknown, below: LayerShape, path: string, registry: Registry, top: boolean): BuiltLayer {
  if (!Array.isArray(layers)) throw inputError(path, "a list of layers", layers);
  return layers.reduce<BuiltLayer>(
    ({ primitives, above }, entry: unknown, i) => {
      const here = `${path}[${i}]`;
      const { plugin, layer } = resolveEntry(entry, registry, here);
      const built = plugin.build(layer, above, {
        registry,
        path: here,
        last: top && i === layers.length - 1,
        branch: (inner, shapeBelow, innerPath) => buildList(inner, shapeBelow, innerPath, registry, false),
      });
      return { primitives: [...primitives, ...built.primitives], above: built.above };
    },
    { primitives: [], above: below },
  );
}

/** The plug-in of an entry and the entry with its defaults. */
function resolveEntry(entry: unknown, registry: Registry, path: string): { readonly plugin: LayerPlugin; readonly layer: unknown } {
  if (!isEntry(entry)) throw inputError(path, 'an object with a "layer"', entry);
  const plugin = registry.layer(entry.layer, `${path}.layer`);
  return { plugin, layer: validate(plugin.schema, entry, path) };
}

const isEntry = (value: unknown): value is LayerEntry =>
  typeof value === "object" && value !== null && typeof (value as Partial<LayerEntry>).layer === "string";

/** The same network with other widths and variances: every layer of weights is asked for in document order. */
export function varyNetwork(network: SequentialNetwork, variation: NetworkVariation, registry: Registry): SequentialNetwork {
  return { ...network, layers: varyList(network.layers, counting(variation), registry, "network.layers") as LayerEntry[] };
}

/** Layers count themselves: every call of one of the three is for the next layer of weights. */
function counting({ width, weightVariance, biasVariance }: NetworkVariation): NetworkVariation {
  const each = (change: ((value: number, layer: number) => number) | undefined) => {
    let layer = 0;
    return (value: number): number => (change ? change(value, layer++) : value);
  };
  return { width: each(width), weightVariance: each(weightVariance), biasVariance: each(biasVariance) };
}

function varyList(layers: readonly unknown[], variation: NetworkVariation, registry: Registry, path: string): readonly unknown[] {
  return layers.map((entry, i) => {
    const { plugin, layer } = resolveEntry(entry, registry, `${path}[${i}]`);
    return plugin.vary ? plugin.vary(layer, variation) : varyFields(layer as LayerEntry, variation, registry, `${path}[${i}]`);
  });
}

const isList = (value: unknown): value is readonly LayerEntry[] => Array.isArray(value) && value.every(isEntry);

function varyFields(layer: LayerEntry, variation: NetworkVariation, registry: Registry, path: string): LayerEntry {
  const change: Record<string, ((value: number, layer: number) => number) | undefined> = {
    width: variation.width,
    channels: variation.width,
    weightVariance: variation.weightVariance,
    biasVariance: variation.biasVariance,
  };
  const varied = Object.entries(layer).map(([field, value]): [string, unknown] => {
    if (typeof value === "number") return [field, change[field]?.(value, 0) ?? value];
    if (isList(value)) return [field, varyList(value, variation, registry, `${path}.${field}`)];
    if (Array.isArray(value) && value.every(isList))
      return [field, value.map((branch, k) => varyList(branch, variation, registry, `${path}.${field}[${k}]`))];
    return [field, value];
  });
  return Object.fromEntries(varied) as unknown as LayerEntry;
}
