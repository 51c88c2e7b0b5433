import { MessageChannel } from "node:worker_threads";
import { createRegistry, FinitewidthError, type Plugin, type Task } from "@finitewidth/core";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  poolRun,
  recordError,
  restoreError,
  serve,
  type PoolOptions,
  type PoolRun,
  type ServeOptions,
  type WorkerHandle,
} from "../src/index.js";
import { bundles } from "../src/bundled.js";
import { nodeEndpoint } from "../src/node-endpoint.js";

const serving = Symbol.for("finitewidth.serving");
const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
  // this thread has served, but is no worker
  delete (globalThis as Record<symbol, unknown>)[serving];
});
/** Workers in this thread, given plug-ins and tasks; `die` ends those that there are. */
function inProcess(given: ServeOptions) {
  const deaths: ((reason: string) => void)[] = [];
  const held: boolean[] = [];
  let [started, terminated] = [0, 0];
  const spawn = (): WorkerHandle => {
    started++;
    const { port1, port2 } = new MessageChannel();
    serve(nodeEndpoint(port1), given);
    const close = (): void => [port1, port2].forEach((port) => port.close());
    open.push({ close });
    return {
      endpoint: nodeEndpoint(port2),
      terminate: () => void terminated++,
      onDeath: (callback) => void deaths.push(callback),
      hold: (alive) => void held.push(alive),
    };
  };
  return {
    spawn,
    held,
    die: (reason: string) => deaths.splice(0).forEach((tell) => tell(reason)),
    counts: () => ({ started, terminated }),
  };
}
const task = <A, B>(name: string, run: Task<A, B>["run"], module = "file:///none.js"): Task<A, B> => ({ module, name, run });
const names = task("names", (chunk: number, { registry }) => [chunk, ...registry.plugins.map(({ name }) => name)]);
const own: Plugin = { name: "own", module: "file:///own.js", tasks: [names as never] };
const pool = (options: Partial<PoolOptions>): PoolRun => {
  const run = poolRun({ registry: createRegistry([own]), workers: 1, ...options });
  open.push(run);
  return run;
};
const collect = async <A, B>(run: PoolRun, one: Task<A, B>, chunks: readonly A[], ...rest: unknown[]): Promise<B[]> => {
  const out: B[] = [];
  for await (const result of run.map(one, chunks, ...(rest as []))) out.push(result);
  return out;
};

describe("workers of one's own", () => {
  it("find what they were given by name, with the tasks of their plug-ins; what they were not given they load", async () => {
    const other = task("other", (chunk: number) => -chunk);
    const loaded: string[] = [];
    const load = async (address: string): Promise<unknown> => (
      loaded.push(address),
      { renamed: task("late", (chunk: number) => 10 * chunk) }
    );
    const { spawn, held } = inProcess({ plugins: [own], tasks: [other], load });
    const run = pool({ spawn, workers: 1 });
    expect(run.concurrency).toBe(1);
    expect(await collect(run, names, [1, 2])).toEqual([[1, "own"], [2, "own"]]); // prettier-ignore
    expect(await collect(run, other, [3])).toEqual([-3]);
    expect(loaded).toEqual([]);
    expect(await collect(run, { ...task("late", () => 0), module: "file:///late.js" }, [4, 5])).toEqual([40, 50]);
    // once; a worker that is idle does not keep the process alive
    expect(loaded).toEqual(["file:///late.js"]);
    expect(held.at(-1)).toBe(false);
    await expect(collect(run, { ...task("missing", () => 0), module: "file:///late.js" }, [1])).rejects.toThrow('file:///late.js: exports no task "missing"'); // prettier-ignore
  });

  it("without a plug-in of the run end it with the reason", async () => {
    const { spawn } = inProcess({ load: async () => Promise.reject(new Error("no such module")) });
    await expect(collect(pool({ spawn }), names, [1])).rejects.toMatchObject({
      code: "worker",
      message: expect.stringMatching(/^plug-in own: file:\/\/\/own\.js cannot be imported in a worker \(no such module\)/) as string,
    });
  });

  it.each([
    [2, undefined],
    [1, 'a worker died 2 times running the same part of "mortal" (struck)'],
  ])("are replaced when they die, %d times, and then the run ends", async (retries, message) => {
    let lives = 2;
    const mortal = task("mortal", async (chunk: number) => {
      if (lives-- > 0) {
        die("struck");
        await new Promise(() => undefined);
      }
      return chunk;
    });
    const { spawn, die, counts } = inProcess({ plugins: [own], tasks: [mortal] });
    const result = collect(pool({ spawn, retries }), mortal, [7]);
    if (message === undefined) expect(await result).toEqual([7]);
    else await expect(result).rejects.toMatchObject({ code: "worker", message });
    expect(counts().started).toBe(message === undefined ? 3 : 2);
  });

  it("move whole buffers of results and copy parts of others", async () => {
    const [whole, large] = [Float64Array.of(1, 2), Float64Array.of(3, 4, 5)];
    const both = task("both", () => ({ deep: [{ whole }], again: whole, part: large.subarray(1, 2), text: "t" }));
    const { spawn } = inProcess({ plugins: [own], tasks: [both] });
    const [found] = await collect(pool({ spawn }), both, [0]);
    expect(found).toEqual({ deep: [{ whole: Float64Array.of(1, 2) }], again: Float64Array.of(1, 2), part: Float64Array.of(4), text: "t" });
    expect([whole.length, large.length]).toEqual([0, 3]);
  });

  it("of a map hear of its own signal alone, which hears of its own progress alone", async () => {
    const { spawn } = inProcess({ plugins: [own] });
    const progress: [string, number, number][] = [];
    const run = pool({ spawn, onProgress: (done, total) => void progress.push(["all", done, total]) });
    const controller = new AbortController();
    controller.abort(new Error("not this one"));
    const onProgress = (done: number, total: number): void => void progress.push(["own", done, total]);
    const [cancelled, kept] = await Promise.allSettled([
      collect(run, names, [1], undefined, { signal: controller.signal }),
      collect(run, names, [2, 3], undefined, { onProgress }),
    ]);
    expect(cancelled).toMatchObject({ status: "rejected", reason: { message: "not this one" } });
    expect(kept).toMatchObject({ status: "fulfilled", value: [[2, "own"], [3, "own"]] }); // prettier-ignore
    expect(progress.filter(([whose]) => whose === "own").map(([, done, total]) => [done, total]).at(-1)).toEqual([2, 2]); // prettier-ignore
  });

  it("stop by themselves when they ask, so that their worker stays; what one has done is not counted for the next", async () => {
    const controller = new AbortController();
    const told: string[] = [];
    const asks = task("asks", async (_chunk: number, { tick }) => {
      tick(0.9);
      controller.abort(new Error("enough"));
      try {
        tick(0.95);
      } catch (error) {
        told.push((error as Error).message);
        throw error;
      }
    });
    const waits = task("waits", async (chunk: number) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return chunk;
    });
    const { spawn, counts } = inProcess({ plugins: [own], tasks: [asks, waits] });
    const progress: number[] = [];
    const run = pool({ spawn, onProgress: (done) => void progress.push(done) });
    await expect(collect(run, asks, [1], undefined, { signal: controller.signal })).rejects.toThrow("enough");
    expect(told).toEqual(["finitewidth: cancelled"]);
    progress.length = 0;
    expect(await collect(run, waits, [2])).toEqual([2]);
    expect(new Set(progress)).toEqual(new Set([0, 1]));
    expect(counts()).toEqual({ started: 1, terminated: 0 });
  });
});

