import { infiniteWidthRecursion } from "@finitewidth/activations";
import {
  isFullyConnected,
  refusal,
  resolveNetwork,
  toStandardScaling,
  type Activation,
  type FullyConnectedNetwork,
  type Matrix,
  type Problem,
  type Registry,
} from "@finitewidth/core";
import { firstLayerKernel } from "../effective-action/first-layer.js";
import type { ClosureOptions } from "./create-closure.js";
import type { ForwardBackwardOptions } from "./options.js";

/** A fully connected problem in standard scaling with its kernels at infinite width. */
export interface Setting {
  readonly network: FullyConnectedNetwork;
  readonly activation: Activation;
  readonly inputs: Matrix;
  readonly targets: Matrix;
  readonly temperature: number;
  /** K¹, …, K^{L+1}. */
  readonly infiniteWidth: readonly Matrix[];
  /** σ_w² and σ_b² of layers 2 … L+1. */
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
}

/** @throws FinitewidthError (code "refused") unless the network is fully connected. */
export function settingOf(problem: Problem, registry: Registry): Setting {
  const { network, inputs, targets, temperature } = toStandardScaling(problem);
  if (!isFullyConnected(network)) throw refusal("forward-backward", "only fully connected networks");
  const { activation } = resolveNetwork(registry, network);
  const weightVariance = network.weightVariance.slice(1);
  const biasVariance = network.biasVariance.slice(1);
  const infiniteWidth = infiniteWidthRecursion(activation, firstLayerKernel(network, inputs), weightVariance, biasVariance).preactivation;
  return { network, activation, inputs, targets, temperature, infiniteWidth, weightVariance, biasVariance };
}

/** Largest variance of a hidden preactivation at infinite width. */
export function largestVariance(kernels: readonly Matrix[]): number {
  let largest = 0;
  for (const { data, shape } of kernels.slice(0, -1))
    for (let i = 0; i < shape[0]; i++) largest = Math.max(largest, data[i * shape[0] + i]!);
  return largest;
}

/** Closure options of a setting; order "proportional" averages like "full". */
export const closureOptionsOf = (setting: Setting, options: ForwardBackwardOptions, seed: number): ClosureOptions => ({
  order: options.order === "first" ? "first" : "full",
  closure: options.closure,
  dimensions: setting.inputs.shape[0],
  largestVariance: largestVariance(setting.infiniteWidth),
  log2Count: options.nodes ?? (!setting.activation.smooth && setting.inputs.shape[0] <= 8 ? 15 : 13),
  seed,
});
