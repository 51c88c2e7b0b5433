import { join } from "node:path";
import type { Registry, Run } from "@finitewidth/core";
import { solveMethod } from "@finitewidth/experiment";
import { createThreadedWasmBackend, setBackend } from "@finitewidth/linalg";
import { poolRun, resumable } from "@finitewidth/workers";
import { useNativeBackend } from "./backend.js";
import { openCheckpoints, type Checkpoints, type Identity } from "./checkpoints.js";
import { openFolder } from "./output-folder.js";
import type { Progress } from "./progress.js";

/** What a command needs to start computing. */
export interface SessionSettings {
  readonly registry: Registry;
  readonly seed: number;
  readonly workers: number;
  /** Workers use the compiled add-on too, each on one thread. */
  readonly native?: boolean;
  readonly signal: AbortSignal;
  /** Folder of the results. */
  readonly out: string;
  /** File that is being worked on; marks the folder as its own. */
  readonly source?: string;
  readonly progress: Progress;
  /** What the checkpoints must be of; left out: nothing is kept. */
  readonly identity?: Identity;
  /** Take what an interrupted run has finished instead of starting afresh. */
  readonly resume?: boolean;
  /** Training points: with many of them, threads share the large matrices of this process; the numbers stay the same. */
  readonly points?: number;
  /** Told that the folder is ours. */
  readonly onOpen?: (folder: string) => void;
}

// From this many points on: at 2000 a fit of eigenvectors takes about four fifths of the time on two threads, at 300 nothing is gained.
const threadedFrom = 500;
// Work is cut into some twenty pieces: more threads than this have little to do.
const mostThreads = 8;

/** A command's folder, checkpoints and workers. */
export interface Session {
  readonly run: Run;
  readonly checkpoints: Checkpoints | undefined;
  /** Ends the workers and gives the folder back; forgets the checkpoints when the command has succeeded. */
  close(succeeded: boolean): Promise<void>;
}

/** Opens the folder, the checkpoints and the workers of a command, in this order. @throws OutputError when the folder is of no use. */
export async function openSession(settings: SessionSettings): Promise<Session> {
  const { registry, seed, workers, signal, out, source, resume = false, identity, progress, points = 0, native = false } = settings;
  const folder = await openFolder(out, source);
  settings.onOpen?.(out);
  try {
    const checkpoints = identity && (await openCheckpoints(join(out, ".checkpoints"), identity, resume, progress.say));
    const prepare = native ? { prepare: { task: useNativeBackend, chunk: null } } : {};
    const pool = poolRun({ registry, seed, workers, signal, onProgress: progress.advance, ...prepare });
    const threads =
      workers > 1 && points >= threadedFrom && !native ? await createThreadedWasmBackend(Math.min(workers, mostThreads)) : undefined;
    const previous = threads && setBackend(threads.backend);
    return {
      run: checkpoints ? resumable(pool, checkpoints, [solveMethod]) : pool,
      checkpoints,
      async close(succeeded) {
        progress.clear();
        pool.close();
        if (previous) setBackend(previous);
        threads?.close();
        if (succeeded) await checkpoints?.clear();
        await folder.release();
      },
    };
  } catch (error) {
    await folder.release();
    throw error;
  }
}
