export * from "./infinite-width/gaussian-process.js";
export * from "./infinite-width/nngp.js";
export * from "./plugin.js";
export * from "./spectrum/spectrum.js";
export type * from "./sampling/target.js";
