export * from "./cholesky.js";
export * from "./eigen.js";
export * from "./elementary.js";
export * from "./products.js";
