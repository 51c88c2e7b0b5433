import { FinitewidthError } from "@finitewidth/core";

/** Bytes of an idx file (the format of MNIST) with their shape. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Unsigned bytes, row-major; a view into the file's buffer. */
  readonly data: Uint8Array;
}

/** Reads an idx file of unsigned bytes. @throws FinitewidthError (code "file") naming `path`. */
export function readIdx(bytes: Uint8Array, path = "idx"): IdxArray {
  const fail = (reason: string): FinitewidthError => new FinitewidthError(`${path}: ${reason}`, { code: "file", path });
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 8) throw fail("not an idx file of unsigned bytes");
  const rank = bytes[3]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw fail("truncated header");
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = shape.reduce((product, size) => product * size, 1);
  if (bytes.length < start + count) throw fail(`truncated: ${count} bytes announced, ${bytes.length - start} present`);
  return { shape, data: bytes.subarray(start, start + count) };
}
