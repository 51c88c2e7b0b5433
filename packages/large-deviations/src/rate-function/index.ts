export * from "./chain-data.js";
export * from "./chain-minimiser.js";
export { hiddenKernelsAtMinimum } from "./hidden-kernels.js";
export * from "./matrix-minimiser.js";
export * from "./output-rate.js";
export * from "./scalar-minimiser.js";
export * from "./spectral-data.js";
export { largeDeviation, type LargeDeviationOptions } from "./theory.js";
