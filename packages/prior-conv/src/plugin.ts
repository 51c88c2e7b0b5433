import type { Plugin, Primitive, PriorModel } from "@finitewidth/core";
import { averageMap, convolutionGeometry, filterMaps, flatteningMaps, identityMap } from "@finitewidth/kernels";
import { convolutionalSchema, type ConvolutionalNetwork } from "./schema.js";

/**
 * Convolutional networks, 1-D or 2-D: (filters, φ) × L, then one readout over channel and site ("flatten") or of the average over sites.
 * Any activation; the law of the mixing matrix over (output, site) is known exactly for the identity.
 * Source: docs/theories/convolution.md; Novak et al. (2019), Bassetti et al. (2024).
 */
export const convolutional: PriorModel<ConvolutionalNetwork> = {
  name: "convolutional",
  summary: "Convolutional network, 1-D or 2-D: exact law of the mixing matrix when linear, infinite-width kernels for any activation.",
  schema: convolutionalSchema,
  architecture(network, registry) {
    const { weightVariance, biasVariance, readout } = network;
    const geometry = convolutionGeometry(network);
    const phi: Primitive = { kind: "pointwise", activation: registry.activation(network.activation) };
    const depth = network.layers.length;
    const hidden = network.layers.flatMap(({ channels }, l): Primitive[] => [
      {
        kind: "random",
        width: channels,
        weightVariance: weightVariance[l]!,
        biasVariance: biasVariance[l]!,
        maps: filterMaps(geometry.layers[l]!),
      },
      phi,
    ]);
    const sites = geometry.layers.at(-1)!.outputSites;
    const last = { kind: "random", weightVariance: weightVariance[depth]!, biasVariance: biasVariance[depth]! } as const;
    const top: Primitive[] =
      readout === "flatten"
        ? [{ ...last, maps: flatteningMaps(sites) }]
        : [
            { kind: "site-map", map: averageMap(sites) },
            { ...last, maps: [identityMap(1)] },
          ];
    return { input: { channels: geometry.channels, sites: geometry.inputSites }, layers: [...hidden, ...top] };
  },
  vary: (network, { width, weightVariance, biasVariance }) => ({
    ...network,
    layers: width ? network.layers.map((layer, l) => ({ ...layer, channels: width(layer.channels, l) })) : network.layers,
    weightVariance: weightVariance ? network.weightVariance.map(weightVariance) : network.weightVariance,
    biasVariance: biasVariance ? network.biasVariance.map(biasVariance) : network.biasVariance,
  }),
};

/** Registers the prior model `"convolutional"`. */
export const plugin: Plugin = { name: "@finitewidth/prior-conv", module: import.meta.url, priorModels: [convolutional as PriorModel] };
