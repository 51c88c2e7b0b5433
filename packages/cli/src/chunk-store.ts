import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { ChunkStore } from "@finitewidth/workers";
import { writeAtomically } from "./files.js";

/** Results of finished chunks as files in a folder, named by a hash of task and chunk. */
export function fileChunkStore(folder: string): ChunkStore & { clear(): Promise<void> } {
  const fileOf = (task: string, chunk: unknown): string =>
    join(folder, `${task}-${createHash("sha256").update(serialize(chunk)).digest("hex").slice(0, 32)}.bin`);
  return {
    async load(task, chunk) {
      try {
        return deserialize(await readFile(fileOf(task, chunk))) as unknown;
      } catch {
        // Missing, or written by another version of Node: computed again.
        return undefined;
      }
    },
    save: (task, chunk, result) => writeAtomically(fileOf(task, chunk), serialize(result)),
    clear: () => rm(folder, { recursive: true, force: true }),
  };
}
