import type { Registry } from "./registry.js";

/** Everything that a computation may touch besides its arguments; nothing is global. */
export interface Run {
  readonly registry: Registry;
  /** Chunk i draws from stream (seed, i), whoever runs it. */
  readonly seed: number;
  readonly signal?: AbortSignal;
  /** So many chunks are computed at the same time, elsewhere; left out: one by one, in this thread. */
  readonly concurrency?: number;
  /**
   * Runs the named task (see `Task`) on every chunk, inline or in a worker pool, and yields results in the order of the chunks.
   * Same results bit for bit whatever the number of workers.
   */
  map<A, B>(task: Task<A, B>, chunks: readonly A[]): AsyncIterable<B>;
  onProgress?(done: number, total: number, note?: string): void;
}

/**
 * A pure function that a worker can run: found there by importing `module` and taking its export `name`, with a registry rebuilt from the
 * `module` of every plug-in. Chunks and results are plain data; buffers of results are transferred.
 */
export interface Task<A, B> {
  /** URL of the module that exports the task under `name`: `import.meta.url`. */
  readonly module: string;
  readonly name: string;
  run(chunk: A, context: TaskContext): B | Promise<B>;
}

/** What a task may use besides its chunk. */
export interface TaskContext {
  readonly registry: Registry;
  /** To be called at least every 50 ms or so of work, with the fraction done; throws when the run was cancelled. */
  tick(fraction: number): void;
}

/** Options of a run in this thread. */
export interface InlineRunOptions {
  readonly registry: Registry;
  /** @defaultValue 1 */
  readonly seed?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: Run["onProgress"];
}

/** A run that computes every chunk in this thread, one after the other, and lets the event loop breathe in between. */
export function inlineRun(options: InlineRunOptions): Run {
  const { registry, seed = 1, signal, onProgress } = options;
  return {
    registry,
    seed,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
    async *map<A, B>(task: Task<A, B>, chunks: readonly A[]): AsyncIterable<B> {
      const tick = (): void => signal?.throwIfAborted();
      for (const [i, chunk] of chunks.entries()) {
        signal?.throwIfAborted();
        yield await task.run(chunk, { registry, tick });
        onProgress?.(i + 1, chunks.length, task.name);
        await new Promise((resolve) => setTimeout(resolve));
      }
    },
  };
}
