export * from "./prior-model.js";
export * from "./schema.js";
