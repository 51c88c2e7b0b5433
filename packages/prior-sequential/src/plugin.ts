import type { LayerPlugin, Plugin, PriorModel } from "@finitewidth/core";
import { activation } from "./layers/activation.js";
import { attention } from "./layers/attention.js";
import { averagePooling, globalAveragePooling } from "./layers/average-pooling.js";
import { convolution } from "./layers/convolution.js";
import { dense } from "./layers/dense.js";
import { flatten } from "./layers/flatten.js";
import { layerNormalization } from "./layers/layer-normalization.js";
import { residual, sum } from "./layers/residual.js";
import { architectureOf, sequentialSchema, varyNetwork, type SequentialNetwork } from "./network.js";

/** Networks written as a list of layers. Vocabulary and conventions: docs/theories/layers.md. */
export const sequential: PriorModel<SequentialNetwork> = {
  name: "sequential",
  summary: "Network written as a list of layers, skips, sums, pooling, attention and normalization among them.",
  schema: sequentialSchema,
  architecture: architectureOf,
  vary: varyNetwork,
};

/** The layers of this package. */
export const layers = [
  dense,
  activation,
  convolution,
  attention,
  averagePooling,
  globalAveragePooling,
  flatten,
  residual,
  sum,
  layerNormalization,
] as readonly LayerPlugin<unknown>[];

/** Registers the prior model `"sequential"` and its layers. */
export const plugin: Plugin = {
  name: "@finitewidth/prior-sequential",
  module: import.meta.url,
  layers,
  priorModels: [sequential as PriorModel],
};
