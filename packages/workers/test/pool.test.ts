import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { fileURLToPath } from "node:url";
import { createRegistry, FinitewidthError, inlineRun, type Run, type Task } from "@finitewidth/core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { poolRun, resumable, type ChunkStore, type PoolOptions, type PoolRun } from "../src/index.js";
import {
  alwaysDies,
  deaf,
  dies,
  held,
  mark,
  marked,
  meet,
  numbers,
  plugin,
  plugins,
  politelyBusy,
  throwsOurs,
  throwsRange,
} from "./tasks.js";

const registry = createRegistry([plugin]);
const open: PoolRun[] = [];
const pool = (options: Partial<PoolOptions> = {}): PoolRun => {
  const run = poolRun({ registry, ...options });
  open.push(run);
  return run;
};
const collect = async <A, B>(run: Run, task: Task<A, B>, chunks: readonly A[]): Promise<B[]> => {
  const out: B[] = [];
  for await (const result of run.map(task, chunks)) out.push(result);
  return out;
};
afterEach(() => open.splice(0).forEach((run) => run.close()));

let folder: string;
beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), "finitewidth-workers-"))));
afterAll(() => rm(folder, { recursive: true, force: true }));

const chunks = Array.from({ length: 9 }, (_, index) => ({ index, size: 1000 * (9 - index) }));

