import type { WorkerHandle } from "./worker-handle.js";

// What the default worker imports of this module, in whichever file a bundler or a development server has put it.
export { serve } from "./serve.js";

/** Wraps a Web Worker for the pool. */
export function handleOf(worker: Worker): WorkerHandle {
  return {
    endpoint: worker,
    terminate: () => worker.terminate(),
    onDeath(callback) {
      // A script that cannot be loaded is told by a plain event.
      worker.addEventListener("error", ({ message }) => callback(message ?? "its script cannot be loaded"));
      worker.addEventListener("messageerror", () => callback("a message could not be read"));
    },
    hold: () => undefined,
  };
}

/** Set before anything else runs: a page's script that comes along with this module opens no workers there. */
const mark = "data:text/javascript,globalThis[Symbol.for('finitewidth.serving')]=true";

/**
 * Starts a worker that imports plug-ins and tasks by URL. It begins as text that imports this very module: a
 * file beside it is left behind when a development server puts its dependencies together (Vite answers 404).
 */
export function spawn(): WorkerHandle {
  const text = `import ${JSON.stringify(mark)}; import { serve } from ${JSON.stringify(import.meta.url)}; serve(self);`;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  return handleOf(new Worker(url, { type: "module" }));
}

/** Number of workers to start when nothing is said. */
export const parallelism = (): number => navigator.hardwareConcurrency ?? 1;
