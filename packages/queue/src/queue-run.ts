import { FinitewidthError, type InlineRunOptions, type Run, type Task } from "@finitewidth/core";
import { poolRun, restoreError } from "@finitewidth/workers";
import type { QueueAddress } from "./address.js";
import { pack, unpack } from "./codec.js";
import { connect, connectionOptions, loadEngine, prefix, queueName } from "./engine.js";
import {
  answerKey,
  cancelChannel,
  idOf,
  jobName,
  keepShared,
  leaveShared,
  protocol,
  tasksByName,
  type Answer,
  type Message,
} from "./message.js";

/** Options of a run on a queue. */
export interface QueueRunOptions extends InlineRunOptions {
  readonly address: QueueAddress;
  /** Versions that decide about numbers; workers with others refuse the chunks. */
  readonly versions: Readonly<Record<string, string>>;
  /** Tasks that no plug-in declares, by their package. */
  readonly tasks?: Readonly<Record<string, readonly Task<never, unknown>[]>>;
  /** Told what a person should know: that nobody is listening, that the connection is lost. */
  readonly say?: (sentence: string) => void;
  /** Threads here, for tasks that no package declares. @defaultValue one per core */
  readonly workers?: number;
}

/** A run whose workers are elsewhere. */
export interface QueueRun extends Run {
  /** As `Run.map`; `settled` is told every result as soon as it is there, and awaited before the queue forgets it. */
  map<A, B>(task: Task<A, B>, chunks: readonly A[], settled?: (index: number, value: B) => Promise<void>): AsyncIterable<B>;
  /** Gives up what is under way and closes the connections. */
  close(): Promise<void>;
}

/** So many methods of a plan are under way at a time, and so many chunks in the queue. */
const concurrency = 32;
const window = 256;
/** Milliseconds between looks at what is under way: what Redis has forgotten is asked for again. */
const lookEvery = 2000;
const silence = 4000;
const refreshEvery = 20_000;
const mostUnreadable = 3;

