export * from "./brent.js";
export * from "./newton.js";
export * from "./result.js";
