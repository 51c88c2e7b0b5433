import { nonNegativeNumber, strictObject, type LayerPlugin } from "@finitewidth/core";
import * as v from "valibot";
import { layerName, requireGaussian } from "./fields.js";

const schema = strictObject({ layer: layerName, epsilon: v.optional(nonNegativeNumber, 0) });

/** (z_i − z̄)/√(v̂ + ε) per point and site, mean and variance over the units; no learned scale. */
export const layerNormalization: LayerPlugin<v.InferOutput<typeof schema>> = {
  name: "layer-normalization",
  summary: "Mean zero and variance one over the units of every site; no learned scale.",
  schema,
  build({ epsilon }, below, context) {
    requireGaussian(below, context, "layer normalization");
    return { primitives: [{ kind: "normalise", epsilon }], above: below };
  },
};
