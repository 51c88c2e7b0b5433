import { family, fullyConnected, type ScenarioFamily } from "../scenario-family.js";
import { digitsResNet } from "./digits-resnet.js";
import { importance } from "./sampling.js";

/** Residuals beyond the first order fall as 1/N². */
export const perturbative: readonly ScenarioFamily[] = [
  family({
    name: "erf, one hidden layer",
    theories: [{ name: "perturbative" }, { name: "forward-backward" }],
    network: fullyConnected("erf", [8], [1.4, 1.3], [0.1, 0.05]),
    points: 3,
    features: 3,
    temperature: 0.3,
    sampling: importance(120_000),
    factors: [1, 2, 4],
    seed: 21,
  }),
  family({
    name: "erf, two hidden layers",
    theories: [{ name: "perturbative" }],
    network: fullyConnected("erf", [10, 8], [1.4, 1.5, 1.3], [0.1, 0.05, 0.05]),
    points: 3,
    features: 3,
    temperature: 0.3,
    sampling: importance(120_000),
    factors: [1, 2, 4],
    seed: 22,
  }),
  family({
    name: "relu, ResNet with layer normalisation and pooling on digits",
    theories: [{ name: "perturbative", options: { engine: "exact" } }],
    ...digitsResNet,
    sampling: importance(60_000),
    factors: [1, 2, 4],
  }),
  family({
    name: "erf, two outputs",
    theories: [{ name: "perturbative" }],
    network: fullyConnected("erf", [4], [1.4, 1.5], [0.1, 0.1]),
    points: 2,
    features: 3,
    outputs: 2,
    temperature: 0.2,
    covariance: true,
    sampling: importance(60_000),
    factors: [1, 2, 4],
    seed: 64,
  }),
  family({
    name: "relu, two hidden layers",
    theories: [{ name: "perturbative" }],
    network: fullyConnected("relu", [12, 10], [1.4, 1.8, 1.6], [0.1, 0.05, 0.05]),
    points: 3,
    features: 3,
    temperature: 0.3,
    sampling: importance(120_000),
    factors: [1, 2, 4],
    seed: 23,
  }),
];
