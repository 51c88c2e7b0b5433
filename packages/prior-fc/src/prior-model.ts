import type { Plugin, Primitive, PriorModel } from "@finitewidth/core";
import { identityMap } from "@finitewidth/kernels";
import { fullyConnectedSchema, type FullyConnectedNetwork } from "./schema.js";

/** Fully connected networks: (dense, φ) × L, dense. The mixing law is exact for the identity activation. */
export const fullyConnected: PriorModel<FullyConnectedNetwork> = {
  name: "fully-connected",
  summary: "Fully connected network of any depth; exact mixing law when linear.",
  schema: fullyConnectedSchema,
  architecture({ widths, activation, weightVariance, biasVariance }, registry) {
    const phi: Primitive = { kind: "pointwise", activation: registry.activation(activation) };
    const dense = (l: number, width?: number): Primitive => ({
      kind: "random",
      ...(width === undefined ? {} : { width }),
      weightVariance: weightVariance[l]!,
      biasVariance: biasVariance[l]!,
      maps: [identityMap(1)],
    });
    return { layers: [...widths.flatMap((width, l) => [dense(l, width), phi]), dense(widths.length)] };
  },
  vary: (network, { width, weightVariance, biasVariance }) => ({
    ...network,
    widths: width ? network.widths.map(width) : network.widths,
    weightVariance: weightVariance ? network.weightVariance.map(weightVariance) : network.weightVariance,
    biasVariance: biasVariance ? network.biasVariance.map(biasVariance) : network.biasVariance,
  }),
};

/** Registers the prior model "fully-connected". */
export const plugin: Plugin = { name: "@finitewidth/prior-fc", module: import.meta.url, priorModels: [fullyConnected as PriorModel] };
