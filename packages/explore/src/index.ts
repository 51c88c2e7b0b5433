export * from "./model/data.js";
export * from "./model/digits.js";
export * from "./model/experiment.js";
export * from "./model/from-experiment.js";
export * from "./model/lessons.js";
export * from "./model/link.js";
export * from "./model/state.js";
