export * from "./factors.js";
export * from "./layout.js";
export * from "./moments.js";
