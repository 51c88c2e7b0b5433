export * from "./complex-log-gamma.js";
export * from "./gamma.js";
export * from "./gamma-product.js";
export * from "./log-bessel-k.js";
