import { inputError, positiveInteger, strictObject, type LayerPlugin } from "@finitewidth/core";
import { flatteningMaps, identityMap } from "@finitewidth/kernels";
import * as v from "valibot";
import { layerName, variances } from "./fields.js";

const schema = strictObject({ layer: layerName, width: v.optional(positiveInteger), ...variances });

/**
 * Σ_j W_ij z_j/√N + b_i at every site with the same weights; above a flattening Σ_{j,a} W_{ij a} z_{j a}/√(N s) + b_i. Without `width`: the
 * readout.
 */
export const dense: LayerPlugin<v.InferOutput<typeof schema>> = {
  name: "dense",
  summary: "Dense layer: the same weights at every site, or weights for every (unit, site) above flatten; without a width the readout.",
  schema,
  build({ width, weightVariance, biasVariance }, below, { path, last }) {
    if (width === undefined && !last)
      throw inputError(`${path}.width`, "a positive integer (only the last layer of the network has no width)", width);
    const sites = below.grid.reduce((all, extent) => all * extent, 1);
    const maps = below.flattened ? flatteningMaps(sites) : [identityMap(sites)];
    return {
      primitives: [{ kind: "random", ...(width === undefined ? {} : { width }), weightVariance, biasVariance, maps }],
      above: { width: width ?? 1, grid: below.flattened ? [] : below.grid, flattened: false, gaussian: true, input: false },
    };
  },
};
