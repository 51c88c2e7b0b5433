import type { Activation, FullyConnectedNetwork, Matrix, Plugin, PriorModel } from "@finitewidth/core";
import { finiteFullyConnected } from "./finite-network.js";
import { fullyConnectedKernels } from "./infinite-width.js";
import { fullyConnectedMixing } from "./mixing-law.js";
import { fullyConnectedSchema } from "./schema.js";

/**
 * Fully connected networks h¹ = W¹x/√N0 + b¹, hˡ = Wˡφ(hˡ⁻¹)/√N_{l−1} + bˡ, f = h^{L+1}. The mixing law is exact for the identity
 * activation.
 */
export const fullyConnected: PriorModel<FullyConnectedNetwork> = {
  name: "fully-connected",
  summary: "Fully connected network of any depth; exact mixing law when linear.",
  schema: fullyConnectedSchema,
  inputSize: () => undefined,
  infiniteWidth: fullyConnectedKernels,
  mixing: (network: FullyConnectedNetwork, activation: Activation) =>
    activation.name === "identity" ? fullyConnectedMixing(network) : undefined,
  realise: (network: FullyConnectedNetwork, activation: Activation, inputs: Matrix, outputs: number) =>
    finiteFullyConnected(network, activation, inputs, outputs),
};

/** Registers the prior model "fully-connected". */
export const plugin: Plugin = { name: "@finitewidth/prior-fc", module: import.meta.url, priorModels: [fullyConnected as PriorModel] };
