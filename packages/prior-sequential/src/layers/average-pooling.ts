import { strictObject, type LayerPlugin, type SiteMap } from "@finitewidth/core";
import { averageMap, isIdentityMap } from "@finitewidth/kernels";
import * as v from "valibot";
import { layerName, padding, requireGrid, sizes, windowTable } from "./fields.js";

const schema = strictObject({ layer: layerName, window: sizes, stride: v.optional(sizes), padding: v.optional(padding, "valid") });

/** Mean over a window of sites; zeros outside the grid count. */
export const averagePooling: LayerPlugin<v.InferOutput<typeof schema>> = {
  name: "average-pooling",
  summary: "Mean over windows of sites; zeros outside count.",
  schema,
  build({ window, stride, padding: mode }, below, context) {
    requireGrid(below, context, "pooling");
    const filter = { kernelSize: window, stride: stride ?? window, padding: mode, dilation: window.map(() => 1) };
    const { inputSites, outputSites, taps, tapCount, outputSize } = windowTable(filter, "window", below, context);
    const weights = tapCount === 1 ? {} : { weights: new Float64Array(taps.length).fill(1 / tapCount) };
    const map: SiteMap = { inputSites, outputSites, sources: taps, ...weights };
    return { primitives: isIdentityMap(map) ? [] : [{ kind: "site-map", map }], above: { ...below, grid: outputSize } };
  },
};

const globalSchema = strictObject({ layer: layerName });

/** Mean over all sites. */
export const globalAveragePooling: LayerPlugin<v.InferOutput<typeof globalSchema>> = {
  name: "global-average-pooling",
  summary: "Mean over all sites.",
  schema: globalSchema,
  build(_, below, context) {
    requireGrid(below, context, "pooling");
    const sites = below.grid.reduce((all, extent) => all * extent, 1);
    return { primitives: sites === 1 ? [] : [{ kind: "site-map", map: averageMap(sites) }], above: { ...below, grid: [] } };
  },
};
