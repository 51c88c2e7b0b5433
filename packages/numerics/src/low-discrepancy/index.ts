export * from "./direction-numbers.js";
export * from "./normal-points.js";
export * from "./primitive-polynomials.js";
export * from "./sobol.js";