describe("where workers cannot reach a plug-in or task", () => {
  it.each<[string, Plugin[], string]>([
    ["without a module", [{ name: "bare" }], "bare has no module that a worker could import"],
    ["in a bundle", [{ name: "a", module: "file:///b.js" }, { name: "c", module: "file:///b.js" }], "a has no module that a worker could import"], // prettier-ignore
  ])("%s, chunks are computed here in order, told once why", async (_what, plugins, reason) => {
    const reasons: string[] = [];
    const progress: number[] = [];
    const settled: [number, number][] = [];
    const run = pool({
      registry: createRegistry(plugins),
      onFallback: (why) => void reasons.push(why),
      onProgress: (done, total) => void progress.push(done / total),
    });
    const order: number[] = [];
    const one = task("one", (chunk: number) => (order.push(chunk), 2 * chunk));
    expect(await collect(run, one, [3, 1, 2], async (i: number, value: number) => void settled.push([i, value]))).toEqual([6, 2, 4]);
    expect([order, reasons, progress.at(-1)]).toEqual([[3, 1, 2], [reason], 1]);
    expect(settled).toEqual([[0, 6], [1, 2], [2, 4]]); // prettier-ignore
  });

  it("Node warns, once for a pool, when nobody else is told", async () => {
    const warned = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
    const run = pool({ registry: createRegistry([{ name: "bare" }]) });
    const one = task("one", (chunk: number) => 2 * chunk);
    for (const chunks of [[1, 2], [3]]) await collect(run, one, chunks);
    const told = warned.mock.calls.map(([text]) => text);
    warned.mockRestore();
    expect(told).toEqual([expect.stringMatching(/computing in one thread \(bare has no module/)]);
  });

  it("modules that several share, and this one, are bundles", () => {
    const found = bundles(["a", "b", "a", "c"]);
    expect([found.has("a"), found.has("b"), found.size]).toEqual([true, false, 2]);
  });
});

it("errors cross as plain data and come back with class, code, path and stack", () => {
  const ours = new FinitewidthError("x: expected y, got z", { code: "shape", path: "x", expected: "y", received: "z" });
  for (const error of [ours, new RangeError("r"), new TypeError("t"), new SyntaxError("s"), new Error("e")]) {
    const again = restoreError(structuredClone(recordError(error)));
    expect([again.message, again.name, again.stack]).toEqual([error.message, error.name, error.stack]);
    expect(again.constructor).toBe(error.constructor);
  }
  expect((restoreError(recordError(ours)) as FinitewidthError).toJSON()).toEqual(ours.toJSON());
  expect(restoreError(recordError("a text"))).toMatchObject({ name: "Error", message: "a text" });
});
