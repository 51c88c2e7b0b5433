import { beforeEach, expect, it, vi } from "vitest";

interface Pool {
  readonly sent: unknown[];
  closed: boolean;
}
const pools: Pool[] = [];
let answer: (chunk: Record<string, unknown>) => unknown;
vi.mock("@finitewidth/workers", async (original) => ({
  ...(await original<object>()),
  poolRun: () => {
    const pool: Pool = { sent: [], closed: false };
    pools.push(pool);
    return {
      async *map(_: unknown, [chunk]: Record<string, unknown>[]) {
        pool.sent.push(chunk);
        yield await answer(chunk!);
      },
      close: () => void (pool.closed = true),
    };
  },
}));
const { Lane, latest, remote } = await import("../src/compute/lane.js");

const task = remote<{ readonly n: number }, unknown>("solveTask");
const data = (id: number) => ({ id, train: "rows" }) as never;
beforeEach(() => {
  pools.length = 0;
  answer = ({ n }) => n;
});

it("data travel once, and again when they are others or the worker is another", async () => {
  const lane = new Lane();
  for (const [n, id] of [
    [0, 1],
    [1, 1],
    [2, 2],
    [3, 2],
  ] as const)
    expect(await lane.ask(task, { n, data: data(id) })).toBe(n);
  await lane.ask(task, { n: 4 });
  await lane.ask(task, { n: 5, data: data(2) });
  const whole = (n: number, id: number) => ({ n, data: { id, train: "rows" } });
  const named = (n: number, id: number) => ({ n, data: { id } });
  expect(pools.map(({ sent }) => sent)).toEqual([[whole(0, 1), named(1, 1), whole(2, 2), named(3, 2), { n: 4 }, named(5, 2)]]);
  lane.cancel();
  expect(pools[0]!.closed).toBe(true);
  await lane.ask(task, { n: 6, data: data(2) });
  expect(pools[1]!.sent).toEqual([whole(6, 2)]);
  // a worker that has died in between says that it was not sent them
  answer = ({ n, data: sent }) => {
    if (!("train" in (sent as object))) throw new Error("data 2 were not sent to this worker");
    return n;
  };
  expect(await lane.ask(task, { n: 7, data: data(2) })).toBe(7);
  expect(pools[1]!.sent.slice(1)).toEqual([named(7, 2), whole(7, 2)]);
  answer = () => {
    throw new Error("something else");
  };
  await expect(lane.ask(task, { n: 8, data: data(2) })).rejects.toThrow("something else");
  expect(pools[1]!.sent).toHaveLength(4);
  expect(() => task.run({} as never, {} as never)).toThrow("solveTask runs in workers only");
});

it("what is cancelled is no answer, even where one comes", async () => {
  const lane = new Lane();
  let done: (value: unknown) => void = () => undefined;
  answer = () => new Promise((resolve) => (done = resolve));
  const asked = lane.ask(task, { n: 0 });
  await vi.waitFor(() => expect(pools).toHaveLength(1), { timeout: 50_000 });
  lane.cancel();
  done(1);
  await expect(asked).rejects.toThrow("something newer has come");
});

it("of values that come while one is at work only the last is taken", async () => {
  const taken: number[] = [];
  const open: (() => void)[] = [];
  const give = latest<number>((value) => (taken.push(value), new Promise<void>((resolve) => open.push(resolve))));
  for (const value of [1, 2, 3]) give(value);
  expect(taken).toEqual([1]);
  open.shift()!();
  await vi.waitFor(() => expect(taken).toEqual([1, 3]), { timeout: 50_000 });
  open.shift()!();
  await Promise.resolve();
  await vi.waitFor(
    () => {
      give(4);
      expect(taken).toContain(4);
    },
    { timeout: 50_000 },
  );
});
