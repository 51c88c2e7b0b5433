import type { ConvolutionalNetwork, Plugin, PriorModel } from "@finitewidth/core";
import { finiteConvolutional } from "./finite-network.js";
import { infiniteWidthKernels } from "./infinite-width.js";
import { convolutionalMixing } from "./mixing-law.js";
import { convolutionalSchema } from "./schema.js";
import { siteBlocks } from "./site-blocks.js";

/**
 * Convolutional networks in one or two spatial dimensions, any depth, stride, dilation and padding, flattened or pooled readout. The exact
 * law of the random kernel is known for φ = identity. Theory: docs/theories/convolution.md.
 */
export const convolutional: PriorModel<ConvolutionalNetwork> = {
  name: "convolutional",
  summary: "Convolutional network, 1-D or 2-D: exact law of the mixing matrix when linear, infinite-width kernels for any activation.",
  schema: convolutionalSchema,
  inputSize: (network) => network.inputShape.reduce((all, extent) => all * extent, 1),
  infiniteWidth: infiniteWidthKernels,
  siteBlocks,
  mixing: (network, activation) => (activation.name === "identity" ? convolutionalMixing(network) : undefined),
  realise: finiteConvolutional,
};

/** Registers the prior model `"convolutional"`. */
export const plugin: Plugin = { name: "@finitewidth/prior-conv", module: import.meta.url, priorModels: [convolutional as PriorModel] };
