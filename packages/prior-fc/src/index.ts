export * from "./finite-network.js";
export * from "./infinite-width.js";
export * from "./mixing-law.js";
export * from "./prior-model.js";
export * from "./schema.js";
