import { join } from "node:path";
import type { Registry, Run } from "@finitewidth/core";
import { createThreadedWasmBackend, setBackend } from "@finitewidth/linalg";
import { poolRun, resumable } from "@finitewidth/workers";
import { fileChunkStore } from "./chunk-store.js";
import type { Progress } from "./progress.js";

/** What a command needs to start computing. */
export interface RunSettings {
  readonly registry: Registry;
  readonly seed: number;
  readonly workers: number;
  readonly signal: AbortSignal;
  /** Folder of the results; finished chunks are kept in it until the command has succeeded. */
  readonly out: string;
  /** Take finished chunks of an interrupted run instead of starting afresh. */
  readonly resume: boolean;
  readonly progress: Progress;
  /** Training points: with many of them, threads share the large matrices of this process; the numbers stay the same. */
  readonly points?: number;
}

// From this many points on: at 2000 a fit of eigenvectors takes about four fifths of the time on two threads, at 300 nothing is gained.
const threadedFrom = 500;
// Work is cut into some twenty pieces: more threads than this have little to do.
const mostThreads = 8;

/** A command's run and what to do when it has ended. */
export interface OpenRun {
  readonly run: Run;
  /** Ends the workers; forgets the chunks when the command has succeeded. */
  close(succeeded: boolean): Promise<void>;
}

/** Opens the run of a command. */
export async function openRun({ registry, seed, workers, signal, out, resume, progress, points = 0 }: RunSettings): Promise<OpenRun> {
  const store = fileChunkStore(join(out, ".chunks"));
  if (!resume) await store.clear();
  const pool = poolRun({ registry, seed, workers, signal, onProgress: progress.advance });
  const threads = workers > 1 && points >= threadedFrom ? await createThreadedWasmBackend(Math.min(workers, mostThreads)) : undefined;
  const previous = threads && setBackend(threads.backend);
  return {
    run: resumable(pool, store),
    async close(succeeded) {
      progress.clear();
      pool.close();
      if (previous) setBackend(previous);
      threads?.close();
      if (succeeded) await store.clear();
    },
  };
}
