export * from "./characteristic-function.js";
export * from "./lift.js";
export * from "./moments.js";
