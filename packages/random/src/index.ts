export * from "./gamma.js";
export * from "./stream.js";
export * from "./wishart.js";
