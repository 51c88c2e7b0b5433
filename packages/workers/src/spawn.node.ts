import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { nodeEndpoint } from "./node-endpoint.js";
import type { WorkerHandle } from "./worker-handle.js";

/** Wraps a worker thread for the pool. */
export function handleOf(worker: Worker): WorkerHandle {
  let ended = false;
  worker.unref();
  return {
    endpoint: nodeEndpoint(worker),
    terminate() {
      ended = true;
      void worker.terminate();
    },
    onDeath(callback) {
      const once = (reason: string): void => {
        if (ended) return;
        ended = true;
        callback(reason);
      };
      worker.on("error", (error) => once(error.message));
      worker.on("messageerror", () => once("a message could not be read"));
      worker.on("exit", (code) => once(`exit code ${code}`));
    },
    hold: (alive) => (alive ? worker.ref() : worker.unref()),
  };
}

/** Starts a thread; from sources while developing, from dist otherwise. */
export function spawn(): WorkerHandle {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return handleOf(new Worker(new URL(`./worker.node.${extension}`, import.meta.url), { execArgv: inheritable(process.execArgv) }));
}

/** Options of this process about how modules are found: what a thread needs, and all that it may be given (V8's are the process's). */
function inheritable(options: readonly string[]): string[] {
  const known = /^(--conditions|-C|--import|--require|-r|--loader|--experimental-loader|--enable-source-maps|--no-warnings)(=|$)/;
  return options.flatMap((option, i) => {
    if (known.test(option)) return [option];
    const previous = options[i - 1] ?? "";
    return !option.startsWith("-") && known.test(previous) && !previous.includes("=") ? [option] : [];
  });
}

/** Number of workers to start when nothing is said. */
export const parallelism = (): number => availableParallelism();
