import { FinitewidthError } from "@finitewidth/core";

/** Largest working set that is allocated without asking, in bytes. */
export const memoryLimit = 2 ** 31;

/** Refuses before allocating. @throws FinitewidthError (code "memory") with the number of bytes that `what` would take. */
export function requireMemory(bytes: number, what: string, remedy: string): void {
  if (bytes <= memoryLimit) return;
  const size = bytes < 1e12 ? `${(bytes / 1e9).toFixed(1)} GB` : `${bytes.toPrecision(3)} bytes`;
  throw new FinitewidthError(
    `${what} would take ${size} (${Math.ceil(bytes)} bytes), more than the limit of ${memoryLimit} bytes; ${remedy}`,
    { code: "memory" },
  );
}