describe("results", () => {
  it("are the same bit for bit inline and with 1, 2 and 4 workers, in the order of the chunks", async () => {
    const inline = await collect(pool({ workers: 0 }), numbers, chunks);
    expect(inline.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    for (const workers of [1, 2, 4]) expect(await collect(pool({ workers }), numbers, chunks)).toEqual(inline);
  });

  it("have the seed of a run in this thread where none is given, and the given one", () => {
    const { seed } = inlineRun({ registry });
    expect([0, 2].map((workers) => pool({ workers }).seed)).toEqual([seed, seed]);
    expect([0, 2].map((workers) => pool({ workers, seed: 7 }).seed)).toEqual([7, 7]);
  });

  it("come from workers that are prepared, this thread being left alone", async () => {
    const prepare = { task: mark, chunk: "prepared" };
    expect(await collect(pool({ workers: 2, prepare }), marked, [1, 2, 3])).toEqual(["prepared", "prepared", "prepared"]);
    expect(await collect(pool({ workers: 0, prepare }), marked, [1])).toEqual([undefined]);
  });

  it("come from a worker that knows the plug-ins of the run", async () => {
    expect(await collect(pool({ workers: 1 }), plugins, [null])).toEqual([["test-plugin"]]);
  });

  it("come from as many workers at once as were asked for", async () => {
    const arrived = new Int32Array(new SharedArrayBuffer(4));
    const waiting = Array.from({ length: 3 }, () => ({ arrived, count: 3, milliseconds: 20_000 }));
    expect(await collect(pool({ workers: 3 }), meet, waiting)).toEqual([true, true, true]);
  });

  it("several maps share one pool", async () => {
    const run = pool({ workers: 2 });
    const [a, b] = await Promise.all([collect(run, numbers, chunks), collect(run, numbers, chunks)]);
    expect(a).toEqual(b);
  });

  it("report progress, up to the number of chunks", async () => {
    const seen: number[] = [];
    await collect(pool({ workers: 2, onProgress: (done, total) => seen.push(done / total) }), politelyBusy, [
      { milliseconds: 500 },
      { milliseconds: 500 },
    ]);
    expect(seen.at(-1)).toBe(1);
    expect(seen.some((fraction) => fraction > 0 && fraction < 1)).toBe(true);
  });

  it("report what all chunks under way have done together", async () => {
    const released = new Int32Array(new SharedArrayBuffer(4));
    const onProgress = (done: number): void => {
      if (Math.abs(done - 1.8) > 1e-9) return;
      Atomics.store(released, 0, 1);
      Atomics.notify(released, 0);
    };
    const waiting = [1, 2].map(() => ({ released, milliseconds: 20_000 }));
    expect(await collect(pool({ workers: 2, onProgress }), held, waiting)).toEqual([true, true]);
  });

  it("report what a worker has done of its second chunk, too", async () => {
    const waiting = [1, 2].map(() => ({ released: new Int32Array(new SharedArrayBuffer(4)), milliseconds: 10_000 }));
    const onProgress = (done: number): void => {
      const at = [0.9, 1.9].findIndex((fraction) => Math.abs(done - fraction) < 1e-9);
      if (at < 0) return;
      Atomics.store(waiting[at]!.released, 0, 1);
      Atomics.notify(waiting[at]!.released, 0);
    };
    expect(await collect(pool({ workers: 1, onProgress }), held, waiting)).toEqual([true, true]);
  });
});

describe("errors", () => {
  it("keep their class, code and path", async () => {
    await expect(collect(pool({ workers: 1 }), throwsOurs, [null])).rejects.toMatchObject({ code: "input", path: "network.widths[1]" });
    await expect(collect(pool({ workers: 1 }), throwsOurs, [null])).rejects.toBeInstanceOf(FinitewidthError);
    await expect(collect(pool({ workers: 1 }), throwsRange, [null])).rejects.toBeInstanceOf(RangeError);
  });

  it("a failing chunk leaves the pool usable", async () => {
    const run = pool({ workers: 1 });
    await expect(collect(run, throwsOurs, [null, null])).rejects.toThrow("network.widths[1]");
    expect(await collect(run, numbers, chunks.slice(0, 2))).toHaveLength(2);
  });
});

describe("a worker that dies", () => {
  it("is replaced, and its chunk runs again with the same result", async () => {
    const jobs = [{ index: 0 }, { index: 1, marker: join(folder, "died") }, { index: 2 }, { index: 3 }];
    expect(await collect(pool({ workers: 2 }), dies, jobs)).toEqual([0, 1, 2, 3]);
  });

  it("every time ends the map with a clear error", async () => {
    await expect(collect(pool({ workers: 1 }), alwaysDies, [null])).rejects.toThrow(
      /a worker died 3 times running the same part of "alwaysDies" \(exit code 9\)/,
    );
  });
});

describe("cancellation", () => {
  it.each([
    ["a task that asks", politelyBusy],
    ["a task that never asks", deaf],
  ])("reaches into %s", async (_what, task) => {
    const controller = new AbortController();
    const run = pool({ workers: 2, signal: controller.signal });
    const started = Date.now();
    setTimeout(() => controller.abort(new Error("enough")), 300);
    await expect(collect(run, task, [{ milliseconds: 20_000 }, { milliseconds: 20_000 }, { milliseconds: 20_000 }])).rejects.toThrow(
      "enough",
    );
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it("of an abandoned map does not reach into the next one, which the same worker runs", async () => {
    const run = pool({ workers: 1 });
    for await (const _ of run.map(politelyBusy, [{ milliseconds: 1 }, { milliseconds: 20_000 }])) break;
    const started = Date.now();
    const next = await collect(run, politelyBusy, [{ milliseconds: 300 }, { milliseconds: 300 }]);
    expect(next).toHaveLength(2);
    expect(Date.now() - started).toBeLessThan(15_000);
  });

  it("before the start rejects at once", async () => {
    await expect(collect(pool({ workers: 1, signal: AbortSignal.abort(new Error("never")) }), numbers, chunks)).rejects.toThrow("never");
  });

  it("closing rejects what is running", async () => {
    const run = pool({ workers: 1 });
    const result = collect(run, deaf, [{ milliseconds: 20_000 }]);
    setTimeout(() => run.close(), 200);
    await expect(result).rejects.toThrow("the pool was closed");
    await expect(collect(run, numbers, chunks)).rejects.toThrow("the pool is closed");
  });
});

describe("resuming", () => {
  const memory = (limit = Infinity): ChunkStore & { readonly saved: Map<string, unknown> } => {
    const saved = new Map<string, unknown>();
    return {
      saved,
      load: async (task, chunk) => saved.get(task + JSON.stringify(chunk)),
      save: async (task, chunk, result) => {
        if (saved.size >= limit) throw new FinitewidthError("results/.chunks: cannot be written (ENOSPC)", { code: "file" });
        saved.set(task + JSON.stringify(chunk), result);
      },
    };
  };

  it("takes finished chunks from the store and ends with the same result", async () => {
    const whole = await collect(pool({ workers: 0 }), numbers, chunks);
    const store = memory();
    const map = resumable(pool({ workers: 2 }), store).map(numbers, chunks);
    const interrupted = map[Symbol.asyncIterator]();
    for (let i = 0; i < 4; i++) await interrupted.next();
    await interrupted.return?.();
    // What the second worker finished ahead of its turn is kept too.
    const kept = store.saved.size;
    expect(kept).toBeGreaterThanOrEqual(4);
    expect(await collect(resumable(pool({ workers: 2 }), store), numbers, chunks)).toEqual(whole);
    expect(store.saved.size).toBe(9);
  });

  it("a store that cannot write ends the run with its error", async () => {
    await expect(collect(resumable(pool({ workers: 2 }), memory(3)), numbers, chunks)).rejects.toThrow("cannot be written (ENOSPC)");
  });
});

describe("the process", () => {
  it("ends by itself when the pool is idle and not closed", async () => {
    const script = `import { createRegistry } from "@finitewidth/core"; import { poolRun } from ${JSON.stringify(new URL("../src/index.ts", import.meta.url).href)}; import { numbers, plugin } from ${JSON.stringify(new URL("./tasks.ts", import.meta.url).href)};
      let n = 0; for await (const r of poolRun({ registry: createRegistry([plugin]), workers: 2 }).map(numbers, [{ index: 0, size: 3 }, { index: 1, size: 3 }])) n += r.values.length; console.log(String(n));`;
    const preload = fileURLToPath(new URL("../../../tools/ts-preload.mjs", import.meta.url));
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--conditions", "@finitewidth/source", "--import", preload, "--input-type=module", "-e", script],
      { cwd: fileURLToPath(new URL("..", import.meta.url)), timeout: 20_000 },
    );
    expect(stdout.trim()).toBe("6");
  });
});
