export * from "./chain-data.js";
export * from "./chain-minimiser.js";
export * from "./matrix-minimiser.js";
export * from "./output-rate.js";
export * from "./scalar-minimiser.js";
export * from "./spectral-data.js";
