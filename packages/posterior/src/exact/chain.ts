import type { WishartChain } from "@finitewidth/core";

/** A chain of Wishart matrices over outputs alone (one site): widths N_l, variances s_l and biases, 1 … L. */
export interface PlainChain {
  readonly widths: readonly number[];
  readonly variances: readonly number[];
  /** Coefficient with which a layer's units are carried to the layer above, where they are. */
  readonly skips?: readonly (number | undefined)[];
  /** b_l, the bias variance that M_l carries to the outputs; 0 for l = 1, whose bias is in the kernel. */
  readonly hiddenBias: readonly number[];
  readonly readoutBias: number;
}

/**
 * The chain over outputs alone, or undefined when some layer has more than one site. Taps of one site are numbers: they scale variances.
 */
export function plainChain(chain: WishartChain): PlainChain | undefined {
  if (chain.layers.some(({ sites }) => sites !== 1)) return undefined;
  return {
    widths: chain.layers.map(({ width }) => width),
    variances: chain.layers.map(({ variance, taps, skip }) => {
      if (taps.length === 0) return skip === undefined ? variance : 0;
      return (variance * taps.reduce((sum, tap) => sum + tap.data[0]! ** 2, 0)) / taps.length;
    }),
    ...(chain.layers.some(({ skip }) => skip !== undefined)
      ? { skips: chain.layers.map(({ skip }) => (skip === undefined ? undefined : skip.coefficient * skip.tap.data[0]!)) }
      : {}),
    hiddenBias: chain.layers.map(({ biasVariance, biasWeights }) => biasVariance * biasWeights[0]! ** 2),
    readoutBias: chain.readoutBiasVariance,
  };
}

/** Whether a bias of layers 2 … L makes the covariance depend on more of the chain than Q. */
export const hasHiddenBias = (chain: PlainChain): boolean => chain.hiddenBias.some((variance) => variance > 0);

/** Whether hidden kernels of the chain have no closed form: skips beside biases above the first layer. */
export const lacksHiddenKernels = (chain: PlainChain): boolean =>
  chain.skips !== undefined && (chain.readoutBias > 0 || hasHiddenBias(chain));
