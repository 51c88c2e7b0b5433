import { randomLayers, type Architecture, type FiniteNetwork } from "@finitewidth/core";

/** Where a hidden layer's whitened parameters stand in θ: first its weights, then its biases. */
export interface ParameterBlock {
  readonly weights: readonly [from: number, to: number];
  /** Undefined without biases. */
  readonly biases?: readonly [from: number, to: number];
}

/** Blocks of the hidden layers of weights, in document order. */
export function hiddenBlocks({ layers }: Architecture, realised: FiniteNetwork): readonly ParameterBlock[] {
  return randomLayers(layers).flatMap(({ width, biasVariance }, l): ParameterBlock[] => {
    if (width === undefined) return [];
    const [from, to] = [realised.offsets[l]!, realised.offsets[l + 1]!];
    const biases = biasVariance > 0 ? width : 0;
    return [{ weights: [from, to - biases], ...(biases > 0 ? { biases: [to - biases, to] as const } : {}) }];
  });
}
