import { FinitewidthError } from "@finitewidth/core";

const pageBytes = 65536;
const alignment = 64;

/** Memory of one WebAssembly instance: a fixed region below `base` and, above it, buffers laid out anew for every call. */
export interface Arena {
  /**
   * Byte offsets of buffers of the given lengths (in numbers), valid until the next `layout`; the memory grows when it must and is
   * kept, so that repeated calls allocate nothing. @throws FinitewidthError (code "memory") with the bytes needed, before allocating.
   */
  layout<const Lengths extends readonly number[]>(what: string, lengths: Lengths): { [K in keyof Lengths]: number };
  /** View of a buffer, valid until the next `layout`. */
  view(at: number, length: number): Float64Array;
}

/** Arena on a WebAssembly memory of at most `limitBytes`. */
export function createArena(memory: WebAssembly.Memory, base: number, limitBytes: number): Arena {
  const align = (bytes: number) => Math.ceil(bytes / alignment) * alignment;
  const start = align(base);
  const refuse = (what: string, bytes: number, cause?: unknown) =>
    new FinitewidthError(
      `${what} needs ${bytes} bytes (${(bytes / 2 ** 30).toFixed(1)} GiB) of WebAssembly memory; ${limitBytes} bytes can be had`,
      { code: "memory" },
      { cause },
    );
  return {
    layout(what, lengths) {
      let end = start;
      const offsets = lengths.map((length) => {
        const at = end;
        end += align(length * 8);
        return at;
      });
      if (end > limitBytes) throw refuse(what, end);
      const missing = end - memory.buffer.byteLength;
      if (missing > 0) {
        try {
          memory.grow(Math.ceil(missing / pageBytes));
        } catch (cause) {
          throw refuse(what, end, cause);
        }
      }
      return offsets as { [K in keyof typeof lengths]: number };
    },
    view: (at, length) => new Float64Array(memory.buffer, at, length),
  };
}
