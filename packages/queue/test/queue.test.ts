import { createRegistry, type Task } from "@finitewidth/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { pack, unpack } from "../src/codec.js";
import { queueAddress, queueRun, serveQueue, type QueueRun, type QueueRunOptions, type QueueWorker } from "../src/index.js";
import { idOf, protocol, type Message } from "../src/message.js";
import { memoryEngine } from "./memory-engine.js";
import { busy, double, fails, own, plugin } from "./tasks.js";

let memory = memoryEngine();
vi.mock("../src/engine.js", async (actual) => ({ ...(await actual<object>()), loadEngine: async () => memory.engine }));

const registry = createRegistry([plugin]);
const versions = { finitewidth: "1.0.0" };
const address = queueAddress("redis://me:secret@host:7000/2", {});
const said: string[] = [];
const say = (sentence: string): void => void said.push(sentence);
const open: { close(): Promise<void> }[] = [];
const opened = <T extends { close(): Promise<void> }>(one: T): T => (open.push(one), one);
const run = async (more: Partial<QueueRunOptions> = {}): Promise<QueueRun> =>
  opened(await queueRun({ registry, address, versions, say, workers: 0, ...more }));
const work = async (concurrency = 1): Promise<QueueWorker> => opened(await serveQueue({ address, registry, versions, concurrency, say }));
const collect = async <A, B>(one: QueueRun, task: Task<A, B>, chunks: readonly A[], settled?: (i: number, value: B) => Promise<void>) => {
  const out: B[] = [];
  for await (const result of one.map(task, chunks, settled)) out.push(result);
  return out;
};
const until = (condition: () => boolean) => vi.waitFor(() => expect(condition()).toBe(true), { timeout: 30_000, interval: 5 });
const messageOf = (task: string, chunk: unknown): Message => {
  const { bytes, shared } = pack(chunk);
  return { protocol, task, versions, chunk: bytes.toString("base64"), shared: [...shared.keys()] };
};
const answers = (): string[] => [...memory.store.keys()].filter((key) => key.startsWith("finitewidth:answer:"));

beforeEach(() => {
  memory = memoryEngine();
  said.length = 0;
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
});

describe("a run on a queue", () => {
  it("gives results in the order of the chunks, told as they settle, equal chunks once, large arrays once; nothing is left behind", async () => {
    const large = Float64Array.from({ length: 5000 }, (_, i) => i / 2);
    const chunks = [{ value: 1, large }, { value: 2 }, { value: 1, large }, { value: 3, large }];
    const [queued, settled, progress] = [await run({ seed: 9, onProgress: (done, total, name) => void progress.push([done, total, name]) }), [], []] as [QueueRun, [number, unknown][], unknown[]]; // prettier-ignore
    expect([queued.seed, queued.concurrency]).toEqual([9, 32]);
    const results = collect(queued, double, chunks, async (i, value) => void settled.push([i, value.twice]));
    await until(() => memory.jobs.size === 3);
    // ids are what is computed, for any producer
    expect([...memory.jobs.keys()].toSorted()).toEqual([0, 1, 3].map((i) => idOf(messageOf("test#double", chunks[i]))).toSorted());
    const shared = [...memory.lives].filter(([key]) => key.startsWith("finitewidth:shared:"));
    expect(shared.map(([, life]) => life)).toEqual([900]);
    expect([...memory.jobs.values()].map(({ name, opts }) => [name, opts])).toEqual(
      [...memory.jobs.keys()].map((jobId) => [
        "chunk",
        { jobId, attempts: 5, backoff: { type: "exponential", delay: 500 }, removeOnComplete: true, removeOnFail: true },
      ]),
    );
    await work(2);
    expect(await results).toEqual([1, 2, 1, 3].map((value, i) => ({ twice: 2 * value, ...(i === 1 ? {} : { last: Float64Array.of(2499.5) }) }))); // prettier-ignore
    expect(settled.toSorted(([a], [b]) => a - b)).toEqual([[0, 2], [1, 4], [2, 2], [3, 6]]); // prettier-ignore
    expect(progress.at(-1)).toEqual([4, 4, "double"]);
    expect([memory.jobs.size, answers()]).toEqual([0, []]);
    // whoever needs them no more lets them go in a minute
    await until(() => memory.lives.get(shared[0]![0]) === 60);
    expect(said).toEqual([]);
  });

  it("takes an answer that is there already, and asks again where it cannot be read", async () => {
    const [known, broken] = [5, 6].map((value) => `finitewidth:answer:${idOf(messageOf("test#double", { value }))}`);
    memory.store.set(known!, pack({ ok: true, value: { twice: 77 } }).bytes);
    memory.store.set(broken!, Buffer.of(0xc1));
    const results = collect(await run(), double, [{ value: 5 }, { value: 6 }]);
    await until(() => memory.jobs.size === 1);
    await work();
    expect(await results).toEqual([{ twice: 77 }, { twice: 12 }]);
  });

  it("ends with the error of a task as it was thrown, with that of a worker by its name, and takes back what nobody needs", async () => {
    const queued = await run();
    await work();
    await expect(collect(queued, fails, [3])).rejects.toMatchObject({ code: "input", path: "network.widths[3]" });
    expect(memory.jobs.size).toBe(0);
    const other = await run({ versions: { finitewidth: "2" } });
    await expect(collect(other, double, [{ value: 1 }])).rejects.toThrow(
      "a worker of the queue: refused: it needs finitewidth 2; this worker has 1.0.0",
    );
    expect(said[0]).toMatch(/^refused [0-9a-f]{40}: it needs finitewidth 2; this worker has 1\.0\.0$/);
    await open[1]!.close();
    const controller = new AbortController();
    const waiting = collect(await run({ signal: controller.signal }), double, [{ value: 1 }, { value: 2 }]);
    await until(() => memory.jobs.size === 2);
    controller.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    await until(() => memory.jobs.size === 0);
  });

  it("puts so many chunks into the queue at a time, the next when one is done", async () => {
    const queued = await run();
    const map = queued.map(double, Array.from({ length: 300 }, (_, value) => ({ value })))[Symbol.asyncIterator](); // prettier-ignore
    const first = map.next();
    await until(() => memory.jobs.size === 256);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(memory.jobs.size).toBe(256);
    const [id] = [...memory.jobs.keys()];
    const [chunk] = [...memory.jobs.values()].map(({ data }) => unpack(Buffer.from((data as Message).chunk, "base64"), new Map()));
    expect(chunk).toEqual({ value: 0 });
    memory.jobs.delete(id!);
    memory.store.set(`finitewidth:answer:${id}`, pack({ ok: true, value: "first" }).bytes);
    memory.tell("completed", { jobId: id });
    expect(await first).toEqual({ done: false, value: "first" });
    await until(() => memory.jobs.size === 256);
    await map.return?.(undefined);
  });

  it("of a task that nobody declares is computed here; closed, it computes nothing", async () => {
    const queued = await run();
    expect(await collect(queued, own, [1, 2])).toEqual([-1, -2]);
    expect(memory.jobs.size).toBe(0);
    const waiting = collect(queued, double, [{ value: 1 }]);
    await until(() => memory.jobs.size === 1);
    await queued.close();
    await expect(waiting).rejects.toThrow("the queue was closed");
    await expect(collect(queued, double, [{ value: 1 }])).rejects.toThrow("the queue is closed");
  });
});

