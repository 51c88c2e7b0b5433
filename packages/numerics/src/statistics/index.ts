export * from "./chain-diagnostics.js";
export * from "./gaussian-distance.js";
export * from "./pareto.js";
export * from "./running-moments.js";
export * from "./separate-modes.js";
