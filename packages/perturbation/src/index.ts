export {
  convolutionChain,
  filterChain,
  readoutWeights,
  siteGram,
  type ConvolutionChain,
  type PeriodicFilter,
} from "./kernel-flow/convolution-chain.js";
export * from "./kernel-flow/index-pairs.js";
export {
  forwardBackward,
  fullyConnectedChain,
  pushToOutput,
  type ForwardBackward,
  type FullyConnectedChain,
  type KernelChain,
  type KernelLayer,
} from "./kernel-flow/kernel-chain.js";
export { atWidths, meanShiftFlow } from "./kernel-flow/mean-shift.js";
export { pairFlow, pointFlow, type FlowParameters, type PairFlow, type PointFlow } from "./kernel-flow/point-flow.js";
export { chainVertices, covarianceFlow, vertexOnPairs, type CovarianceFlow } from "./kernel-flow/vertex.js";
export { vertexFlow, type VertexFlow } from "./kernel-flow/vertex-flow.js";
export { linearPairings } from "./linear/pairings.js";
export * from "./linear/skips.js";
export { correctNetworkObservable, correctObservable, type ObservableCorrection, type ObservableDraw } from "./observables/observable.js";
export {
  correctPrediction,
  evidenceCorrection,
  expansionDiagnostics,
  perturbativeThresholds,
  projectFluctuation,
  residualRows,
  type ExpansionDiagnostics,
  type PredictionCorrection,
  type ProjectedFluctuation,
} from "./posterior/corrections.js";
export { pairFluctuation, pairingFluctuation, type Fluctuation, type GaussianPairing } from "./posterior/fluctuation.js";
export { gaussianPieces, type GaussianPieces } from "./posterior/gaussian-pieces.js";
export * from "./prior/cumulants.js";
export * from "./prior/output-density.js";
export { contractVertex } from "./theory/deterministic.js";
export { perturbativeOptions, type Engine, type PerturbativeOptions } from "./theory/options.js";
export { perturbative, plugin } from "./theory/perturbative.js";
export { sampledBatch, type SampledChunk } from "./theory/sampled.js";
