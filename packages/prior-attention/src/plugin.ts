import type { Architecture, Plugin, Primitive, PriorModel } from "@finitewidth/core";
import { finiteAttention } from "./finite-network.js";
import { attentionKernels } from "./infinite-width.js";
import { attentionMixing, type AttentionMixingLaw } from "./mixing-law.js";
import { attentionModel } from "./model.js";
import type { AttentionNetwork } from "./network.js";
import { attentionSchema } from "./schema.js";

/**
 * Layers for what asks for widths and variances. Maps of the inputs are no maps between sites: every consequence of the layers is
 * overridden, and the maps that stand here in their place are not those of any chain that is known by its layers.
 */
function primitives({ layers, tokens, weightVariance, biasVariance }: AttentionNetwork): Primitive[] {
  const everyToken = (rows: number): Primitive & { kind: "site-map" } => ({
    kind: "site-map",
    map: {
      inputSites: tokens,
      outputSites: rows,
      sources: Int32Array.from({ length: rows * tokens }, (_, k) => k % tokens),
      weights: new Float64Array(rows * tokens).fill(1 / (tokens + 1)),
    },
  });
  const random = (l: number, rows: number, width?: number): Primitive => ({
    kind: "random",
    ...(width === undefined ? {} : { width }),
    weightVariance: weightVariance[l]!,
    biasVariance: biasVariance[l]!,
    maps: [everyToken(rows).map],
  });
  return [...layers.map(({ width }, l) => random(l, tokens, width)), random(layers.length, 1)];
}

/** Everything that follows from an attention network. */
export function attentionArchitecture(network: AttentionNetwork): Architecture {
  const model = attentionModel(network);
  let law: AttentionMixingLaw | undefined;
  return {
    input: { channels: model.inputSize, sites: 1 },
    layers: primitives(network),
    overrides: {
      infiniteWidthKernels: (inputs, others) => attentionKernels(model, inputs, others),
      mixingLaw: () => (law ??= attentionMixing(model)),
      realise: (inputs, outputs) => finiteAttention(model, inputs, outputs),
    },
  };
}

/**
 * Multi-head attention, linear in the values: maps fixed, of the inputs, or the softmax of frozen queries and keys. Exact at any widths.
 * Theory: docs/theories/attention.md.
 */
export const attention: PriorModel<AttentionNetwork> = {
  name: "attention",
  summary: "Multi-head attention linear in the values, on sequences of tokens: exact law over paths of heads.",
  schema: attentionSchema,
  architecture: attentionArchitecture,
  vary: (network, { width, weightVariance, biasVariance }) => ({
    ...network,
    layers: width ? network.layers.map((layer, l) => ({ ...layer, width: width(layer.width, l) })) : network.layers,
    weightVariance: weightVariance ? network.weightVariance.map(weightVariance) : network.weightVariance,
    biasVariance: biasVariance ? network.biasVariance.map(biasVariance) : network.biasVariance,
  }),
};

/** Registers the prior model `"attention"`. */
export const plugin: Plugin = { name: "@finitewidth/prior-attention", module: import.meta.url, priorModels: [attention as PriorModel] };
