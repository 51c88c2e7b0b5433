import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { FinitewidthError } from "@finitewidth/core";
import type { QueueAddress } from "./address.js";

/** What is used of ioredis. */
export interface Redis {
  get(key: string): Promise<string | null>;
  getBuffer(key: string): Promise<Buffer | null>;
  set(key: string, value: Buffer, mode: "EX", seconds: number): Promise<unknown>;
  expire(key: string, seconds: number): Promise<number>;
  exists(...keys: string[]): Promise<number>;
  del(...keys: string[]): Promise<number>;
  ping(): Promise<string>;
  publish(channel: string, message: string): Promise<number>;
  subscribe(channel: string): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "ready" | "close", listener: () => void): unknown;
  on(event: "message", listener: (channel: string, message: string) => void): unknown;
  connect(): Promise<void>;
  disconnect(): void;
}

/** What is used of a job of BullMQ. */
export interface Job {
  readonly id: string;
  readonly name: string;
  readonly data: unknown;
  readonly timestamp: number;
  updateProgress(progress: number): Promise<void>;
  moveToWait(token?: string): Promise<unknown>;
}

/** What is used of a queue, its events and its workers. */
export interface Queue {
  addBulk(jobs: readonly { readonly name: string; readonly data: object; readonly opts: object }[]): Promise<unknown>;
  getJobState(id: string): Promise<string>;
  remove(id: string): Promise<number>;
  getWorkersCount(): Promise<number>;
  on(event: "error", listener: (error: Error) => void): unknown;
  close(): Promise<void>;
}
export interface QueueEvents {
  on(event: "completed", listener: (told: { readonly jobId: string }) => void): unknown;
  on(event: "failed", listener: (told: { readonly jobId: string; readonly failedReason: string }) => void): unknown;
  on(event: "progress", listener: (told: { readonly jobId: string; readonly data: unknown }) => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(): Promise<void>;
}
export interface Worker {
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "failed", listener: (job: Job | undefined, error: Error) => void): unknown;
  on(event: "stalled", listener: (id: string) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  close(force?: boolean): Promise<void>;
}

/** BullMQ and ioredis. */
export interface Engine {
  readonly Redis: new (options: object) => Redis;
  readonly Queue: new (name: string, options: object) => Queue;
  readonly QueueEvents: new (name: string, options: object) => QueueEvents;
  readonly Worker: new (name: string, processor: (job: Job, token?: string) => Promise<unknown>, options: object) => Worker;
  readonly UnrecoverableError: new (message: string) => Error;
  readonly WaitingError: new (message?: string) => Error;
}

/** Name of the queue, and what its keys begin with. */
export const queueName = "chunks";
export const prefix = "finitewidth";

/**
 * BullMQ and ioredis, installed by whoever uses a queue, beside this package or in the working directory. @throws FinitewidthError (code
 * "input") saying how to install them.
 */
export async function loadEngine(): Promise<Engine> {
  const load = async (name: string): Promise<Record<string, unknown>> => {
    for (const base of [import.meta.url, join(process.cwd(), "package.json")]) {
      try {
        const module = (await import(pathToFileURL(createRequire(base).resolve(name)).href)) as Record<string, unknown>;
        return { ...(module.default as Record<string, unknown> | undefined), ...module };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND") throw error;
      }
    }
    throw new FinitewidthError(`--queue: needs packages that are not installed here: npm install bullmq@6 ioredis@5`, {
      code: "input",
      path: "--queue",
    });
  };
  const [bullmq, ioredis] = [await load("bullmq"), await load("ioredis")];
  return { ...bullmq, Redis: ioredis.Redis } as unknown as Engine;
}

/** Milliseconds between attempts to reach Redis again. */
const pauseBetween = (attempt: number): number => Math.min(100 * 2 ** attempt, 2000);

/** Options of connections that wait for Redis to come back. */
export const connectionOptions = ({ shown: _shown, ...address }: QueueAddress): object => ({
  ...address,
  maxRetriesPerRequest: null,
  retryStrategy: pauseBetween,
});

/**
 * Connects; afterwards the connection comes back by itself whenever it is lost. @throws FinitewidthError (code "input") when Redis
 * cannot be reached at first, or does not let us in.
 */
export async function connect(engine: Engine, address: QueueAddress, say: (sentence: string) => void): Promise<Redis> {
  let open = false;
  let reason = "";
  const redis = new engine.Redis({
    ...connectionOptions(address),
    lazyConnect: true,
    connectTimeout: 5000,
    retryStrategy: (attempt: number) => (open ? pauseBetween(attempt) : null),
  });
  redis.on("error", (error) => (reason = error.message || String((error as NodeJS.ErrnoException).code)));
  try {
    await redis.connect();
    await redis.ping();
  } catch (cause) {
    redis.disconnect();
    const why = reason || (cause as Error).message;
    throw new FinitewidthError(`--queue: ${address.shown} cannot be reached (${why})`, { code: "input", path: "--queue" }, { cause });
  }
  open = true;
  let lost = false;
  redis.on("close", () => {
    if (open && !lost) say(`${address.shown}: connection lost; waiting for it to come back`);
    lost = true;
  });
  redis.on("ready", () => {
    if (lost) say(`${address.shown}: connected again`);
    lost = false;
  });
  const close = redis.disconnect.bind(redis);
  redis.disconnect = () => {
    open = false;
    close();
  };
  return redis;
}
