import * as Comlink from "comlink";
import { FinitewidthError, inlineRun, type InlineRunOptions, type Run, type Task } from "@finitewidth/core";
import { parallelism, spawn } from "#spawn";
import { addressOf, bundles, isInPage } from "./bundled.js";
import { cancelled, controlBytes, controlWords, restoreError, type Envelope, type WorkerApi } from "./protocol.js";
import { isServing } from "./serve.js";
import type { WorkerHandle } from "./worker-handle.js";

/** Options of a run in worker threads. */
export interface PoolOptions extends InlineRunOptions {
  /** Number of workers; 0 computes in this thread. @defaultValue one per core */
  readonly workers?: number;
  /** Starts a worker; a bundled page passes its own (see `serve`). @defaultValue one that imports plug-ins and tasks by URL */
  readonly spawn?: () => WorkerHandle;
  /** Told why chunks are computed in this thread, where there can be no workers. @defaultValue warns, once */
  readonly onFallback?: (reason: string) => void;
  /** How often a chunk is run again after its worker died. @defaultValue 2 */
  readonly retries?: number;
  /** Run by every worker before its first chunk, e.g. to choose the linear algebra of its realm; this thread is left as it is. */
  readonly prepare?: Preparation;
}

/** A task with its chunk, for its effect on the worker that runs it. */
export interface Preparation {
  readonly task: Task<never, unknown>;
  readonly chunk: unknown;
}

/** A run whose workers stay until it is closed. */
export interface PoolRun extends Run {
  /**
   * As `Run.map`; `settled` is told every result as soon as it is there, and awaited before the result is yielded. `own`: what cancels this
   * map alone, and hears of it alone.
   */
  map<A, B>(
    task: Task<A, B>,
    chunks: readonly A[],
    settled?: (index: number, value: B) => Promise<void>,
    own?: Pick<InlineRunOptions, "signal" | "onProgress">,
  ): AsyncIterable<B>;
  /** Ends the workers. Running maps reject. */
  close(): void;
}

/** Milliseconds that a busy worker has to notice a cancellation before it is ended. */
const patience = 250;
const shared = (): boolean =>
  typeof SharedArrayBuffer === "function" && (typeof window === "undefined" || globalThis.crossOriginIsolated === true);

interface Member {
  readonly handle: WorkerHandle;
  readonly api: Comlink.Remote<WorkerApi>;
  readonly control: SharedArrayBuffer | undefined;
  readonly ready: Promise<Envelope>;
  dead: string | undefined;
  /** Rejects the call in flight. */
  fail: ((error: unknown) => void) | undefined;
}

/**
 * A run that spreads the chunks of every map over worker threads. Results come in the order of the chunks and do not depend on the number
 * of workers. A worker that dies is replaced and its chunk run again; cancellation reaches into a busy task through shared memory, and ends
 * the worker when it does not answer. The default worker imports plug-ins and tasks by the URL of their module: where they have none, or it
 * is that of a bundle, everything runs in this thread, as it does in a pool that a worker opens. With `spawn` that is an error. A map
 * throws what its task threw, and FinitewidthError (code "worker") when one chunk has lost more workers than `retries`.
 */
