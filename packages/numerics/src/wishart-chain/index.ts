export * from "./bias.js";
export * from "./coordinates.js";
export * from "./factors.js";
export * from "./layout.js";
export * from "./moments.js";
export * from "./site-covariance.js";
export * from "./site-geometry.js";
