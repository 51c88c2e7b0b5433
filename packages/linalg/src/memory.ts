import { FinitewidthError } from "@finitewidth/core";
import { backend } from "./backend.js";

/** What a method needs at its peak, counted in arrays of P × P numbers. */
export interface MemoryNeed {
  /** Name of the method, for the message. */
  readonly method: string;
  /** P. */
  readonly points: number;
  /** All arrays that are alive at once, those in the memory of the kernels included. */
  readonly arrays: number;
  /** Arrays that one kernel works on: what must fit into the 4 GiB that WebAssembly addresses. */
  readonly together: number;
  /** What to use instead, beside fewer training points. */
  readonly instead?: string;
}

/** Bytes that one call of a kernel may take; unlimited outside WebAssembly. */
const addressable = (): number => (backend().name.startsWith("wasm") ? 65535 * 65536 : Infinity);

/** Points below which memory is not asked for: 8 · 1000² bytes are little. */
const few = 1000;

/** Bytes that this process can still have, where the engine says so. */
export function availableMemory(): number {
  const { process } = globalThis as { readonly process?: { availableMemory?: () => number } };
  return process?.availableMemory?.() ?? Infinity;
}

/** The first limit that a need exceeds. */
function shortage({ points, arrays, together }: MemoryNeed, available: number) {
  if (points <= few) return undefined;
  const square = 8 * points * points;
  const limits = [
    { need: arrays * square, limit: available, count: arrays, of: "this process can still have", other: "" },
    { need: together * square, limit: addressable(), count: together, of: "WebAssembly can address", other: ", or --backend native" },
  ];
  const short = limits.find(({ need, limit }) => need > limit);
  return short && { ...short, most: Math.floor(Math.min(...limits.map(({ limit, count }) => Math.sqrt(limit / (8 * count))))) };
}

/** Whether there is room for what can be left out. */
export const fitsMemory = (need: MemoryNeed, available = availableMemory()): boolean => shortage(need, available) === undefined;

/** A number of bytes for people. */
export const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;

/**
 * Counts the memory of a whole method before it starts, so that nothing is killed half way.
 * @throws FinitewidthError (code "memory") with the bytes needed, those that can be had, and how many training points would fit.
 */
export function requireMemory(need: MemoryNeed, available = availableMemory()): void {
  const short = shortage(need, available);
  if (short === undefined) return;
  const { method, points, instead } = need;
  const count = Number(short.count.toPrecision(2));
  throw new FinitewidthError(
    `[${method}] ${points} training points need ${gigabytes(short.need)} (${count === 1 ? "an array" : `${count} arrays`} of ${points} × ${points} numbers), ${short.of} ${gigabytes(short.limit)}: use at most ${short.most} training points${short.other}${instead === undefined ? "" : `, or ${instead}`}`,
    { code: "memory" },
  );
}
