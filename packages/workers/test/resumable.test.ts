import { createRegistry, inlineRun, type Run, type Task } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { poolRun, resumable, type ChunkStore } from "../src/index.js";
import { plugin } from "./tasks.js";

const registry = createRegistry([plugin]);
interface Chunk {
  readonly index: number;
  readonly seed: number;
  readonly part: { readonly values: readonly number[] };
}
const chunk = (index: number, seed = 1, values = [1, 2]): Chunk => ({ index, seed, part: { values } });
const task = (name: string, factor: number): Task<Chunk, number> => ({
  module: import.meta.url,
  name,
  run: ({ index, seed, part }) => factor * (100 * index + 10 * seed + part.values.reduce((sum, value) => sum + value, 0)),
});
const [double, triple] = [task("double", 2), task("triple", 3)];

/** A store that remembers what it was asked. */
function memory(): ChunkStore & { readonly saved: Map<string, unknown>; readonly asked: string[] } {
  const saved = new Map<string, unknown>();
  const asked: string[] = [];
  const key = (name: string, one: unknown): string => `${name} ${JSON.stringify(one)}`;
  return {
    saved,
    asked,
    load: async (name, one) => {
      asked.push(key(name, one));
      return saved.get(key(name, one));
    },
    save: async (name, one, result) => {
      expect(saved.has(key(name, one)), "kept twice").toBe(false);
      saved.set(key(name, one), result);
    },
  };
}
/** Runs that count what they compute: in order, and in one where results are told from the last chunk to the first. */
function counting(eager: boolean): Run & { readonly computed: [name: string, chunk: unknown][] } {
  const computed: [string, unknown][] = [];
  const inline = inlineRun({ registry });
  return {
    ...inline,
    computed,
    async *map<A, B>(of: Task<A, B>, chunks: readonly A[], settled?: (index: number, value: B) => Promise<void>): AsyncIterable<B> {
      const results: B[] = [];
      for await (const result of inline.map(of, chunks)) results.push(result);
      for (const one of chunks) computed.push([of.name, one]);
      if (eager) for (let i = chunks.length - 1; i >= 0; i--) await settled?.(i, results[i]!);
      yield* results;
    },
  };
}
const collect = async <A, B>(run: Run, of: Task<A, B>, chunks: readonly A[]): Promise<B[]> => {
  const out: B[] = [];
  for await (const result of run.map(of, chunks)) out.push(result);
  return out;
};
const direct = (of: Task<Chunk, number>, chunks: readonly Chunk[]): Promise<number[]> => collect(inlineRun({ registry }), of, chunks);

describe.each([
  ["results in order", false],
  ["results as they come", true],
])("chunks that are kept, %s", (_name, eager) => {
  it("are kept under the task and the whole chunk, each with its own result", async () => {
    const store = memory();
    const chunks = [chunk(0), chunk(1), chunk(2)];
    expect(await collect(resumable(counting(eager), store), double, chunks)).toEqual(await direct(double, chunks));
    expect(store.asked.sort()).toEqual(chunks.map((one) => `double ${JSON.stringify(one)}`));
    const expected = await direct(double, chunks);
    expect(Object.fromEntries(store.saved)).toEqual(
      Object.fromEntries(chunks.map((one, i) => [`double ${JSON.stringify(one)}`, expected[i]])),
    );
  });

  it("are not those of another task, seed, place or part", async () => {
    const store = memory();
    const run = counting(eager);
    const resumed = resumable(run, store);
    const base = chunk(3);
    const others = [chunk(4), chunk(3, 2), chunk(3, 1, [1, 3]), chunk(3, 1, [1])];
    await collect(resumed, double, [base]);
    for (const other of others) expect(await collect(resumed, double, [other])).toEqual(await direct(double, [other]));
    expect(await collect(resumed, triple, [base])).toEqual(await direct(triple, [base]));
    expect(run.computed).toHaveLength(6);
    expect(store.saved.size).toBe(6);
  });

  it.each([
    ["the first", [0]],
    ["some in between", [1, 2, 4]],
    ["the last", [5]],
    ["all", [0, 1, 2, 3, 4, 5]],
  ])("that are there already, %s, take their places, and only the others are computed", async (_which, there) => {
    const store = memory();
    const chunks = Array.from({ length: 6 }, (_, index) => chunk(index));
    const expected = await direct(double, chunks);
    // marked, to be told from computed ones
    for (const i of there) await store.save("double", chunks[i], -expected[i]!);
    const run = counting(eager);
    expect(await collect(resumable(run, store), double, chunks)).toEqual(expected.map((value, i) => (there.includes(i) ? -value : value)));
    expect(run.computed).toEqual(chunks.filter((_, i) => !there.includes(i)).map((one) => ["double", one]));
    chunks.forEach((one, i) =>
      expect(store.saved.get(`double ${JSON.stringify(one)}`)).toBe(there.includes(i) ? -expected[i]! : expected[i]),
    );
  });

  it("leave out the tasks of others, by module and name", async () => {
    const store = memory();
    const elsewhere = { ...triple, module: "file:///elsewhere.js" };
    const run = resumable(counting(eager), store, [double, elsewhere] as never);
    expect(await collect(run, double, [chunk(0)])).toEqual(await direct(double, [chunk(0)]));
    expect(store.asked).toEqual([]);
    expect(await collect(run, triple, [chunk(0)])).toEqual(await direct(triple, [chunk(0)]));
    expect(store.asked).toHaveLength(1);
  });
});

it("a pool keeps under the same keys", async () => {
  const store = memory();
  const pool = poolRun({ registry, workers: 0 });
  const chunks = [chunk(0), chunk(1)];
  await collect(resumable(pool, store), triple, chunks);
  expect([...store.saved]).toEqual((await direct(triple, chunks)).map((value, i) => [`triple ${JSON.stringify(chunks[i])}`, value]));
});