describe("looks at what is under way", () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "Date"] }));
  afterEach(() => void vi.useRealTimers());

  it("put back what Redis has forgotten, and say that nobody is listening, once", async () => {
    const results = collect(await run(), double, [{ value: 4 }]);
    await until(() => memory.jobs.size === 1);
    memory.jobs.clear();
    await vi.advanceTimersByTimeAsync(2000);
    await until(() => memory.jobs.size === 1);
    expect(said).toEqual([]);
    for (let i = 0; i < 4; i++) await vi.advanceTimersByTimeAsync(2000);
    const url = "redis://host:7000/2";
    await until(() => said.length > 0);
    expect(said).toEqual([`no worker is listening at ${url}; start one: finitewidth worker --queue ${url}`]);
    const [id] = [...memory.jobs.keys()];
    // an answer whose event was lost is found
    memory.jobs.clear();
    memory.store.set(`finitewidth:answer:${id}`, pack({ ok: true, value: 1 }).bytes);
    await vi.advanceTimersByTimeAsync(2000);
    expect(await results).toEqual([1]);
  });

  it("keep the large arrays of what is under way alive, every twenty seconds", async () => {
    const results = collect(await run(), double, [{ value: 1, large: new Float64Array(5000) }]);
    results.catch(() => undefined);
    await until(() => memory.jobs.size === 1);
    const [key] = [...memory.store.keys()].filter((name) => name.startsWith("finitewidth:shared:"));
    memory.store.delete(key!);
    memory.lives.clear();
    for (let i = 0; i < 9; i++) await vi.advanceTimersByTimeAsync(2000);
    expect(memory.store.has(key!)).toBe(false);
    for (let i = 0; i < 2; i++) await vi.advanceTimersByTimeAsync(2000);
    await until(() => memory.store.has(key!));
    expect(memory.lives.get(key!)).toBe(900);
  });

  it("are not for ever where answers cannot be read", async () => {
    const results = collect(await run(), double, [{ value: 4 }]);
    let ended = false;
    results.catch(() => (ended = true));
    await until(() => memory.jobs.size === 1);
    const [id] = [...memory.jobs.keys()];
    for (let i = 0; i < 4; i++) {
      expect(ended).toBe(false);
      memory.store.set(`finitewidth:answer:${id}`, Buffer.of(0xc1));
      await vi.advanceTimersByTimeAsync(2000);
      await until(() => answers().length === 0);
    }
    await expect(results).rejects.toThrow("the answers in the queue cannot be read");
  });
});

