import { inputError } from "./errors.js";
import type { BuiltLayer, LayerPlugin, LayerShape } from "./layer.js";
import type { NetworkVariation } from "./prior-model.js";
import type { Registry } from "./registry.js";
import { validate } from "./validation.js";

/** An entry of a list of layers; its layer plug-in knows the other fields. */
export interface LayerEntry {
  readonly layer: string;
  readonly [field: string]: unknown;
}

/**
 * Builds a list of layers on what is below it. `top`: the last entry of the list is the last layer of the network.
 * @throws FinitewidthError (code "input") naming the field below `path`.
 */
export function buildLayers(layers: unknown, below: LayerShape, path: string, registry: Registry, top = false): BuiltLayer {
  if (!Array.isArray(layers)) throw inputError(path, "a list of layers", layers);
  return layers.reduce<BuiltLayer>(
    ({ primitives, above }, entry: unknown, i) => {
      const here = `${path}[${i}]`;
      const { plugin, layer } = resolveEntry(entry, registry, here);
      const built = plugin.build(layer, above, {
        registry,
        path: here,
        last: top && i === layers.length - 1,
        branch: (inner, shapeBelow, innerPath) => buildLayers(inner, shapeBelow, innerPath, registry),
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

/** The same list with other widths and variances: every layer of weights is asked for in document order. */
export function varyLayers(
  layers: readonly unknown[],
  variation: NetworkVariation,
  registry: Registry,
  path = "network.layers",
): LayerEntry[] {
  return varyList(layers, counting(variation), registry, path) as LayerEntry[];
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
