import { existsSync, writeFileSync } from "node:fs";
import { FinitewidthError, type Plugin, type Task } from "@finitewidth/core";

/** A plug-in that workers load again by its module. */
export const plugin: Plugin = { name: "test-plugin", module: import.meta.url, activations: [] };

const task = <A, B>(name: string, run: Task<A, B>["run"]): Task<A, B> => ({ module: import.meta.url, name, run });

/** Numbers that depend on the chunk only. */
export const numbers = task("numbers", ({ index, size }: { index: number; size: number }) => ({
  values: Float64Array.from({ length: size }, (_, i) => Math.sin(index * 1e3 + i)),
  index,
}));

const marks = globalThis as { mark?: string };

/** Leaves a mark in its realm. */
export const mark = task("mark", (text: string) => {
  marks.mark = text;
});

/** The mark of its realm. */
export const marked = task("marked", () => marks.mark);

/** Busy until cancelled, asking now and then. */
export const politelyBusy = task("politelyBusy", ({ milliseconds }: { milliseconds: number }, { tick }) => {
  const end = Date.now() + milliseconds;
  while (Date.now() < end) tick(1 - (end - Date.now()) / milliseconds);
  return "finished";
});

/** Waits until so many chunks run at once; false where they do not in time. */
export const meet = task("meet", ({ arrived, count, milliseconds }: { arrived: Int32Array; count: number; milliseconds: number }) => {
  Atomics.add(arrived, 0, 1);
  Atomics.notify(arrived, 0);
  const end = Date.now() + milliseconds;
  for (let here = 0; (here = Atomics.load(arrived, 0)) < count && Date.now() < end;) Atomics.wait(arrived, 0, here, end - Date.now());
  return Atomics.load(arrived, 0) >= count;
});

/** Nine tenths done, and on from there once released; false where that does not come in time. */
export const held = task("held", ({ released, milliseconds }: { released: Int32Array; milliseconds: number }, { tick }) => {
  tick(0.9);
  return Atomics.wait(released, 0, 0, milliseconds) !== "timed-out";
});

/** Busy without ever asking. */
export const deaf = task("deaf", ({ milliseconds }: { milliseconds: number }) => {
  const end = Date.now() + milliseconds;
  while (Date.now() < end);
  return "finished";
});

/** Ends its thread the first time it meets a chunk with a marker file that does not exist yet. */
export const dies = task("dies", ({ marker, index }: { marker?: string; index: number }) => {
  if (marker !== undefined && !existsSync(marker)) {
    writeFileSync(marker, "");
    process.exit(9);
  }
  return index;
});

/** Always ends its thread. */
export const alwaysDies = task("alwaysDies", () => process.exit(9));

export const throwsOurs = task("throwsOurs", () => {
  throw new FinitewidthError("network.widths[1]: expected a positive integer, got 0", { code: "input", path: "network.widths[1]" });
});
export const throwsRange = task("throwsRange", () => {
  throw new RangeError("out of range");
});

/** Names of the plug-ins that the worker knows. */
export const plugins = task("plugins", (_chunk: null, { registry }) => registry.plugins.map((entry) => entry.name));

/** Numbers that depend on the index only, after some time. */
export const slowNumbers = task("slowNumbers", ({ index, milliseconds }: { index: number; milliseconds: number }, { tick }) => {
  const end = Date.now() + milliseconds;
  while (Date.now() < end) tick(0);
  return Array.from({ length: 5 }, (_, i) => Math.sin(100 * index + i));
});
