export * from "./gaussian-process.js";
export * from "./independent-rows.js";
export * from "./iterative-process.js";
export * from "./lost-noise.js";
export * from "./low-rank.js";
export * from "./span.js";
export * from "./spectrum.js";
export * from "./target-response.js";
