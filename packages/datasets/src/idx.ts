import { FinitewidthError } from "@finitewidth/core";
import { readNow, withRegularFile } from "./regular-file.js";

/** Bytes of an idx file (the format of MNIST) with their shape. */
export interface IdxArray {
  readonly shape: readonly number[];
  /** Unsigned bytes, row-major; a view into the file's buffer. */
  readonly data: Uint8Array;
}

/** Reads an idx file of unsigned bytes. @throws FinitewidthError (code "file") naming `path`. */
export function readIdx(bytes: Uint8Array, path = "idx"): IdxArray {
  const { shape, start, count } = readHeader(bytes, bytes.length, path);
  return { shape, data: bytes.subarray(start, start + count) };
}

/** Shape that the first bytes of a file of `size` bytes announce, and where its numbers start. */
function readHeader(bytes: Uint8Array, size: number, path: string) {
  const fail = (reason: string): FinitewidthError => new FinitewidthError(`${path}: ${reason}`, { code: "file", path });
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0 || bytes[2] !== 8) throw fail("not an idx file of unsigned bytes");
  const rank = bytes[3]!;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = 4 + 4 * rank;
  if (bytes.length < start) throw fail("truncated header");
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = shape.reduce((product, one) => product * one, 1);
  if (size < start + count) throw fail(`truncated: ${count} bytes announced, ${size - start} present`);
  return { shape, start, count };
}

/** A header has one byte for the number of axes. */
const longestHeader = 4 + 4 * 255;

/** Bytes that are in memory at once, and bytes that are sooner read than skipped. */
const piece = 1 << 20;
const near = 1 << 12;

/** Shape of an idx file and its entries, read piece after piece. */
export interface IdxFile {
  readonly shape: readonly number[];
  /** Calls `visit` with entries first, first + 1, … along the first axis, all wanted ones (ascending) among them and few others. */
  eachPiece(wanted: ArrayLike<number>, visit: (first: number, data: Uint8Array) => void): Promise<void>;
}

/**
 * Opens an idx file of unsigned bytes without reading what may be more than memory should hold. @throws FinitewidthError (code "file") that
 * starts with `path` when the file cannot be read, and naming it when it is no such file.
 */
export async function openIdx(file: string, path: string): Promise<IdxFile> {
  const { shape, start } = await withRegularFile(file, path, async (handle, size) => {
    const buffer = new Uint8Array(Math.min(size, longestHeader));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return readHeader(buffer.subarray(0, bytesRead), size, file);
  });
  const entry = shape.slice(1).reduce((product, size) => product * size, 1);
  const together = Math.max(1, Math.floor(piece / Math.max(entry, 1)));
  const gap = Math.floor(near / Math.max(entry, 1));
  return {
    shape,
    eachPiece: (wanted, visit) =>
      withRegularFile(file, path, async (handle, _size, fail) => {
        const buffer = new Uint8Array(together * entry);
        for (let next = 0; next < wanted.length;) {
          const first = wanted[next]!;
          let end = first + 1;
          while (++next < wanted.length && wanted[next]! <= end + gap && wanted[next]! < first + together) end = wanted[next]! + 1;
          const length = (end - first) * entry;
          if (readNow(handle, buffer, length, start + first * entry) < length) throw fail("it has become shorter");
          visit(first, buffer.subarray(0, length));
        }
      }),
  };
}
