import type { WorkerHandle } from "./worker-handle.js";

/** Wraps a Web Worker for the pool. */
export function handleOf(worker: Worker): WorkerHandle {
  return {
    endpoint: worker,
    terminate: () => worker.terminate(),
    onDeath(callback) {
      worker.addEventListener("error", (event) => callback(event.message));
      worker.addEventListener("messageerror", () => callback("a message could not be read"));
    },
    hold: () => undefined,
  };
}

/** Starts a worker that imports tasks by URL. The expression stands whole, so that bundlers find it. */
export const spawn = (): WorkerHandle => handleOf(new Worker(new URL("./worker.browser.js", import.meta.url), { type: "module" }));

/** Number of workers to start when nothing is said. */
export const parallelism = (): number => navigator.hardwareConcurrency ?? 1;
