import {
  biasVarianceSchema,
  FinitewidthError,
  issuePath,
  name,
  nonNegativeInteger,
  oneOf,
  perLayer,
  perLayerExpectation,
  positiveInteger,
  strictObject,
  weightVarianceSchema,
  type Network,
} from "@finitewidth/core";
import { convolutionGeometry, type FilterGeometry } from "@finitewidth/kernels";
import * as v from "valibot";

/** A layer of filters: its geometry and its number of channels. */
export interface ConvolutionalLayer extends FilterGeometry {
  readonly channels: number;
}

/**
 * h^l[a,i] = Σ_{b,m} W[a,b,m] φ(h^{l−1}[b,τ_m(i)]) / √(C_{l−1}·M) + b; an input row is the array (channels, …space) flattened, last index
 * fastest.
 */
export interface ConvolutionalNetwork extends Network {
  readonly type: "convolutional";
  /** [channels, length] or [channels, height, width]. */
  readonly inputShape: readonly number[];
  readonly layers: readonly ConvolutionalLayer[];
  readonly readout: "flatten" | "global-average";
  readonly activation: string;
  /** σ_w² of layers 1 … L+1. */
  readonly weightVariance: readonly number[];
  /** σ_b² of layers 1 … L+1. */
  readonly biasVariance: readonly number[];
}

const perAxis = (entry: typeof positiveInteger, what: string) =>
  v.lazy((input) => (Array.isArray(input) ? v.pipe(v.array(entry, what), v.nonEmpty(what)) : entry));
const sizes = perAxis(positiveInteger, "a positive integer or one per spatial axis");
const zeroPadding = v.pipe(v.array(nonNegativeInteger, "one integer ≥ 0 per spatial axis"), v.nonEmpty("one integer ≥ 0 per spatial axis"));
const paddingMode = oneOf(["circular", "zero", "valid"]);
const padding = v.lazy((input) => {
  if (Array.isArray(input)) return zeroPadding;
  return typeof input === "number" ? nonNegativeInteger : paddingMode;
});

const layerSchema = strictObject({
  channels: positiveInteger,
  kernelSize: sizes,
  stride: v.optional(sizes, 1),
  padding: v.optional(padding, "valid"),
  dilation: v.optional(sizes, 1),
});

const shape = "[channels, length] or [channels, height, width]";
const networkSchema = strictObject({
  type: v.literal("convolutional", '"convolutional"'),
  inputShape: v.pipe(v.array(positiveInteger, shape), v.minLength(2, shape), v.maxLength(3, shape)),
  layers: v.pipe(v.array(layerSchema, "a list of layers"), v.nonEmpty("at least one layer")),
  readout: v.optional(oneOf(["flatten", "global-average"]), "flatten"),
  activation: name,
  weightVariance: v.optional(weightVarianceSchema, 1),
  biasVariance: v.optional(biasVarianceSchema, 0),
});
type LayerInput = v.InferOutput<typeof layerSchema>;

/** One number per axis from a number or a list; undefined when a list has the wrong length. */
const spread = (value: number | readonly number[], axes: number): readonly number[] | undefined =>
  typeof value === "number" ? Array.from({ length: axes }, () => value) : value.length === axes ? value : undefined;

type Report = (keys: readonly (string | number)[], expected: string) => void;

function resolveLayer(layer: LayerInput, l: number, axes: number, report: Report): ConvolutionalLayer {
  const expand = (key: "kernelSize" | "stride" | "padding" | "dilation", value: number | readonly number[]): readonly number[] => {
    const list = spread(value, axes);
    if (list === undefined) report(["layers", l, key], `one number or ${axes} of them (one per spatial axis)`);
    return list ?? [];
  };
  return {
    channels: layer.channels,
    kernelSize: expand("kernelSize", layer.kernelSize),
    stride: expand("stride", layer.stride),
    padding: typeof layer.padding === "string" ? layer.padding : expand("padding", layer.padding),
    dilation: expand("dilation", layer.dilation),
  };
}

/** Schema of `"type": "convolutional"`: scalars become one entry per spatial axis, variances lists of L + 1. */
export const convolutionalSchema = v.pipe(
  networkSchema,
  v.rawTransform(({ dataset, addIssue, NEVER }): ConvolutionalNetwork => {
    const value = dataset.value;
    let failed = false;
    const report: Report = (keys, message) => {
      failed = true;
      addIssue({ message, path: issuePath(value, keys) });
    };
    const { inputShape, readout, activation } = value;
    const layers = value.layers.map((layer, l) => resolveLayer(layer, l, inputShape.length - 1, report));
    const count = layers.length + 1;
    const weightVariance = perLayer(value.weightVariance, count);
    const biasVariance = perLayer(value.biasVariance, count);
    if (weightVariance === undefined) report(["weightVariance"], perLayerExpectation(count));
    if (biasVariance === undefined) report(["biasVariance"], perLayerExpectation(count));
    if (!failed) {
      try {
        convolutionGeometry({ inputShape, layers });
      } catch (error) {
        if (!(error instanceof FinitewidthError) || error.path === undefined) throw error;
        const [, l, key] = /\[(\d+)\]\.(\w+)$/.exec(error.path) ?? [];
        report(["layers", Number(l), String(key)], error.expected ?? error.message);
      }
    }
    if (failed || weightVariance === undefined || biasVariance === undefined) return NEVER;
    return { type: "convolutional", inputShape, layers, readout, activation, weightVariance, biasVariance };
  }),
);
