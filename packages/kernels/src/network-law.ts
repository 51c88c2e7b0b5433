import {
  type Architecture,
  type FiniteNetwork,
  type InfiniteWidthKernels,
  type Matrix,
  type MixingLaw,
  type SiteBlocks,
} from "@finitewidth/core";
import { compositionKernels } from "./composition/infinite-width.js";
import { composition } from "./composition/graph.js";
import { compositionNetwork } from "./composition/finite/network.js";
import { compositionMixing } from "./composition/mixing-law.js";
import { convolutionChain, denseChain } from "./chain.js";
import { convolutionalKernels } from "./convolution/infinite-width.js";
import { convolutionalMixing } from "./convolution/mixing-law.js";
import { convolutionalSiteBlocks } from "./convolution/site-blocks.js";
import { finiteFullyConnected } from "./dense/finite-network.js";
import { fullyConnectedKernels, fullyConnectedOutputKernel, requireFinite, type OutputKernel } from "./dense/infinite-width.js";
import { fullyConnectedMixing } from "./dense/mixing-law.js";

/**
 * Kernels of every layer at infinite width, between `inputs` (P × N0) and themselves or `others` (P′ × N0). Chains of dense layers and of
 * filters have passes of their own. Costs of `fullyConnectedKernels`, `convolutionalKernels` and `compositionKernels`: for dense layers O(P
 * P′ N0) and L P P′ Gaussian moments. @throws FinitewidthError "shape" for rows of the wrong length, "memory" when the kernels do not fit,
 * "input" when they leave the range of double precision.
 */
export function infiniteWidthKernels(architecture: Architecture, inputs: Matrix, others?: Matrix): InfiniteWidthKernels {
  const own = architecture.overrides?.infiniteWidthKernels;
  if (own) return own(inputs, others);
  const dense = denseChain(architecture);
  if (dense) return fullyConnectedKernels(dense, inputs, others);
  const filters = convolutionChain(architecture);
  const found = filters ? convolutionalKernels(filters, inputs, others) : compositionKernels(composition(architecture), inputs, others);
  requireFinite(found.preactivation.at(-1)!, inputs);
  return found;
}

/**
 * The last of the kernels of `infiniteWidthKernels`, without keeping those below where the network is a fully connected chain. The time of
 * `infiniteWidthKernels`; for a chain one P × P′ array.
 */
export function outputKernel(architecture: Architecture, inputs: Matrix, others?: Matrix): OutputKernel {
  const dense = architecture.overrides?.infiniteWidthKernels ? undefined : denseChain(architecture);
  if (dense) return fullyConnectedOutputKernel(dense, inputs, others);
  const { preactivation, othersDiagonal } = infiniteWidthKernels(architecture, inputs, others);
  return { kernel: preactivation.at(-1)!, ...(othersDiagonal ? { othersDiagonal } : {}) };
}

/**
 * Exact law of the mixing variable; undefined where none is known (a nonlinear activation, say). Convolutions and lists of layers find the
 * bases of their sites first, see `convolutionalMixing` and `compositionMixing`.
 */
export function mixingLaw(architecture: Architecture): MixingLaw | undefined {
  const own = architecture.overrides?.mixingLaw;
  if (own) return own();
  const dense = denseChain(architecture);
  if (dense) return dense.activation.linear ? fullyConnectedMixing(dense) : undefined;
  const filters = convolutionChain(architecture);
  if (filters) return filters.activation.linear ? convolutionalMixing(filters) : undefined;
  return compositionMixing(architecture);
}

/**
 * Covariances between the sites that the readout sees, for one hidden layer that shares its weights between sites: what local kernel
 * renormalisation works on. Undefined for other networks. Building it is free; a call costs what `convolutionalSiteBlocks` does.
 */
export function siteBlocks(architecture: Architecture): ((inputs: Matrix, others?: Matrix) => SiteBlocks) | undefined {
  const own = architecture.overrides?.siteBlocks;
  if (own) return own;
  const filters = convolutionChain(architecture);
  return filters?.channels.length === 1 ? (inputs, others) => convolutionalSiteBlocks(filters, inputs, others) : undefined;
}

/**
 * A real network of these layers as a differentiable function of whitened parameters, for sampling. The memory and the cost of a run are
 * those of `finiteFullyConnected` and `compositionNetwork`.
 */
export function realise(architecture: Architecture, inputs: Matrix, outputs: number): FiniteNetwork {
  const own = architecture.overrides?.realise;
  if (own) return own(inputs, outputs);
  const dense = denseChain(architecture);
  if (dense) return finiteFullyConnected(dense, inputs, outputs);
  return compositionNetwork(architecture, inputs, outputs, { unpooled: convolutionChain(architecture) !== undefined });
}
