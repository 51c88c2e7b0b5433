import { FinitewidthError, type Plugin, type Task } from "@finitewidth/core";

const task = <A, B>(name: string, run: Task<A, B>["run"]): Task<A, B> => ({ module: import.meta.url, name, run });

/** A number of a chunk, and of its large array. */
export const double = task("double", ({ value, large }: { value: number; large?: Float64Array }) => ({
  twice: 2 * value,
  last: large ? Float64Array.of(large.at(-1)!) : undefined,
}));
export const fails = task("fails", (value: number) => {
  throw new FinitewidthError(`network.widths[${value}]: wrong`, { code: "input", path: `network.widths[${value}]` });
});
/** Runs until it is cancelled. */
export const busy = task("busy", (_value: number, { tick }) => {
  for (const end = Date.now() + 60_000; Date.now() < end;) tick(0.25);
});
/** Declared by nobody. */
export const own = task("own", (value: number) => -value);

export const plugin: Plugin = { name: "test", module: import.meta.url, tasks: [double, fails, busy] };
