export { loadedInTime } from "./patience.js";
export * from "./pool.js";
export { recordError, restoreError, type ErrorRecord } from "./protocol.js";
export * from "./resumable.js";
export * from "./serve.js";
export * from "./handle-of.js";
export type * from "./worker-handle.js";
