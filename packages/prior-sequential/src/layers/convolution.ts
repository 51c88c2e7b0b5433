import { positiveInteger, strictObject, type LayerPlugin } from "@finitewidth/core";
import { filterMaps } from "@finitewidth/kernels";
import * as v from "valibot";
import { layerName, padding, requireGrid, sizes, variances, windowTable } from "./fields.js";

const schema = strictObject({
  layer: layerName,
  channels: positiveInteger,
  kernelSize: sizes,
  stride: v.optional(sizes),
  padding: v.optional(padding, "circular"),
  dilation: v.optional(sizes),
  ...variances,
});

/** Σ_{j,m} W_{ijm} z_{j,τ_m(a)}/√(N M) + b_i over the M taps of a filter, those that fall on zeros included. */
export const convolution: LayerPlugin<v.InferOutput<typeof schema>> = {
  name: "convolution",
  summary: "Filters over a grid of 1 to 3 axes, with stride, padding and dilation.",
  schema,
  build({ channels, kernelSize, stride, padding: mode, dilation, weightVariance, biasVariance }, below, context) {
    requireGrid(below, context, "a convolution");
    const ones = below.grid.map(() => 1);
    const table = windowTable(
      { kernelSize, stride: stride ?? ones, padding: mode, dilation: dilation ?? ones },
      "kernelSize",
      below,
      context,
    );
    return {
      primitives: [{ kind: "random", width: channels, weightVariance, biasVariance, maps: filterMaps(table) }],
      above: { width: channels, grid: table.outputSize, flattened: false, gaussian: true, input: false },
    };
  },
};
