import {
  finiteNumber,
  inputError,
  nonNegativeNumber,
  positiveInteger,
  strictObject,
  type LayerPlugin,
  type SiteMap,
} from "@finitewidth/core";
import * as v from "valibot";
import { layerName, requireGrid, variances } from "./fields.js";

const matrix = v.array(v.array(finiteNumber, "a row of finite numbers"), "a list of rows");
const matrices = v.pipe(v.array(matrix, "one tokens × tokens matrix per head"), v.nonEmpty("one tokens × tokens matrix per head"));
const fixed = strictObject({
  layer: layerName,
  scores: v.optional(v.literal("fixed", '"fixed" or "softmax"'), "fixed"),
  matrices,
  width: positiveInteger,
  ...variances,
});
const softmax = strictObject({
  layer: layerName,
  scores: v.literal("softmax"),
  scoreVariance: v.optional(nonNegativeNumber, 1),
  heads: v.optional(positiveInteger, 1),
  keys: v.optional(positiveInteger),
  width: positiveInteger,
  ...variances,
});
const schema = v.lazy((value) => ((value as { readonly scores?: unknown } | null | undefined)?.scores === "softmax" ? softmax : fixed));
type Attention = v.InferOutput<typeof fixed> | v.InferOutput<typeof softmax>;

/** Σ_h V_h Ω^h z/√(H N) + b_i over the sites as tokens: Ω^h given, or the softmax of random scores. */
export const attention: LayerPlugin<Attention> = {
  name: "attention",
  summary: "Self-attention over sites: fixed matrices, or softmax of the scores of tied random queries and keys.",
  schema,
  build(layer, below, context) {
    requireGrid(below, context, "attention");
    const tokens = below.grid.reduce((all, extent) => all * extent, 1);
    const { width, weightVariance, biasVariance } = layer;
    const weights =
      layer.scores === "softmax"
        ? { maps: [], scores: { scoreVariance: layer.scoreVariance, heads: layer.heads, keys: layer.keys ?? below.width } }
        : { maps: layer.matrices.map((rows) => tokenMap(rows, tokens, context.path)) };
    return {
      primitives: [{ kind: "random", width, weightVariance, biasVariance, order: "map-channel", ...weights }],
      above: { width, grid: below.grid, flattened: false, gaussian: true, input: false },
    };
  },
};

function tokenMap(rows: readonly (readonly number[])[], tokens: number, path: string): SiteMap {
  if (rows.length !== tokens || rows.some((row) => row.length !== tokens))
    throw inputError(`${path}.matrices`, `matrices of ${tokens} × ${tokens} numbers`, `${rows.length} rows of ${rows[0]?.length ?? 0}`);
  return {
    inputSites: tokens,
    outputSites: tokens,
    sources: Int32Array.from({ length: tokens * tokens }, (_, e) => e % tokens),
    weights: Float64Array.from(rows.flat()),
  };
}
