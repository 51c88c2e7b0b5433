export { applyAdjointJacobian as pullbackGram, crossKernelMap as mapCross, kernelMap as mapGram } from "@finitewidth/activations";
