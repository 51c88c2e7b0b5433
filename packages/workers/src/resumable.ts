import type { Run, Task } from "@finitewidth/core";

/** Where results of chunks are kept between runs. Keys are the task and the chunk itself: a changed chunk is another chunk. */
export interface ChunkStore {
  load(task: string, chunk: unknown): Promise<unknown>;
  /** Must store whole or not at all. */
  save(task: string, chunk: unknown, result: unknown): Promise<void>;
}

/** A run whose `map` tells results as they come; see `PoolRun`. */
interface EagerRun extends Run {
  map<A, B>(task: Task<A, B>, chunks: readonly A[], settled?: (index: number, value: B) => Promise<void>): AsyncIterable<B>;
}

/**
 * A run that keeps the result of every finished chunk in a store and takes from it what is already there. A run that was killed and started
 * again ends with the same results: chunks are pure functions.
 * @param besides tasks whose results are kept by those who ask for them
 */
export function resumable(run: Run, store: ChunkStore, besides: readonly Task<never, unknown>[] = []): Run {
  return {
    ...run,
    async *map<A, B>(task: Task<A, B>, chunks: readonly A[]): AsyncIterable<B> {
      if (besides.some(({ module, name }) => module === task.module && name === task.name)) return yield* run.map(task, chunks);
      const found = await Promise.all(chunks.map((chunk) => store.load(task.name, chunk)));
      const missing = chunks.filter((_, i) => found[i] === undefined);
      // A pool tells each result when it is there, not when those before it are: none is lost. Other runs are asked in order.
      const saved = new Set<number>();
      const keep = async (i: number, value: unknown): Promise<void> => {
        saved.add(i);
        await store.save(task.name, missing[i], value);
      };
      const fresh = (run as EagerRun).map(task, missing, keep)[Symbol.asyncIterator]();
      let taken = 0;
      try {
        for (let i = 0; i < chunks.length; i++) {
          if (found[i] !== undefined) {
            yield found[i] as B;
            continue;
          }
          const next = await fresh.next();
          if (next.done) return;
          if (!saved.has(taken)) await keep(taken, next.value);
          taken += 1;
          yield next.value;
        }
      } finally {
        await fresh.return?.();
      }
    },
  };
}
