export * from "./krylov/index.js";
export * from "./low-discrepancy/index.js";
export * from "./optimisation/index.js";
export * from "./quadrature/index.js";
export * from "./roots/index.js";
export * from "./sampling/index.js";
export * from "./special/index.js";
export * from "./statistics/index.js";
