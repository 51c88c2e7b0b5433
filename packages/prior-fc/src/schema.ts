import {
  biasVarianceSchema,
  name,
  perLayer,
  perLayerExpectation,
  positiveInteger,
  strictObject,
  weightVarianceSchema,
  type Network,
  type StandardSchemaV1,
} from "@finitewidth/core";
import * as v from "valibot";

/** h¹ = W¹x/√N0 + b¹, hˡ = Wˡφ(hˡ⁻¹)/√N_{l−1} + bˡ, f = h^{L+1}. */
export interface FullyConnectedNetwork extends Network {
  readonly type: "fully-connected";
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  readonly activation: string;
  /** σ_w² of layers 1 … L+1. */
  readonly weightVariance: readonly number[];
  /** σ_b² of layers 1 … L+1. */
  readonly biasVariance: readonly number[];
}

const widths = v.pipe(v.array(positiveInteger, "a list of positive integers"), v.nonEmpty("at least one hidden layer"));

const written = strictObject({
  type: v.literal("fully-connected", '"fully-connected"'),
  widths,
  activation: name,
  weightVariance: v.optional(weightVarianceSchema, 1),
  biasVariance: v.optional(biasVarianceSchema, 0),
});

/**
 * The `network` object of an experiment file: `widths` N_1 … N_L (integers ≥ 1, at least one), `activation`, `weightVariance` σ_w² > 0 and
 * `biasVariance` σ_b² ≥ 0, one number or L + 1 of them (defaults 1 and 0). Unknown keys are rejected.
 */
export const fullyConnectedSchema: StandardSchemaV1<unknown, FullyConnectedNetwork> = v.pipe(
  written,
  v.rawTransform(({ dataset, addIssue, NEVER }): FullyConnectedNetwork => {
    const network = dataset.value;
    const layers = network.widths.length + 1;
    const resolve = (key: "weightVariance" | "biasVariance"): readonly number[] | undefined => {
      const values = perLayer(network[key], layers);
      if (values === undefined) {
        addIssue({
          message: perLayerExpectation(layers),
          path: [{ type: "object", origin: "value", input: network, key, value: network[key] }],
        });
      }
      return values;
    };
    const weightVariance = resolve("weightVariance");
    const biasVariance = resolve("biasVariance");
    if (weightVariance === undefined || biasVariance === undefined) return NEVER;
    return { type: network.type, widths: network.widths, activation: network.activation, weightVariance, biasVariance };
  }),
);
