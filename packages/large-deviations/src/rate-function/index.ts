export * from "./matrix-minimiser.js";
export * from "./output-rate.js";
export * from "./scalar-minimiser.js";
export * from "./spectral-data.js";
