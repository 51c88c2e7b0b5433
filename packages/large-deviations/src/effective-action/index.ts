export * from "./scalar-action.js";
export * from "./scalar-minima.js";
export * from "./scalar-posterior.js";
export * from "./scalar-problem.js";
export * from "./variance-gamma.js";