export function poolRun(options: PoolOptions): PoolRun {
  const { registry, seed = 1, signal, onProgress, workers = parallelism(), retries = 2, onFallback = warn, prepare } = options;
  if (workers === 0 || isServing()) return { ...inlineRun(options), close: () => undefined };
  const bundled = bundles(registry.plugins.flatMap((plugin) => plugin.module ?? []));
  const plugins = registry.plugins.map((plugin) => addressOf(plugin, bundled));
  const startsItself = options.spawn === undefined;
  let started = false;
  /** Why workers cannot run these tasks, once that is known. */
  let unreachable: string | undefined;
  let lane: Promise<unknown> = Promise.resolve();
  let told = false;
  /** A chunk in this thread, after those before it. */
  const runHere = <A, B>(task: Task<A, B>, chunk: A, abort: AbortSignal, reason: string): Promise<B> => {
    if (!told) onFallback(reason);
    told = true;
    const turn = lane.then(async () => {
      await new Promise((resolve) => setTimeout(resolve));
      abort.throwIfAborted();
      return task.run(chunk, { registry, tick: () => abort.throwIfAborted() });
    });
    lane = turn.catch(() => undefined);
    return turn;
  };

  const start = options.spawn ?? spawn;
  const idle: Member[] = [];
  const members = new Set<Member>();
  const waiting: ((member: Member) => void)[] = [];
  let closed = false;

  const prepared = async (api: Comlink.Remote<WorkerApi>): Promise<Envelope> => {
    const configured = await api.configure(plugins);
    if (!configured.ok || prepare === undefined) return configured;
    return api.run(addressOf(prepare.task, bundled), prepare.chunk, undefined);
  };
  const launch = (): Member => {
    const handle = start();
    const api = Comlink.wrap<WorkerApi>(handle.endpoint);
    const member: Member = {
      handle,
      api,
      control: shared() ? new SharedArrayBuffer(controlBytes) : undefined,
      ready: prepared(api),
      dead: undefined,
      fail: undefined,
    };
    members.add(member);
    handle.onDeath((reason) => {
      member.dead = reason;
      members.delete(member);
      const at = idle.indexOf(member);
      if (at >= 0) idle.splice(at, 1);
      member.fail?.(new WorkerDeath(reason));
    });
    return member;
  };
  const acquire = (): Promise<Member> | Member => {
    const free = idle.pop();
    if (free) return free;
    if (members.size < workers) return launch();
    return new Promise((resolve) => waiting.push(resolve));
  };
  const release = (member: Member): void => {
    const next = waiting.shift();
    if (member.dead !== undefined) {
      if (next) next(launch());
      return;
    }
    if (next) next(member);
    else {
      member.handle.hold(false);
      idle.push(member);
    }
  };
  const discard = (member: Member): void => {
    member.dead = "ended by the pool";
    members.delete(member);
    member.handle.terminate();
  };

  /** One attempt at one chunk. */
  const attempt = async <A, B>(member: Member, task: Task<A, B>, chunk: A, abort: AbortSignal): Promise<B> => {
    member.handle.hold(true);
    const words = member.control && controlWords(member.control);
    if (words) {
      Atomics.store(words.cancel, 0, 0);
      words.fraction[0] = 0;
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    let onAbort: (() => void) | undefined;
    try {
      return await new Promise<B>((resolve, reject) => {
        member.fail = reject;
        if (member.dead !== undefined) reject(new WorkerDeath(member.dead));
        onAbort = (): void => {
          if (words) Atomics.store(words.cancel, 0, 1);
          timer = setTimeout(
            () => {
              discard(member);
              reject(abort.reason);
            },
            words ? patience : 0,
          );
        };
        if (abort.aborted) onAbort();
        else abort.addEventListener("abort", onAbort, { once: true });
        const call = async (): Promise<void> => {
          const configured = await member.ready;
          if (!configured.ok) throw new StartFailure(configured.error.message, { cause: restoreError(configured.error) });
          started = true;
          resolve(unwrap(await member.api.run(addressOf(task, bundled), chunk, member.control)) as B);
        };
        call().catch((error: unknown) => reject(error instanceof Error && error.message === cancelled ? abort.reason : error));
      });
    } finally {
      clearTimeout(timer);
      if (onAbort) abort.removeEventListener("abort", onAbort);
      member.fail = undefined;
      release(member);
    }
  };

  const map = async function* <A, B>(
    task: Task<A, B>,
    chunks: readonly A[],
    settled?: (index: number, value: B) => Promise<void>,
    own: Pick<InlineRunOptions, "signal" | "onProgress"> = {},
  ): AsyncIterable<B> {
    signal?.throwIfAborted();
    if (closed) throw new FinitewidthError("the pool is closed", { code: "worker" });
    const stop = new AbortController();
    const abort = AbortSignal.any([signal, own.signal, stop.signal].filter((one) => one !== undefined));
    let done = 0;
    // of chunks, not of workers: one that is done lets go of its worker before it is taken out here
    const running = new Set<Pick<Member, "control">>();
    const report = (): void => {
      let partial = 0;
      for (const { control } of running) partial += control ? Math.min(1, controlWords(control).fraction[0]!) : 0;
      onProgress?.(done + partial, chunks.length, task.name);
      own.onProgress?.(done + partial, chunks.length, task.name);
    };
    const ticker = onProgress || own.onProgress ? setInterval(report, 200) : undefined;
    if (typeof ticker === "object" && "unref" in ticker) ticker.unref();

    const runChunk = async (chunk: A, index: number): Promise<B> => {
      const nowhere = startsItself ? [addressOf(task, bundled), ...plugins].find(({ module }) => module === undefined) : undefined;
      if (startsItself && isInPage()) unreachable ??= "the page is a bundle";
      if (nowhere) unreachable ??= `${nowhere.name} has no module that a worker could import`;
      for (let failures = 0; ; failures++) {
        if (unreachable !== undefined) {
          const value = await runHere(task, chunk, abort, unreachable);
          done += 1;
          await settled?.(index, value);
          return value;
        }
        const member = await acquire();
        if (abort.aborted) {
          release(member);
          throw abort.reason;
        }
        const part = { control: member.control };
        running.add(part);
        try {
          const value = await attempt(member, task, chunk, abort);
          done += 1;
          await settled?.(index, value);
          return value;
        } catch (error) {
          if (error instanceof StartFailure && startsItself) unreachable = error.message;
          else if (error instanceof StartFailure) throw error.cause;
          else if (!(error instanceof WorkerDeath)) throw error;
          if (abort.aborted) throw abort.reason;
          if (failures >= retries && startsItself && !started) unreachable = `workers do not start (${(error as Error).message})`;
          if (unreachable !== undefined) continue;
          if (failures >= retries) {
            throw new FinitewidthError(
              `a worker died ${failures + 1} times running the same part of "${task.name}" (${error.message})`,
              { code: "worker" },
              { cause: error },
            );
          }
        } finally {
          running.delete(part);
        }
      }
    };
    // All chunks are queued at once; the pool hands them out in order as workers become free.
    const results = chunks.map((chunk, index) => runChunk(chunk, index));
    for (const result of results) result.catch(() => undefined);
    try {
      for (const result of results) {
        yield await result;
        report();
      }
    } finally {
      stop.abort(new FinitewidthError("the results of this map are no longer wanted", { code: "worker" }));
      clearInterval(ticker);
    }
  };

  return {
    registry,
    seed,
    concurrency: workers,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
    map,
    close() {
      closed = true;
      for (const member of members) {
        member.fail?.(new FinitewidthError("the pool was closed", { code: "worker" }));
        discard(member);
      }
    },
  };
}

class WorkerDeath extends Error {}
/** A worker that runs but lacks the plug-ins. */
class StartFailure extends Error {}

function unwrap(envelope: Envelope): unknown {
  if (envelope.ok) return envelope.value;
  throw restoreError(envelope.error);
}

/** Where a library can say that a page or a process is slower than it could be. */
function warn(reason: string): void {
  const text = `finitewidth: computing in one thread (${reason}); see "Tasks" in the README of @finitewidth/workers`;
  const { process } = globalThis as { readonly process?: { emitWarning?(text: string): void } };
  if (process?.emitWarning) process.emitWarning(text);
  else console.warn(text);
}
