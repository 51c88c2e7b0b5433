import { finiteNumber, inputError, positiveInteger, positiveNumber, strictObject, type LayerPlugin, type Plugin } from "@finitewidth/core";
import * as v from "valibot";

const residualSchema = strictObject({ layer: v.string(), body: v.array(v.unknown()), depth: v.optional(positiveNumber, 1) });

/** z + body(z)/√depth: a residual whose variance stays finite over many layers. */
export const residual: LayerPlugin<v.InferOutput<typeof residualSchema>> = {
  name: "scaled-residual",
  summary: "z + body(z)/√depth.",
  schema: residualSchema,
  build({ body, depth }, below, { path, branch }) {
    const { primitives, above } = branch(body, below, `${path}.body`);
    if (!below.gaussian || !above.gaussian || above.width !== below.width || above.grid.join() !== below.grid.join())
      throw inputError(
        path,
        `a body of ${below.width} Gaussian units over the same sites`,
        `${above.width} units over [${above.grid.join(", ")}]`,
      );
    return { primitives: [{ kind: "merge", branches: [[], primitives], coefficients: [1, 1 / Math.sqrt(depth)] }], above: below };
  },
};

const attentionSchema = strictObject({
  layer: v.string(),
  width: positiveInteger,
  reach: v.optional(positiveNumber, 1),
  weightVariance: v.optional(positiveNumber, 1),
  biasVariance: v.optional(v.pipe(finiteNumber, v.minValue(0, "a number ≥ 0")), 0),
});

/** Fixed attention that falls off with the distance of tokens: Ω_ab ∝ exp(−|a − b|/reach), rows sum to one. */
export const attention: LayerPlugin<v.InferOutput<typeof attentionSchema>> = {
  name: "distance-attention",
  summary: "Fixed attention that falls off exponentially with the distance of tokens.",
  schema: attentionSchema,
  build({ width, reach, weightVariance, biasVariance }, below, { path }) {
    const [tokens = 0] = below.grid;
    if (below.grid.length !== 1 || below.flattened) throw inputError(path, "a sequence of tokens below", `[${below.grid.join(", ")}]`);
    const rows = Array.from({ length: tokens }, (_, a) => Array.from({ length: tokens }, (__, b) => Math.exp(-Math.abs(a - b) / reach)));
    const weights = Float64Array.from(rows.flatMap((row) => row.map((value) => value / row.reduce((sum, other) => sum + other))));
    const sources = Int32Array.from({ length: tokens * tokens }, (_, e) => e % tokens);
    const map = { inputSites: tokens, outputSites: tokens, sources, weights };
    return {
      primitives: [{ kind: "random", width, weightVariance, biasVariance, maps: [map] }],
      above: { ...below, width, gaussian: true, input: false },
    };
  },
};

export const plugin: Plugin = {
  name: "finitewidth-plugin-skip-and-attention",
  module: import.meta.url,
  layers: [residual as LayerPlugin, attention as LayerPlugin],
  scenarios: [
    {
      name: "scaled residual over attention by distance",
      theories: [{ name: "perturbative", options: { engine: "exact" } }],
      network: (factor) => ({
        type: "sequential",
        inputShape: [1, 3],
        layers: [
          { layer: "distance-attention", width: 8 * factor, weightVariance: 1.4 },
          {
            layer: "scaled-residual",
            depth: 2,
            body: [
              { layer: "activation", name: "erf" },
              { layer: "convolution", channels: 8 * factor, kernelSize: [1], weightVariance: 1.5 },
            ],
          },
          { layer: "activation", name: "erf" },
          { layer: "global-average-pooling" },
          { layer: "dense", weightVariance: 1.3 },
        ],
      }),
      points: 2,
      features: 3,
      temperature: 0.3,
      targetScale: () => 1.7,
      sampling: { kind: "importance", samples: 60_000 },
      factors: [1, 4],
      seed: 7,
    },
  ],
};
