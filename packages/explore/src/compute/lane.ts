import { createRegistry, type Task } from "@finitewidth/core";
import { handleOf, poolRun, type PoolRun } from "@finitewidth/workers";

/** Never asked for: workers were given their tasks. */
const module = import.meta.url;

/** A task as the page names it: workers find it, and all that it needs, by this name. */
export const remote = <A, B>(name: string): Task<A, B> => ({
  module,
  name,
  run: () => {
    throw new Error(`${name} runs in workers only`);
  },
});

/** One worker that computes one thing after the other. */
export class Lane {
  #abort = new AbortController();
  #pool: PoolRun | undefined;

  /** Computes; rejects with the reason of `cancel` when something newer comes. */
  async ask<A, B>(task: Task<A, B>, chunk: A): Promise<B> {
    this.#pool ??= poolRun({
      // The plug-ins are the worker's own.
      registry: createRegistry([]),
      workers: 1,
      spawn: () => handleOf(new Worker(new URL("./worker.js", import.meta.url), { type: "module" })),
    });
    const { signal } = this.#abort;
    for await (const result of this.#pool.map(task, [chunk])) {
      signal.throwIfAborted();
      return result;
    }
    throw new Error("no result");
  }

  /** Ends what is running and its worker; the next question starts another. */
  cancel(): void {
    this.#abort.abort(new DOMException("something newer has come", "AbortError"));
    this.#abort = new AbortController();
    this.#pool?.close();
    this.#pool = undefined;
  }
}

/** Runs an action on the latest value only: values that come while it runs replace each other, and nothing queues up. */
export function latest<T>(action: (value: T) => Promise<void>): (value: T) => void {
  let pending: { readonly value: T } | undefined;
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    while (pending) {
      const { value } = pending;
      pending = undefined;
      await action(value);
    }
    running = false;
  };
  return (value) => {
    pending = { value };
    if (!running) void run();
  };
}
