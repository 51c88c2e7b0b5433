export * from "./gauss-hermite.js";
export * from "./gauss-legendre.js";
export type { QuadratureRule } from "./rule.js";
export * from "./tanh-sinh.js";
export * from "./trapezoid.js";
