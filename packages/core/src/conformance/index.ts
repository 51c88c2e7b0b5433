export * from "./activation-checks.js";
export * from "./check.js";
export * from "./theory-checks.js";
