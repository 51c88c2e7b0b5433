export * from "./chains.js";
export * from "./elliptical-slice.js";
export * from "./hamiltonian.js";
export * from "./importance.js";
export * from "./langevin.js";
export type * from "./log-density.js";
export { diagonalMetric, factorMetric, unitMetric, type Metric } from "./metric.js";
