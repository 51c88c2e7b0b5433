import {
  finiteNumber,
  inputError,
  positiveInteger,
  positiveNumber,
  strictObject,
  type LayerPlugin,
  type Plugin,
  type WeightLaw,
} from "@finitewidth/core";
import { identityMap } from "@finitewidth/kernels";
import { logGamma, normalDensity, normalDistribution, studentQuantile } from "@finitewidth/numerics";
import * as v from "valibot";

/** Student's t with ν > 2 degrees of freedom and unit variance as a function of a normal variable: √((ν−2)/ν) t_ν⁻¹(Φ(θ)). */
export function studentLaw(nu: number): WeightLaw {
  const scale = Math.sqrt((nu - 2) / nu);
  const peak = Math.exp(logGamma((nu + 1) / 2) - logGamma(nu / 2)) / Math.sqrt(nu * Math.PI);
  // by the lower tail on either side: 1 − Φ has no digits above θ = 8
  const quantile = (theta: number): number => -Math.sign(theta) * studentQuantile(normalDistribution(-Math.abs(theta)), nu);
  return {
    value: (theta) => scale * quantile(theta),
    derivative: (theta) => (scale * normalDensity(theta)) / (peak * (1 + quantile(theta) ** 2 / nu) ** (-(nu + 1) / 2)),
  };
}

const schema = strictObject({
  layer: v.string(),
  width: positiveInteger,
  degreesOfFreedom: v.optional(v.pipe(finiteNumber, v.gtValue(2, "a number > 2")), 5),
  weightVariance: v.optional(positiveNumber, 1),
  biasVariance: v.optional(v.pipe(finiteNumber, v.minValue(0, "a number ≥ 0")), 0),
});

/** A dense layer with Student-t weights of variance σ_w², the same at every site. */
export const layer: LayerPlugin<v.InferOutput<typeof schema>> = {
  name: "student-t",
  summary: "Dense layer with Student-t weights.",
  schema,
  build({ width, degreesOfFreedom, weightVariance, biasVariance }, below, { path }) {
    if (below.input || below.flattened)
      throw inputError(path, "a hidden layer below, not flattened", below.input ? "the inputs" : "flattened sites");
    const maps = [identityMap(below.grid.reduce((all, extent) => all * extent, 1))];
    return {
      primitives: [{ kind: "random", width, weightVariance, biasVariance, maps, weights: studentLaw(degreesOfFreedom) }],
      above: { ...below, width, gaussian: true },
    };
  },
};

export const plugin: Plugin = {
  name: "finitewidth-plugin-student-t",
  module: import.meta.url,
  layers: [layer as LayerPlugin],
  scenarios: [
    {
      name: "Student-t weights, one hidden layer",
      theories: [{ name: "perturbative", options: { engine: "networks", samples: 2048 } }],
      network: (factor) => ({
        type: "sequential",
        inputShape: [3],
        layers: [
          { layer: "dense", width: 4 * factor, weightVariance: 1.3 },
          { layer: "activation", name: "erf" },
          { layer: "student-t", width: 4 * factor, weightVariance: 1.4, degreesOfFreedom: 6 },
          { layer: "activation", name: "erf" },
          { layer: "dense", weightVariance: 0.7 },
        ],
      }),
      points: 3,
      features: 3,
      temperature: 0.3,
      targetScale: () => 2.3,
      sampling: { kind: "importance", samples: 10_000 },
      factors: [1, 3],
      seed: 1,
    },
  ],
};
