import { hiddenLayers, widthsOf, type FiniteNetwork, type Network } from "@finitewidth/core";

/** Where a hidden layer's whitened parameters stand in θ: first its weights, then its biases. */
export interface ParameterBlock {
  readonly weights: readonly [from: number, to: number];
  /** Undefined without biases. */
  readonly biases?: readonly [from: number, to: number];
}

/** Blocks of the hidden layers 1 … L. */
export function hiddenBlocks(network: Network, realised: FiniteNetwork): readonly ParameterBlock[] {
  const widths = widthsOf(network);
  return Array.from({ length: hiddenLayers(network) }, (_, l): ParameterBlock => {
    const [from, to] = [realised.offsets[l]!, realised.offsets[l + 1]!];
    const biases = network.biasVariance[l]! > 0 ? (widths?.[l] ?? 0) : 0;
    return { weights: [from, to - biases], ...(biases > 0 ? { biases: [to - biases, to] as const } : {}) };
  });
}
