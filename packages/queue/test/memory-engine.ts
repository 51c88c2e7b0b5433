import { EventEmitter } from "node:events";
import type { Engine, Job } from "../src/engine.js";

interface Kept {
  readonly id: string;
  readonly name: string;
  readonly data: unknown;
  readonly opts: { readonly attempts: number };
  readonly timestamp: number;
  state: "waiting" | "active";
  made: number;
}
const later = (action: () => void): void => void setTimeout(action, 1);

/** BullMQ and ioredis as far as they are used, in memory: what was asked of them can be looked at, and jobs be put in by hand. */
export function memoryEngine() {
  const store = new Map<string, Buffer>();
  /** Seconds that keys were given at last. */
  const lives = new Map<string, number>();
  const jobs = new Map<string, Kept>();
  const told = new EventEmitter();
  const wires = new Set<EventEmitter>();
  const workers = new Set<{ take(): void }>();
  const made: { readonly what: string; readonly options: Record<string, unknown> }[] = [];
  let refused: string | undefined;
  const offer = (): void => workers.forEach((worker) => later(() => worker.take()));

  class UnrecoverableError extends Error {}
  class WaitingError extends Error {}
  class Redis extends EventEmitter {
    readonly channels = new Set<string>();
    constructor(options: object) {
      super();
      made.push({ what: "Redis", options: options as Record<string, unknown> });
      wires.add(this);
    }
    connect = async (): Promise<void> => {
      if (refused === undefined) return;
      this.emit("error", new Error(refused));
      throw new Error("Connection is closed.");
    };
    disconnect(): void {
      wires.delete(this);
      this.emit("close");
    }
    ping = async (): Promise<string> => "PONG";
    get = async (key: string): Promise<string | null> => store.get(key)?.toString() ?? null;
    getBuffer = async (key: string): Promise<Buffer | null> => store.get(key) ?? null;
    set = async (key: string, value: Buffer, _mode: "EX", seconds: number): Promise<void> => {
      store.set(key, value);
      lives.set(key, seconds);
    };
    expire = async (key: string, seconds: number): Promise<number> => (store.has(key) ? (lives.set(key, seconds), 1) : 0);
    exists = async (...keys: string[]): Promise<number> => keys.filter((key) => store.has(key)).length;
    del = async (...keys: string[]): Promise<number> => keys.filter((key) => store.delete(key)).length;
    publish = async (channel: string, message: string): Promise<number> => {
      for (const wire of wires) if ((wire as Redis).channels.has(channel)) wire.emit("message", channel, message);
      return 1;
    };
    subscribe = async (channel: string): Promise<void> => void this.channels.add(channel);
  }
  const add = (id: string, name: string, data: unknown, opts = { attempts: 1 }, timestamp = Date.now()): void => {
    // another of the same id changes nothing
    if (!jobs.has(id)) jobs.set(id, { id, name, data: structuredClone(data), opts, timestamp, state: "waiting", made: 0 });
    offer();
  };
  class Queue extends EventEmitter {
    constructor(name: string, options: object) {
      super();
      made.push({ what: `Queue ${name}`, options: options as Record<string, unknown> });
    }
    addBulk = async (list: readonly { name: string; data: object; opts: object }[]): Promise<void> => {
      for (const { name, data, opts } of list) add((opts as { jobId: string }).jobId, name, data, opts as never);
    };
    getJobState = async (id: string): Promise<string> => jobs.get(id)?.state ?? "unknown";
    remove = async (id: string): Promise<number> => (jobs.get(id)?.state === "waiting" && jobs.delete(id) ? 1 : 0);
    getWorkersCount = async (): Promise<number> => workers.size;
    close = async (): Promise<void> => undefined;
  }
  class QueueEvents extends EventEmitter {
    constructor(name: string, options: object) {
      super();
      made.push({ what: `QueueEvents ${name}`, options: options as Record<string, unknown> });
      for (const event of ["completed", "failed", "progress"]) told.on(event, (what: unknown) => later(() => this.emit(event, what)));
    }
    waitUntilReady = async (): Promise<void> => undefined;
    close = async (): Promise<void> => void told.removeAllListeners();
  }
  class Worker extends EventEmitter {
    readonly #processor: (job: Job, token?: string) => Promise<unknown>;
    #free: number;
    constructor(name: string, processor: (job: Job, token?: string) => Promise<unknown>, options: { readonly concurrency: number }) {
      super();
      this.#processor = processor;
      made.push({ what: `Worker ${name}`, options: { ...options } });
      this.#free = options.concurrency;
      workers.add(this);
      offer();
    }
    take(): void {
      for (const job of jobs.values()) {
        if (this.#free === 0 || !workers.has(this)) return;
        if (job.state !== "waiting") continue;
        this.#free--;
        void this.#work(job).finally(() => {
          this.#free++;
          offer();
        });
      }
    }
    async #work(kept: Kept): Promise<void> {
      kept.state = "active";
      kept.made++;
      const { id, name, data, timestamp } = kept;
      const job: Job = {
        id,
        name,
        data,
        timestamp,
        updateProgress: async (progress) => void told.emit("progress", { jobId: id, data: progress }),
        moveToWait: async () => void (kept.state = "waiting"),
      };
      try {
        await this.#processor(job, "token");
        jobs.delete(id);
        told.emit("completed", { jobId: id });
      } catch (error) {
        if (error instanceof WaitingError) return;
        const last = error instanceof UnrecoverableError || kept.made >= kept.opts.attempts;
        if (last) {
          jobs.delete(id);
          told.emit("failed", { jobId: id, failedReason: (error as Error).message });
        } else kept.state = "waiting";
        this.emit("failed", job, error);
      }
    }
    waitUntilReady = async (): Promise<void> => undefined;
    close = async (): Promise<void> => void workers.delete(this);
  }
  const engine = { Redis, Queue, QueueEvents, Worker, UnrecoverableError, WaitingError } as unknown as Engine;
  const tell = (event: string, what: object): void => void told.emit(event, what);
  return { engine, store, lives, jobs, made, add, wires, tell, refuse: (reason: string | undefined) => void (refused = reason) };
}
