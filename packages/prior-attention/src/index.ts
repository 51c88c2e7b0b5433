export * from "./features.js";
export * from "./finite-network.js";
export * from "./infinite-width.js";
export * from "./maps.js";
export * from "./mixing-law.js";
export * from "./model.js";
export type * from "./network.js";
export * from "./paths.js";
export * from "./scores.js";
