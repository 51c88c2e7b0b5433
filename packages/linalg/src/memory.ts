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

/**
 * Counts the memory of a whole method before it starts, so that nothing is killed half way.
 * @throws FinitewidthError (code "memory") with the bytes needed, those that can be had, and how many training points would fit.
 */
export function requireMemory({ method, points, arrays, together, instead }: MemoryNeed, available = availableMemory()): void {
  if (points <= few) return;
  const square = 8 * points * points;
  const limits = [
    { need: arrays * square, limit: available, count: arrays, of: "this process can still have" },
    { need: together * square, limit: addressable(), count: together, of: "WebAssembly can address" },
  ];
  const short = limits.find(({ need, limit }) => need > limit);
  if (short === undefined) return;
  const gigabytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(1)} GiB`;
  const most = Math.floor(Math.min(...limits.map(({ limit, count }) => Math.sqrt(limit / (8 * count)))));
  throw new FinitewidthError(
    `[${method}] ${points} training points need ${gigabytes(short.need)} (${Number(short.count.toPrecision(2))} arrays of ${points} × ${points} numbers), ${short.of} ${gigabytes(short.limit)}: use at most ${most} training points${instead === undefined ? "" : `, or ${instead}`}`,
    { code: "memory" },
  );
}
