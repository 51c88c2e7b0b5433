import {
  refusal,
  resolveArchitecture,
  toStandardScaling,
  type Activation,
  type Matrix,
  type Problem,
  type Registry,
} from "@finitewidth/core";
import { denseChain, fullyConnectedKernels, type DenseChain } from "@finitewidth/kernels";
import type { ClosureOptions } from "./create-closure.js";
import { isLinear } from "./linear-closure.js";
import { isBiasFree } from "./linear-saddle.js";
import type { ForwardBackwardOptions } from "./options.js";

/** A problem of a fully connected chain in standard scaling with its kernels at infinite width. */
export interface Setting {
  readonly chain: DenseChain;
  readonly activation: Activation;
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  readonly inputs: Matrix;
  readonly targets: Matrix;
  readonly temperature: number;
  /** K¹, …, K^{L+1}. */
  readonly infiniteWidth: readonly Matrix[];
  /** σ_w² and σ_b² of layers 2 … L+1. */
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
}

/** @throws FinitewidthError (code "refused") unless the network is a fully connected chain. */
export function settingOf(problem: Problem, registry: Registry): Setting {
  const { network, inputs, targets, temperature } = toStandardScaling(problem, registry);
  const chain = denseChain(resolveArchitecture(registry, network));
  if (chain === undefined) throw refusal("forward-backward", "only fully connected networks");
  return {
    chain,
    activation: chain.activation,
    widths: chain.widths,
    inputs,
    targets,
    temperature,
    infiniteWidth: fullyConnectedKernels(chain, inputs).preactivation,
    weightVariance: chain.weightVariance.slice(1),
    biasVariance: chain.biasVariance.slice(1),
  };
}

/** Whether the matrix equation in the range of K¹ is solved: linear φ, order "full", no biases above the first layer. */
export const solvesInRange = ({ activation, biasVariance }: Setting, { order }: ForwardBackwardOptions): boolean =>
  isLinear(activation) && order === "full" && isBiasFree(biasVariance);

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
