export * from "./complex-log-gamma.js";
export * from "./gamma.js";
export * from "./gamma-product.js";
export * from "./gamma-quantile.js";
export * from "./log-bessel-k.js";
export * from "./multivariate-gamma.js";
export * from "./normal.js";
export * from "./student.js";
