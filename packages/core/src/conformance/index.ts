export * from "./activation-checks.js";
export type { Check } from "./check.js";
export * from "./prior-model-checks.js";
export * from "./theory-checks.js";
