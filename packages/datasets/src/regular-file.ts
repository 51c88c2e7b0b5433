import { open } from "node:fs/promises";
import { constants, readSync, type Stats } from "node:fs";
import { FinitewidthError, systemReason } from "@finitewidth/core";

/** Node reads files up to 2 GiB at once. */
const largest = 2 ** 31 - 1;

/**
 * Bytes of a regular file, or of what a symbolic link to one names. Anything else that has a name (folder, pipe, socket, device) is refused
 * at once, without waiting for it. @throws FinitewidthError (code "file") that starts with `path`.
 */
export const readRegularFile = (file: string, path: string): Promise<Uint8Array> =>
  withRegularFile(file, path, async (handle, size, fail) => {
    if (size > largest) throw fail(`${size} bytes; at most ${largest} are read`);
    return handle.readFile();
  });

/** What is used of an open file of Node; named here so that the types need none of Node's. */
export interface OpenFile {
  readonly fd: number;
  readFile(): Promise<Uint8Array>;
  read(into: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
}

/** Reads into the beginning of `into`, at once: many small pieces of a file would wait for each other longer than for the disk. */
export const readNow = ({ fd }: OpenFile, into: Uint8Array, length: number, position: number): number =>
  readSync(fd, into, 0, length, position);

/** What `withRegularFile` does with an open file of `size` bytes. */
export type FileUse<T> = (handle: OpenFile, size: number, fail: (reason: string) => FinitewidthError) => Promise<T>;

/** Opens a file as `readRegularFile` does, for as long as `use` takes. @throws like it. */
export async function withRegularFile<T>(file: string, path: string, use: FileUse<T>): Promise<T> {
  const fail = (reason: string, cause?: unknown): FinitewidthError =>
    new FinitewidthError(
      path === file ? `${file}: cannot be read (${reason})` : `${path}: cannot read ${file} (${reason})`,
      { code: "file", path },
      cause === undefined ? {} : { cause },
    );
  try {
    // O_NONBLOCK: opening a pipe without a writer would wait for one. Windows has neither.
    const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw fail(`it is ${kindOf(stats)}, not a file`);
      return await use(handle, stats.size, fail);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (cause instanceof FinitewidthError) throw cause;
    throw fail(systemReason(cause), cause);
  }
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a folder";
  if (stats.isFIFO()) return "a named pipe";
  if (stats.isSocket()) return "a socket";
  return "a device";
}
