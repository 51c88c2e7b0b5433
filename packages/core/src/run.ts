import type { Registry } from "./registry.js";
import type { Run, Task } from "./theory.js";

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
