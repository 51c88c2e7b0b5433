import { asWritten, family, type ScenarioFamily } from "../scenario-family.js";
import { importance } from "./sampling.js";

/** Residual layers with skips of different strengths on a dense layer, and a dense layer of `top` units above them. */
const residualNetwork = (factor: number, skips: number, width: number, bodyVariance: number, top?: number): object => ({
  type: "sequential",
  inputShape: [3],
  layers: [
    { layer: "dense", width: width * factor, weightVariance: 1.3 },
    ...[0.6, 0.9, 0.5]
      .slice(0, skips)
      .map((branch, l) => ({
        layer: "residual",
        body: [{ layer: "dense", width: width * factor, weightVariance: bodyVariance }],
        skip: l === 1 ? -0.8 : 0.9,
        branch,
      })),
    ...(top === undefined ? [] : [{ layer: "dense", width: top * factor, weightVariance: 0.8 }]),
    { layer: "dense", weightVariance: 1.4 },
  ],
});

/** Attention that is linear in the values (paths of heads, softmax of frozen queries and keys), and linear residual networks. */
export const attentionAndResidual: readonly ScenarioFamily[] = [
  family({
    name: "attention, two layers of two heads on an embedding",
    theories: [{ name: "exact" }],
    network: asWritten((factor) => ({
      type: "attention",
      tokens: 3,
      features: 2,
      layers: [
        { width: 4 * factor },
        { width: 3 * factor, maps: { heads: 2, keys: 2, scale: 2 } },
        { width: 5 * factor, maps: { heads: 2, keys: 2, scale: 2, seed: 2 } },
      ],
      weightVariance: [1.6, 0.8, 1.3, 1.4],
    })),
    points: 4,
    features: 6,
    temperature: 0.3,
    sampling: importance(60_000),
    seed: 51,
  }),
  family({
    name: "attention, two outputs, biases, one token read",
    theories: [{ name: "exact" }],
    network: asWritten((factor) => ({
      type: "attention",
      tokens: 2,
      features: 2,
      layers: [
        { width: 2 * factor, maps: { heads: 2, keys: 3, scale: 2 } },
        { width: 2 * factor, maps: { heads: 2, keys: 3, scale: 2, seed: 3 } },
      ],
      readout: 0,
      weightVariance: [1.5, 0.7, 1.4],
      biasVariance: [0.2, 0.3, 0.2],
    })),
    points: 3,
    features: 4,
    outputs: 2,
    temperature: 0.4,
    sampling: importance(120_000),
    seed: 52,
  }),
  family({
    name: "linear residual, three skips and a dense layer",
    theories: [{ name: "exact" }],
    network: asWritten((factor) => residualNetwork(factor, 3, 5, 2.2, 4)),
    points: 4,
    features: 3,
    temperature: 0.3,
    sampling: importance(50_000),
    seed: 53,
  }),
  family({
    name: "linear residual, two outputs",
    theories: [{ name: "exact" }],
    network: asWritten((factor) => residualNetwork(factor, 2, 3, 1.6)),
    points: 3,
    features: 3,
    outputs: 2,
    temperature: 0.5,
    sampling: importance(120_000),
    seed: 54,
  }),
  family({
    name: "linear residual, mean-field scaling",
    theories: [{ name: "large-deviation" }],
    network: asWritten((factor) => residualNetwork(factor, 1, 4, 1.2)),
    points: 3,
    features: 3,
    temperature: 10,
    targetScale: () => 3,
    scaling: "mean-field",
    sampling: importance(80_000),
    factors: [1, 2, 4],
    seed: 55,
  }),
];
