import { strictObject, type LayerPlugin } from "@finitewidth/core";
import type * as v from "valibot";
import { layerName } from "./fields.js";

const schema = strictObject({ layer: layerName });

/** Units become (channel, site), index channel·s + site: the dense layer above has a weight for each. */
export const flatten: LayerPlugin<v.InferOutput<typeof schema>> = {
  name: "flatten",
  summary: "Makes a unit of every (channel, site).",
  schema,
  build: (_, below) => ({
    primitives: [],
    above: below.grid.every((extent) => extent === 1) ? { ...below, grid: [] } : { ...below, flattened: true },
  }),
};