describe("a worker of a queue", () => {
  const failures: Record<string, string> = {};
  const put = async (id: string, data: unknown, name = "chunk", timestamp = Date.now()): Promise<void> => {
    memory.add(id, name, data, { attempts: 1 }, timestamp);
    await until(() => !memory.jobs.has(id));
    failures[id] = said.at(-1) ?? "";
  };

  it("keeps answers for a day, computes nothing twice, and refuses what it does not understand", async () => {
    await work();
    await put("good", messageOf("test#double", { value: 4 }));
    expect(unpack(memory.store.get("finitewidth:answer:good")!, new Map())).toEqual({ ok: true, value: { twice: 8 } });
    expect(memory.lives.get("finitewidth:answer:good")).toBe(86_400);
    memory.store.set("finitewidth:answer:there", Buffer.of(1));
    await put("there", messageOf("test#double", { value: 4 }));
    expect(memory.store.get("finitewidth:answer:there")).toEqual(Buffer.of(1));
    await put("error", messageOf("test#fails", 2));
    expect(unpack(memory.store.get("finitewidth:answer:error")!, new Map())).toMatchObject({
      ok: false,
      error: { name: "FinitewidthError", details: { code: "input", path: "network.widths[2]" } },
    });
    expect(said).toEqual([]);
    await put("a", messageOf("test#double", { value: 4 }), "other");
    await put("b", messageOf("test#own", 4));
    await put("c", messageOf("test#double", { value: 4 }), "chunk", Date.now() - 86_500_000);
    await put("d", { ...messageOf("test#double", 4), chunk: "wQ==" });
    await put("e", { ...messageOf("test#double", 4), shared: ["f".repeat(64)] });
    const { bytes, shared } = pack({ value: 1, large: new Float64Array(5000) });
    const [hash] = [...shared.keys()];
    const message = { ...messageOf("test#double", 0), chunk: bytes.toString("base64"), shared: [hash] };
    memory.store.set(`finitewidth:shared:${hash}`, Buffer.of(4, 1));
    await put("f", message);
    expect(failures).toMatchObject({
      a: "refused a: it is no chunk",
      b: 'refused b: the task "test#own" is of no package that this worker allows',
      c: "refused c: it is too old",
      d: expect.stringMatching(/^refused d: its chunk cannot be read/) as string,
      e: "e failed: an array that this message needs is not in the queue any more",
      f: "refused f: an array is not what its hash says",
    });
    memory.store.set(`finitewidth:shared:${hash}`, shared.get(hash!)!);
    await put("g", message);
    expect(unpack(memory.store.get("finitewidth:answer:g")!, new Map())).toEqual({
      ok: true,
      value: { twice: 2, last: Float64Array.of(0) },
    });
  });

  it("stops what nobody wants any more, and puts back what it had begun when it ends", async () => {
    const worker = await work();
    const queued = await run();
    const map = collect(queued, busy, [1]);
    map.catch(() => undefined);
    await until(() => [...memory.jobs.values()].some(({ state }) => state === "active"));
    await queued.close();
    await expect(map).rejects.toThrow("the queue was closed");
    await until(() => memory.jobs.size === 0);
    memory.add("kept", "chunk", messageOf("test#busy", 1));
    await until(() => memory.jobs.get("kept")?.state === "active");
    await worker.close();
    await until(() => memory.jobs.get("kept")?.state === "waiting");
    expect(answers()).toEqual([]);
  });

  it("and its run connect with the options of the address, which wait for Redis to come back, and say when they lose it", async () => {
    await run();
    await opened(await serveQueue({ address, registry, versions, concurrency: 3, say, patience: 5000 }));
    const own = { host: "host", port: 7000, username: "me", password: "secret", db: 2, maxRetriesPerRequest: null };
    const of = (what: string) => memory.made.filter((one) => one.what === what).map(({ options }) => options);
    const connection = expect.objectContaining(own) as unknown;
    expect(of("Queue chunks")).toEqual([{ connection, prefix: "finitewidth", streams: { events: { maxLen: 2000 } } }]);
    expect(of("QueueEvents chunks")).toEqual([{ connection, prefix: "finitewidth" }]);
    expect(of("Worker chunks")).toEqual([{ connection, prefix: "finitewidth", concurrency: 3, lockDuration: 5000, stalledInterval: 2500, maxStalledCount: 10 }]); // prettier-ignore
    expect(of("Redis")).toHaveLength(3);
    for (const options of of("Redis")) {
      expect(options).toMatchObject({ ...own, lazyConnect: true, connectTimeout: 5000 });
      expect(options).not.toHaveProperty("shown");
      const retry = options["retryStrategy"] as (attempt: number) => number | null;
      expect([1, 2, 3, 4, 5, 50].map(retry)).toEqual([200, 400, 800, 1600, 2000, 2000]);
    }
    const [first] = [...memory.wires];
    for (const event of ["close", "close", "ready", "ready"]) first!.emit(event);
    expect(said).toEqual(["redis://host:7000/2: connection lost; waiting for it to come back", "redis://host:7000/2: connected again"]);
    memory.refuse("connect ECONNREFUSED");
    await expect(run()).rejects.toMatchObject({
      code: "input",
      path: "--queue",
      message: "--queue: redis://host:7000/2 cannot be reached (connect ECONNREFUSED)",
    });
    const again = memory.made.at(-1)!.options["retryStrategy"] as (attempt: number) => number | null;
    expect(again(1)).toBeNull();
  });
});
