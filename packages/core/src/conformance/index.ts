export * from "./activation-checks.js";
export * from "./check.js";
export * from "./figure-checks.js";
export * from "./likelihood-checks.js";
export * from "./theory-checks.js";
