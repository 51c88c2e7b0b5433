export * from "./bounded-ascent.js";
export * from "./lbfgs.js";
export * from "./line-search.js";
export * from "./newton.js";
export type { Minimum, Objective, ValueAndGradient } from "./result.js";
