export * from "./correlation-map.js";
export * from "./critical-line.js";
export * from "./phase-diagram.js";
export * from "./phase-point.js";
export * from "./variance-map.js";
