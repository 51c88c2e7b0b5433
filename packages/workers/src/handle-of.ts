import { handleOf as wrap } from "#spawn";
import type { WorkerHandle } from "./worker-handle.js";

/** What a worker thread of Node and a Web Worker have in common, so that the types of neither are needed. */
export interface AnyWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
}

/** Wraps a worker of your own for the pool: a `Worker` of node:worker_threads in Node, a Web Worker in a page. */
export const handleOf = (worker: AnyWorker): WorkerHandle => wrap(worker as never);
