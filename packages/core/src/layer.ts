import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Primitive } from "./architecture.js";
import type { NetworkVariation } from "./prior-model.js";
import type { Registry } from "./registry.js";

/** What a layer of a list finds below it. */
export interface LayerShape {
  /** Number of units: features or channels of the input, or the width of the layer of weights below. */
  readonly width: number;
  /** Extents of the grid of sites, row-major; [] without a grid. */
  readonly grid: readonly number[];
  /** The layer of weights above reads every (unit, site) by a weight of its own. */
  readonly flattened: boolean;
  /** Whether units are Gaussian at infinite width: not the inputs, not above an activation. */
  readonly gaussian: boolean;
  /** Whether units are the features of the data. */
  readonly input: boolean;
}

/** What a layer may ask for while it is built. */
export interface LayerContext {
  readonly registry: Registry;
  /** Path of the layer for messages, such as `network.layers[2].body[1]`. */
  readonly path: string;
  /** Whether this is the last layer of the network: the readout. */
  readonly last: boolean;
  /** Builds the layers of a branch on the same units. */
  branch(layers: unknown, below: LayerShape, path: string): BuiltLayer;
}

/** Primitives of a layer and the shape above it. */
export interface BuiltLayer {
  readonly primitives: readonly Primitive[];
  readonly above: LayerShape;
}

/**
 * Plug-in kind: an entry `{ "layer": name, … }` of a network that is written as a list. It says which primitives it is made of; kernels,
 * corrections, exact laws and finite networks follow from these.
 */
export interface LayerPlugin<L = unknown> {
  /** Value of `layer`. */
  readonly name: string;
  readonly summary: string;
  /** Validates the entry (with its key `layer`) and fills in defaults. */
  readonly schema: StandardSchemaV1<unknown, L>;
  /** @throws FinitewidthError (code "input") naming the field below `context.path`. */
  build(layer: L, below: LayerShape, context: LayerContext): BuiltLayer;
  /**
   * The same entry with other widths and variances; `variation` counts layers itself. Left out: fields `width`, `channels`,
   * `weightVariance` and `biasVariance` are changed, in lists of layers inside it too.
   */
  vary?(layer: L, variation: NetworkVariation): L;
}
