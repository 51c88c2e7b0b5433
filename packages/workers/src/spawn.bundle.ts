import { Worker } from "node:worker_threads";
import { handleOf } from "./spawn.node.js";
import type { WorkerHandle } from "./worker-handle.js";

export { handleOf, parallelism } from "./spawn.node.js";

/** Starts a thread of the one file that everything is in, by the small one that starts it (`tools/build-bundle.mjs`). */
export const spawn = (): WorkerHandle =>
  handleOf(new Worker(new URL("finitewidth-start.cjs", import.meta.url), { execArgv: [], workerData: { role: "worker" } }));
