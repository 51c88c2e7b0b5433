export * from "./factor.js";
export * from "./gamma-factor.js";
export * from "./noncentral-factor.js";
export * from "./product-law.js";
