import { printable, type Registry, type Task } from "@finitewidth/core";
import { poolRun, recordError, type PoolOptions } from "@finitewidth/workers";
import type { QueueAddress } from "./address.js";
import { pack, unpack } from "./codec.js";
import { connect, connectionOptions, loadEngine, prefix, queueName, type Job, type Redis } from "./engine.js";
import {
  answerKey,
  cancelChannel,
  expiry,
  isTooOld,
  jobName,
  loadShared,
  readMessage,
  Refusal,
  tasksByName,
  type Answer,
} from "./message.js";

/** Options of a worker. */
export interface QueueWorkerOptions {
  readonly address: QueueAddress;
  /** Whose tasks may be asked for, and who computes them. */
  readonly registry: Registry;
  readonly versions: Readonly<Record<string, string>>;
  /** Tasks that no plug-in declares, by their package. */
  readonly tasks?: Readonly<Record<string, readonly Task<never, unknown>[]>>;
  /** Chunks at a time, each in a thread of its own. */
  readonly concurrency: number;
  readonly say?: (sentence: string) => void;
  /** Preparation of its threads. */
  readonly pool?: Pick<PoolOptions, "prepare" | "spawn">;
  /** Milliseconds without a sign of life after which a worker counts as lost. @defaultValue 30000 */
  readonly patience?: number;
}

/** A worker that is listening. */
export interface QueueWorker {
  /** Stops listening; what is under way goes back into the queue. */
  close(): Promise<void>;
}

/**
 * Computes chunks of a queue until it is closed. A message holds names and data only: tasks are looked up among those of the registry's
 * plug-ins, nothing that a message names is imported, and what is not understood is refused and told. Chunks run in threads, so that the
 * signs of life go on. @throws FinitewidthError (code "input") when Redis cannot be reached, or BullMQ is not installed.
 */
export async function serveQueue(options: QueueWorkerOptions): Promise<QueueWorker> {
  const { address, registry, versions, tasks = {}, concurrency, say = () => undefined, patience = 30_000 } = options;
  const engine = await loadEngine();
  const redis = await connect(engine, address, say);
  const orders = await connect(engine, address, () => undefined);
  const known = tasksByName(registry.plugins, tasks);
  const pool = poolRun({ registry, workers: concurrency, ...options.pool });
  const running = new Map<string, AbortController>();
  let closing = false;

  await orders.subscribe(cancelChannel);
  orders.on("message", (_channel, text) => {
    for (const id of idsIn(text)) running.get(id)?.abort(new Cancelled("nobody wants it any more"));
  });

  const compute = async (job: Job): Promise<void> => {
    if (job.name !== jobName) throw new Refusal("it is no chunk");
    const message = readMessage(job.data, versions);
    const task = known.get(message.task);
    if (!task) throw new Refusal(`the task ${JSON.stringify(message.task)} is of no package that this worker allows`);
    if (isTooOld(job.timestamp, Date.now())) throw new Refusal("it is too old");
    if ((await redis.exists(answerKey(job.id))) > 0) return;
    const arrays = await loadShared(redis, message.shared);
    let chunk: unknown;
    try {
      chunk = unpack(Buffer.from(message.chunk, "base64"), arrays);
    } catch (error) {
      throw new Refusal(`its chunk cannot be read (${(error as Error).message})`);
    }
    const controller = new AbortController();
    running.set(job.id, controller);
    let told = Date.now();
    const onProgress = (done: number): void => {
      if (Date.now() - told < 1000) return;
      told = Date.now();
      job.updateProgress(done).catch(() => undefined);
    };
    try {
      await keepAnswer(
        redis,
        job.id,
        await answerOf(
          pool.map(task as Task<unknown, unknown>, [chunk], undefined, { signal: controller.signal, onProgress }),
          controller.signal,
        ),
      );
    } finally {
      running.delete(job.id);
    }
  };
  const process = async (job: Job, token?: string): Promise<string> => {
    try {
      await compute(job);
      return "";
    } catch (error) {
      if (error instanceof Refusal) {
        say(printable(`refused ${job.id}: ${error.message}`, 400));
        throw new engine.UnrecoverableError(`refused: ${printable(error.message, 400)}`);
      }
      if (error instanceof Cancelled) {
        if (!closing) throw new engine.UnrecoverableError("cancelled");
        await job.moveToWait(token);
        throw new engine.WaitingError();
      }
      throw error;
    }
  };
  const worker = new engine.Worker(queueName, process, {
    connection: connectionOptions(address),
    prefix,
    concurrency,
    lockDuration: patience,
    stalledInterval: patience / 2,
    maxStalledCount: 10,
  });
  worker.on("error", () => undefined);
  worker.on("failed", (job, error) => {
    if (!/^refused: |^cancelled$/.test(error.message)) say(printable(`${job?.id ?? "a chunk"} failed: ${error.message}`, 400));
  });
  worker.on("stalled", (id) => say(`${id}: its worker is gone; it is computed again`));
  await worker.waitUntilReady();

  return {
    async close() {
      closing = true;
      for (const controller of running.values()) controller.abort(new Cancelled("the worker ends"));
      await Promise.race([worker.close(), new Promise((resolve) => setTimeout(resolve, 2000))]);
      pool.close();
      orders.disconnect();
      redis.disconnect();
    },
  };
}

class Cancelled extends Error {}

/** What came of the only chunk of a map. @throws when the worker is at fault, not the chunk. */
async function answerOf(results: AsyncIterable<unknown>, signal: AbortSignal): Promise<Answer> {
  try {
    for await (const value of results) return { ok: true, value };
    throw new Error("a map of one chunk yields one result");
  } catch (error) {
    signal.throwIfAborted();
    if ((error as { code?: string }).code === "worker") throw error;
    return { ok: false, error: recordError(error) };
  }
}

async function keepAnswer(redis: Redis, id: string, answer: Answer): Promise<void> {
  let packed;
  try {
    packed = pack(answer, true);
  } catch (error) {
    packed = pack({ ok: false, error: recordError(error) } satisfies Answer, true);
  }
  await redis.set(answerKey(id), packed.bytes, "EX", expiry);
}

function idsIn(text: string): readonly string[] {
  try {
    const ids = JSON.parse(text) as unknown;
    return Array.isArray(ids) ? ids.filter((id) => typeof id === "string") : [];
  } catch {
    return [];
  }
}