interface Waiter {
  readonly message: Message;
  readonly shared: ReadonlyMap<string, Buffer>;
  fraction: number;
  unreadable: number;
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

/**
 * A run that hands its chunks to the workers of a queue (see `serveQueue`), on any number of machines. Results come in the order of the
 * chunks and do not depend on who computed them. A chunk that was lost with its worker, or with Redis, is computed again. @throws
 * FinitewidthError (code "input") when Redis cannot be reached, or BullMQ is not installed.
 */
export async function queueRun(options: QueueRunOptions): Promise<QueueRun> {
  const { registry, seed = 1, signal, onProgress, address, versions, tasks = {}, say = () => undefined } = options;
  const engine = await loadEngine();
  const redis = await connect(engine, address, say);
  const settings = { connection: connectionOptions(address), prefix };
  const queue = new engine.Queue(queueName, { ...settings, streams: { events: { maxLen: 2000 } } });
  const events = new engine.QueueEvents(queueName, settings);
  for (const one of [queue, events]) one.on("error", () => undefined);
  await events.waitUntilReady();

  const names = new Map([...tasksByName(registry.plugins, tasks)].map(([name, task]) => [`${task.module}#${task.name}`, name]));
  const local = poolRun(options);
  const waiters = new Map<string, Waiter>();
  const shared = new Map<string, Promise<Answer>>();
  let [heard, refreshed, warned, closed] = [Date.now(), Date.now(), false, false];

  const settle = async (id: string, waiter: Waiter): Promise<boolean> => {
    const bytes = await redis.getBuffer(answerKey(id));
    if (!bytes) return false;
    try {
      waiter.resolve(unpack(bytes, new Map()) as Answer);
    } catch {
      // written by nobody of ours: it is computed again, but not for ever
      waiter.unreadable += 1;
      if (waiter.unreadable > mostUnreadable)
        waiter.reject(new FinitewidthError("the answers in the queue cannot be read", { code: "worker" }));
      await redis.del(answerKey(id));
      return false;
    }
    return true;
  };
  const submit = async (id: string, { message, shared: arrays }: Waiter): Promise<void> => {
    await keepShared(redis, arrays);
    const opts = { jobId: id, attempts: 5, backoff: { type: "exponential", delay: 500 }, removeOnComplete: true, removeOnFail: true };
    await queue.addBulk([{ name: jobName, data: message, opts }]);
  };
  events.on("completed", ({ jobId }) => {
    heard = Date.now();
    const waiter = waiters.get(jobId);
    if (waiter) settle(jobId, waiter).catch(() => undefined);
  });
  events.on("failed", ({ jobId, failedReason }) => {
    heard = Date.now();
    waiters.get(jobId)?.reject(new FinitewidthError(`a worker of the queue: ${failedReason}`, { code: "worker" }));
  });
  events.on("progress", ({ jobId, data }) => {
    heard = Date.now();
    const waiter = waiters.get(jobId);
    if (waiter && typeof data === "number") waiter.fraction = Math.min(1, Math.max(0, data));
  });

  /** Events may be lost: what has an answer is taken, what is not in the queue is put there again. */
  const look = async (): Promise<void> => {
    const refresh = Date.now() - refreshed > refreshEvery;
    if (refresh) refreshed = Date.now();
    for (const [id, waiter] of waiters) {
      if (closed) return;
      if (refresh) await keepShared(redis, waiter.shared);
      if (await settle(id, waiter)) continue;
      if ((await queue.getJobState(id)) === "unknown" && waiters.has(id) && !(await settle(id, waiter))) await submit(id, waiter);
    }
    if (waiters.size > 0 && !warned && Date.now() - heard > silence && (await queue.getWorkersCount()) === 0) {
      warned = true;
      say(`no worker is listening at ${address.shown}; start one: finitewidth worker --queue ${address.shown}`);
    }
  };
  let looking = false;
  const timer = setInterval(() => {
    if (looking) return;
    looking = true;
    look()
      .catch(() => undefined)
      .finally(() => (looking = false));
  }, lookEvery);

  /** The answer to a message; two chunks that are the same are one job. */
  const ask = (message: Message, arrays: Waiter["shared"]): { readonly id: string; readonly answer: Promise<Answer> } => {
    const id = idOf(message);
    const earlier = shared.get(id);
    if (earlier) return { id, answer: earlier };
    const answer = new Promise<Answer>((resolve, reject) => {
      const waiter: Waiter = { message, shared: arrays, fraction: 0, unreadable: 0, resolve, reject };
      waiters.set(id, waiter);
      // what an earlier producer has left behind is taken
      settle(id, waiter)
        .then((there) => (there ? undefined : submit(id, waiter)))
        .catch(reject);
    }).finally(() => {
      waiters.delete(id);
      shared.delete(id);
      const left = [...arrays.keys()].filter((hash) => ![...waiters.values()].some((other) => other.shared.has(hash)));
      leaveShared(redis, left).catch(() => undefined);
    });
    answer.catch(() => undefined);
    shared.set(id, answer);
    return { id, answer };
  };
  const give = places(window);

  /** Takes chunks out of the queue, and tells workers that have begun them. */
  const giveUp = async (ids: readonly string[]): Promise<void> => {
    if (ids.length === 0) return;
    await redis.publish(cancelChannel, JSON.stringify(ids));
    await Promise.all(ids.map((id) => queue.remove(id).catch(() => 0)));
  };

  const map = async function* <A, B>(
    task: Task<A, B>,
    chunks: readonly A[],
    settled?: (index: number, value: B) => Promise<void>,
  ): AsyncIterable<B> {
    signal?.throwIfAborted();
    if (closed) throw new FinitewidthError("the queue is closed", { code: "worker" });
    const name = names.get(`${task.module}#${task.name}`);
    if (name === undefined) return yield* local.map(task, chunks, settled);
    const stop = new AbortController();
    const abort = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const aborted = new Promise<never>((_, reject) => abort.addEventListener("abort", () => reject(abort.reason), { once: true }));
    aborted.catch(() => undefined);
    const asked = new Set<string>();
    let done = 0;
    const report = (): void => {
      let partial = 0;
      for (const id of asked) partial += waiters.get(id)?.fraction ?? 0;
      onProgress?.(done + partial, chunks.length, task.name);
    };
    const ticker = setInterval(report, 1000);
    const runChunk = (chunk: A, index: number): Promise<B> =>
      give(async () => {
        abort.throwIfAborted();
        const { bytes, shared: arrays } = pack(chunk);
        const message = { protocol, task: name, versions, chunk: bytes.toString("base64"), shared: [...arrays.keys()] };
        const { id, answer } = ask(message, arrays);
        asked.add(id);
        const found = await Promise.race([answer, aborted]);
        if (!found.ok) throw restoreError(found.error);
        await settled?.(index, found.value as B);
        await redis.del(answerKey(id));
        asked.delete(id);
        done += 1;
        return found.value as B;
      });
    const results = chunks.map((chunk, index) => runChunk(chunk, index));
    for (const result of results) result.catch(() => undefined);
    try {
      for (const result of results) {
        yield await result;
        report();
      }
    } finally {
      clearInterval(ticker);
      stop.abort(new FinitewidthError("the results of this map are no longer wanted", { code: "worker" }));
      await Promise.race([giveUp([...asked]).catch(() => undefined), new Promise((resolve) => setTimeout(resolve, 300))]);
    }
  };

  return {
    registry,
    seed,
    concurrency,
    ...(signal ? { signal } : {}),
    ...(onProgress ? { onProgress } : {}),
    map,
    async close() {
      closed = true;
      clearInterval(timer);
      local.close();
      const gone = new FinitewidthError("the queue was closed", { code: "worker" });
      for (const waiter of waiters.values()) waiter.reject(gone);
      const quietly = Promise.allSettled([events.close(), queue.close()]);
      await Promise.race([quietly, new Promise((resolve) => setTimeout(resolve, 300))]);
      redis.disconnect();
    },
  };
}

/** At most so many actions at a time, the others in the order in which they were asked for. */
function places(count: number): <T>(action: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let free = count;
  return async (action) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await action();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
