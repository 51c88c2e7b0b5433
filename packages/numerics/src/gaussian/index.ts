export * from "./gaussian-process.js";
export * from "./independent-rows.js";
export * from "./resolvent.js";
export * from "./span.js";
export * from "./spectrum.js";
