import { join } from "node:path";
import type { Registry, Run, Task } from "@finitewidth/core";
import { solveMethod } from "@finitewidth/experiment";
import { createThreadedWasmBackend, setBackend } from "@finitewidth/linalg";
import type { QueueRun } from "@finitewidth/queue";
import { sampleNetworks } from "@finitewidth/verification";
import { poolRun, resumable, type PoolRun } from "@finitewidth/workers";
import { useNativeBackend } from "./backend.js";
import { openCheckpoints, type Checkpoints, type Identity } from "./checkpoints.js";
import { openFolder, type OutputFolder } from "./output-folder.js";
import type { Progress } from "./progress.js";
import { numericalVersions } from "./provenance.js";

/** What a command needs to start computing. */
export interface SessionSettings {
  readonly registry: Registry;
  readonly seed: number;
  readonly workers: number;
  /** See `ComputeSettings`. */
  readonly native?: boolean | undefined;
  /** Address of a queue whose workers compute, instead of threads here. */
  readonly queue?: string | undefined;
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
  /** See `ComputeSettings`. */
  readonly points?: number | undefined;
  /** Told that the folder is ours. */
  readonly onOpen?: (folder: string) => void;
}

// From this many points on: at 2000 a fit of eigenvectors takes about four fifths of the time on two threads, at 300 nothing is gained.
const threadedFrom = 500;
// Work is cut into some twenty pieces: more threads than this have little to do.
const mostThreads = 8;

/** What a computation needs of the machine. */
export interface ComputeSettings {
  readonly registry: Registry;
  readonly seed: number;
  readonly workers: number;
  readonly signal: AbortSignal;
  readonly onProgress: NonNullable<Run["onProgress"]>;
  /** Told why one thread computes what several were to. @defaultValue Node warns */
  readonly onFallback?: (reason: string) => void;
  /** Training points: with many of them, threads share the large matrices of this process; the numbers stay the same. */
  readonly points?: number | undefined;
  /** Workers use the compiled add-on too, each on one thread. */
  readonly native?: boolean | undefined;
}

/** Starts the worker threads of a computation; `close` ends them. */
export async function openCompute(settings: ComputeSettings): Promise<{ readonly run: PoolRun; close(): void }> {
  const { points = 0, native = false, ...pooled } = settings;
  const pool = poolRun({ ...pooled, ...(native ? { prepare: { task: useNativeBackend, chunk: null } } : {}) });
  const sharing = pooled.workers > 1 && points >= threadedFrom && !native;
  const threads = sharing ? await createThreadedWasmBackend(Math.min(pooled.workers, mostThreads)) : undefined;
  if (sharing && !threads) pooled.onFallback?.("large matrices, because memory of WebAssembly cannot be shared here");
  const previous = threads && setBackend(threads.backend);
  return {
    run: pool,
    close() {
      pool.close();
      if (previous) setBackend(previous);
      threads?.close();
    },
  };
}

/** A command's folder, checkpoints and workers. */
export interface Session {
  readonly run: Run;
  readonly checkpoints: Checkpoints | undefined;
  /** Ends the workers and gives the folder back; forgets the checkpoints when the command has succeeded. */
  close(succeeded: boolean): Promise<void>;
}

/** Tasks that plug-ins do not declare, by their package. */
export const commandTasks: Readonly<Record<string, readonly Task<never, unknown>[]>> = {
  "@finitewidth/experiment": [solveMethod],
  "@finitewidth/verification": [sampleNetworks],
};

/** Has the workers of a queue compute; `close` gives up what is under way there. */
async function openQueue(
  queue: string,
  settings: ComputeSettings,
  say: Progress["say"],
): Promise<{ readonly run: QueueRun; close(): Promise<void> }> {
  const { queueAddress, queueRun } = await import("@finitewidth/queue");
  const run = await queueRun({
    ...settings,
    address: queueAddress(queue),
    versions: numericalVersions(settings.registry),
    tasks: commandTasks,
    say,
  });
  return { run, close: () => run.close() };
}

/**
 * Opens the workers, the folder and the checkpoints of a command. @throws OutputError when the folder is of no use, FinitewidthError (code
 * "input") when the queue is.
 */
export async function openSession(settings: SessionSettings): Promise<Session> {
  const { registry, seed, workers, signal, out, source, resume = false, identity, progress, points, native, queue } = settings;
  const onFallback = (reason: string): void => progress.say(`computing in one thread: ${reason}`);
  const machine = { registry, seed, workers, signal, points, native, onProgress: progress.advance, onFallback };
  // a queue that cannot be reached is told before a folder is made
  const compute = queue === undefined ? await openCompute(machine) : await openQueue(queue, machine, progress.say);
  let folder: OutputFolder | undefined;
  try {
    const opened = await openFolder(out, source);
    folder = opened;
    settings.onOpen?.(out);
    const checkpoints = identity && (await openCheckpoints(join(out, ".checkpoints"), identity, resume, progress.say));
    return {
      run: checkpoints ? resumable(compute.run, checkpoints, [solveMethod]) : compute.run,
      checkpoints,
      async close(succeeded) {
        progress.clear();
        await compute.close();
        if (succeeded) await checkpoints?.clear();
        await opened.release();
      },
    };
  } catch (error) {
    await compute.close();
    await folder?.release();
    throw error;
  }
}
