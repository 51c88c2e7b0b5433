export * from "./criticality/index.js";
export * from "./effective-action/index.js";
export * from "./forward-backward/index.js";
export * from "./rate-function/index.js";
export { plugin } from "./plugin.js";
