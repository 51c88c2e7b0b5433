import { createRegistry, type Task } from "@finitewidth/core";
import { handleOf, poolRun, type PoolRun } from "@finitewidth/workers";
import type { SentData } from "./messages.js";

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

/** One worker that computes one thing after the other. Data are sent to it once. */
export class Lane {
  #abort = new AbortController();
  #pool: PoolRun | undefined;
  /** Data that the worker has. */
  #held: number | undefined;

  /** Computes; rejects with the reason of `cancel` when something newer comes. */
  async ask<A, B>(task: Task<A, B>, chunk: A & { readonly data?: SentData }): Promise<B> {
    const { data } = chunk;
    if (data === undefined || data.id !== this.#held) return this.#send(task, chunk, data?.id);
    const { signal } = this.#abort;
    try {
      return await this.#send(task, { ...chunk, data: { id: data.id } }, data.id);
    } catch (error) {
      signal.throwIfAborted();
      // Its worker died meanwhile, and another has taken its place.
      if (!/were not sent to this worker/.test(String(error))) throw error;
      return this.#send(task, chunk, data.id);
    }
  }

  async #send<A, B>(task: Task<A, B>, chunk: A, data: number | undefined): Promise<B> {
    this.#pool ??= poolRun({
      // The plug-ins are the worker's own.
      registry: createRegistry([]),
      workers: 1,
      spawn: () => handleOf(new Worker(new URL("./worker.js", import.meta.url), { type: "module" })),
    });
    const { signal } = this.#abort;
    this.#held = data ?? this.#held;
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
    this.#pool = this.#held = undefined;
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
