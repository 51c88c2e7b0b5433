export * from "./chain.js";
export { arrayActivation } from "./dense/finite-activation.js";
export { filterMaps } from "./convolution/filters.js";
export { convolutionGeometry, type ConvolutionGeometry } from "./convolution/geometry.js";
export { convolutionalKernels } from "./convolution/infinite-width.js";
export { memoryLimit } from "./convolution/memory.js";
export { convolutionalMixing, type ConvolutionalMixingLaw } from "./convolution/mixing-law.js";
export { adjointPatchOperator, patchOperator } from "./convolution/patch-operator.js";
export { convolutionalSiteBlocks } from "./convolution/site-blocks.js";
export { siteSubspaces, type SiteSubspaces } from "./convolution/site-subspaces.js";
export { outputExtent, tapTable, type FilterGeometry, type GridTapTable, type TapTable } from "./convolution/taps.js";
export { finiteFullyConnected } from "./dense/finite-network.js";
export {
  firstLayerDiagonal,
  firstLayerKernel,
  fullyConnectedKernels,
  fullyConnectedOutputKernel,
  type OutputKernel,
  requireFinite as requireFiniteKernel,
} from "./dense/infinite-width.js";
export { fullyConnectedChain, fullyConnectedMixing } from "./dense/mixing-law.js";
export * from "./independent-points.js";
export * from "./network-law.js";
export * from "./site-map.js";
export * from "./composition/graph.js";
export * from "./composition/source-maps.js";
export * from "./composition/full-kernels.js";
export { compositionKernels } from "./composition/infinite-width.js";
export { compositionNetwork } from "./composition/finite/network.js";
export { linearSteps, type LinearStep } from "./composition/linear-steps.js";
export { compositionMixing } from "./composition/mixing-law.js";
export { drawKernels } from "./composition/draw.js";
