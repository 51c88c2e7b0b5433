export * from "./pool.js";
export { recordError, restoreError, type ErrorRecord } from "./protocol.js";
export * from "./resumable.js";
export * from "./serve.js";
export type * from "./worker-handle.js";
export { handleOf } from "#spawn";
