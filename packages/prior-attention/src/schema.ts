import {
  biasVarianceSchema,
  finiteNumber,
  issuePath,
  nonNegativeInteger,
  perLayer,
  perLayerExpectation,
  positiveInteger,
  positiveNumber,
  strictObject,
  weightVarianceSchema,
  type StandardSchemaV1,
} from "@finitewidth/core";
import * as v from "valibot";
import type { AttentionNetwork } from "./network.js";

const what = "one matrix per head, [head][query][key]";
const matrices = v.pipe(v.array(v.array(v.array(finiteNumber, what), what), what), v.nonEmpty("at least one head"));
const projections = v.pipe(
  v.array(v.array(v.array(finiteNumber, "rows of numbers"), "rows of numbers"), "one matrix per head"),
  v.nonEmpty("at least one head"),
);

const fixed = strictObject({ matrices });
const frozen = strictObject({
  heads: positiveInteger,
  keys: positiveInteger,
  scale: v.optional(positiveNumber, 1),
  seed: v.optional(nonNegativeInteger, 1),
});
const given = strictObject({ queries: projections, keys: projections, scale: v.optional(positiveNumber) });
const fromInput = strictObject({ heads: positiveInteger, from: v.literal("input", '"input"') });
const maps = v.lazy((input) => {
  if (typeof input !== "object" || input === null || "matrices" in input) return fixed;
  return "queries" in input ? given : "from" in input ? fromInput : frozen;
});

const readout = 'a token (from 0), "mean", or one number per token';
const written = strictObject({
  type: v.literal("attention", '"attention"'),
  tokens: positiveInteger,
  features: positiveInteger,
  layers: v.pipe(
    v.array(strictObject({ width: positiveInteger, maps: v.optional(maps) }), "a list of layers"),
    v.nonEmpty("at least one layer"),
  ),
  readout: v.optional(v.union([nonNegativeInteger, v.literal("mean"), v.array(finiteNumber, readout)], readout), "mean"),
  weightVariance: v.optional(weightVarianceSchema, 1),
  biasVariance: v.optional(biasVarianceSchema, 0),
});

type Report = (keys: readonly (string | number)[], expected: string) => void;

function checkMatrices(network: v.InferOutput<typeof written>, report: Report): void {
  const { tokens, features } = network;
  network.layers.forEach(({ maps: own }, l) => {
    if (own === undefined) return;
    if ("matrices" in own) {
      own.matrices.forEach((rows, h) => {
        if (rows.length !== tokens) report(["layers", l, "maps", "matrices", h], `${tokens} rows, one per token`);
        rows.forEach((row, i) => {
          if (row.length !== tokens) report(["layers", l, "maps", "matrices", h, i], `${tokens} numbers, one per token`);
        });
      });
    } else if ("queries" in own) {
      if (own.keys.length !== own.queries.length)
        report(["layers", l, "maps", "keys"], `${own.queries.length} matrices, one per head like the queries`);
      for (const kind of ["queries", "keys"] as const) {
        own[kind].forEach((rows, h) => {
          const size = own.queries[h]?.length ?? rows.length;
          if (rows.length === 0 || rows.length !== size)
            report(["layers", l, "maps", kind, h], `${Math.max(1, size)} rows, like the queries of this head`);
          rows.forEach((row, i) => {
            if (row.length !== features) report(["layers", l, "maps", kind, h, i], `${features} numbers, one per feature`);
          });
        });
      }
    }
  });
}

/** r from a token, "mean" or weights; undefined where it does not fit the tokens. */
function readoutWeights(value: number | "mean" | readonly number[], tokens: number): readonly number[] | undefined {
  if (value === "mean") return Array.from({ length: tokens }, () => 1 / tokens);
  if (typeof value === "number") return value < tokens ? Array.from({ length: tokens }, (_, i) => (i === value ? 1 : 0)) : undefined;
  return value.length === tokens ? value : undefined;
}

/**
 * Schema of `"type": "attention"`: tokens, features, layers of `width` with `maps` (`matrices`; `heads`, `keys`, `scale`, `seed` of a
 * frozen softmax; `queries` and `keys`; or `heads` `from` the input), `readout` (a token, "mean", weights), variances.
 */
export const attentionSchema: StandardSchemaV1<unknown, AttentionNetwork> = v.pipe(
  written,
  v.rawTransform(({ dataset, addIssue, NEVER }): AttentionNetwork => {
    const network = dataset.value;
    let failed = false;
    const report: Report = (keys, message) => {
      failed = true;
      addIssue({ message, path: issuePath(network, keys) });
    };
    const count = network.layers.length + 1;
    const weightVariance = perLayer(network.weightVariance, count);
    const biasVariance = perLayer(network.biasVariance, count);
    const weights = readoutWeights(network.readout, network.tokens);
    if (weightVariance === undefined) report(["weightVariance"], perLayerExpectation(count));
    if (biasVariance === undefined) report(["biasVariance"], perLayerExpectation(count));
    if (weights === undefined)
      report(["readout"], `a token 0 … ${network.tokens - 1}, "mean", or ${network.tokens} numbers, one per token`);
    checkMatrices(network, report);
    if (failed || weightVariance === undefined || biasVariance === undefined || weights === undefined) return NEVER;
    return { ...network, readout: weights, weightVariance, biasVariance };
  }),
);
