import {
  nonNegativeNumber,
  perLayer,
  perLayerExpectation,
  positiveInteger,
  strictObject,
  weightVarianceSchema,
  type Network,
  type Plugin,
  type Primitive,
  type PriorModel,
} from "@finitewidth/core";
import { identityMap } from "@finitewidth/kernels";
import * as v from "valibot";

/** h¹ = W¹x/√N0, h^{l+1} = skip·hˡ + W^{l+1}hˡ/√N, f = W h^L/√N: a deep linear network with identity skips, L hidden layers of widths N. */
export interface ResidualNetwork extends Network {
  readonly type: "linear-residual";
  readonly width: number;
  readonly depth: number;
  readonly skip: number;
  /** σ_w², one number per layer of weights. */
  readonly weightVariance: readonly number[];
  /** σ_b², likewise. */
  readonly biasVariance: readonly number[];
}

const schema = v.pipe(
  strictObject({
    type: v.literal("linear-residual", '"linear-residual"'),
    width: positiveInteger,
    depth: positiveInteger,
    skip: v.optional(nonNegativeNumber, 1),
    weightVariance: v.optional(weightVarianceSchema, 1),
  }),
  v.rawTransform(({ dataset, addIssue, NEVER }): ResidualNetwork => {
    const { weightVariance, ...rest } = dataset.value;
    const variances = perLayer(weightVariance, rest.depth + 1);
    if (variances === undefined) {
      const message = perLayerExpectation(rest.depth + 1);
      addIssue({
        message,
        path: [{ type: "object", origin: "value", input: dataset.value, key: "weightVariance", value: weightVariance }],
      });
      return NEVER;
    }
    return { ...rest, weightVariance: variances, biasVariance: variances.map(() => 0) };
  }),
);

/** The prior model: its layers, and how widths and variances change. Kernels, corrections and real networks follow from the layers. */
export const priorModel: PriorModel<ResidualNetwork> = {
  name: "linear-residual",
  summary: "Deep linear network with identity skips.",
  schema,
  architecture({ width, depth, skip, weightVariance, biasVariance }) {
    const dense = (l: number, units?: number): Primitive => ({
      kind: "random",
      ...(units === undefined ? {} : { width: units }),
      weightVariance: weightVariance[l]!,
      biasVariance: biasVariance[l]!,
      maps: [identityMap(1)],
    });
    const blocks = Array.from({ length: depth - 1 }, (_, l): Primitive => ({
      kind: "merge",
      branches: [[], [dense(l + 1, width)]],
      coefficients: [skip, 1],
    }));
    return { layers: [dense(0, width), ...blocks, dense(depth)] };
  },
  vary(network, { width, weightVariance, biasVariance }) {
    // one width for all layers, which a skip connects
    const widths = width ? Array.from({ length: network.depth }, (_, l) => width(network.width, l)) : [network.width];
    return {
      ...network,
      width: widths[0]!,
      weightVariance: weightVariance ? network.weightVariance.map(weightVariance) : network.weightVariance,
      biasVariance: biasVariance ? network.biasVariance.map(biasVariance) : network.biasVariance,
    };
  },
};

export const plugin: Plugin = {
  name: "finitewidth-plugin-linear-residual",
  module: import.meta.url,
  priorModels: [priorModel as PriorModel],
};
