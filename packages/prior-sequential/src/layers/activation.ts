import { name, strictObject, type LayerPlugin } from "@finitewidth/core";
import type * as v from "valibot";
import { layerName, requireGaussian } from "./fields.js";

const schema = strictObject({ layer: layerName, name });

/** φ(z_i). */
export const activation: LayerPlugin<v.InferOutput<typeof schema>> = {
  name: "activation",
  summary: "Activation function, by its name.",
  schema,
  build(layer, below, context) {
    const { path, registry } = context;
    const phi = registry.activation(layer.name, `${path}.name`);
    // φ(h) = h changes nothing, above another activation either
    requireGaussian(phi.linear ? { ...below, gaussian: true } : below, context, "an activation");
    if (phi.linear && !below.gaussian) return { primitives: [], above: below };
    return { primitives: [{ kind: "pointwise", activation: phi }], above: { ...below, gaussian: phi.linear ?? false } };
  },
};
