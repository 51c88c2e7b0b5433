import { createHash } from "node:crypto";
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { deserialize, serialize } from "node:v8";
import type { ChunkStore } from "@finitewidth/workers";
import { writeAtomically } from "./files.js";

/** What makes kept results those of this experiment, by this program. */
export interface Identity {
  /** Hash of the experiment and of its data. */
  readonly experiment: string;
  /** Versions of the program, of Node and of every plug-in, platform and backend. */
  readonly versions: Readonly<Record<string, string>>;
}

/** Results of finished chunks and methods, kept until the command has succeeded. */
export interface Checkpoints extends ChunkStore {
  clear(): Promise<void>;
}

const digest = (...parts: readonly (string | Uint8Array)[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${part.length}:`).update(part);
  return hash.digest();
};

/**
 * Opens the checkpoints in a folder. With `resume` those that are there are taken, if they are of the same identity; otherwise they are
 * cleared. Each file carries a checksum over its key and its content: a damaged or exchanged one is said and computed again. A checkpoint
 * that cannot be written is said once; the run goes on without.
 */
export async function openCheckpoints(
  folder: string,
  identity: Identity,
  resume: boolean,
  say: (sentence: string) => void,
): Promise<Checkpoints> {
  const manifest = join(folder, "identity.json");
  const kept = await readFile(manifest, "utf8").then(
    (text) => text,
    () => undefined,
  );
  const clear = (): Promise<void> => rm(folder, { recursive: true, force: true }).catch(() => undefined);
  const text = `${JSON.stringify(identity, undefined, 1)}\n`;
  if (kept !== text) {
    if (resume && kept !== undefined) say(`${differenceOf(kept, identity)}: what an earlier run has finished is computed again`);
    if (resume && kept === undefined) say("nothing of an earlier run is there to resume; starting afresh");
  }
  if (!resume || kept !== text) await clear();

  let broken = false;
  const store = async (file: string, content: Uint8Array): Promise<void> => {
    if (broken) return;
    try {
      await mkdir(folder, { recursive: true });
      await writeAtomically(file, content);
    } catch (error) {
      broken = true;
      say(`checkpoints cannot be kept (${(error as Error).message}); the run goes on without`);
    }
  };
  await store(manifest, Buffer.from(text));

  return {
    load: (task, chunk) => loadKept(folder, task, chunk, say),
    async save(task, chunk, result) {
      const key = keyOf(task, chunk);
      const payload = serialize(result);
      await store(fileOf(folder, task, key), Buffer.concat([digest(key, payload), payload]));
    },
    clear,
  };
}

const keyOf = (task: string, chunk: unknown): Buffer => digest(task, serialize(chunk));
const fileOf = (folder: string, task: string, key: Buffer): string =>
  join(folder, `${task.replaceAll(/[^\w.-]/g, "_")}-${key.toString("hex").slice(0, 32)}.bin`);

/** What is kept in a folder of a task and a chunk; undefined when there is nothing, or something damaged, which is said. */
export async function loadKept(folder: string, task: string, chunk: unknown, say: (sentence: string) => void): Promise<unknown> {
  const key = keyOf(task, chunk);
  const file = fileOf(folder, task, key);
  const content = await readFile(file).catch(() => undefined);
  if (!content) return undefined;
  const payload = content.subarray(32);
  try {
    if (content.subarray(0, 32).equals(digest(key, payload))) return deserialize(payload) as unknown;
  } catch {
    // Said below.
  }
  say(`${file}: damaged; its part is computed again`);
  return undefined;
}

/** In words what differs between the kept identity and this one. */
function differenceOf(kept: string, identity: Identity): string {
  try {
    const { experiment, versions } = JSON.parse(kept) as Identity;
    if (experiment !== identity.experiment) return "the experiment or its data have changed";
    const names = Object.keys({ ...versions, ...identity.versions }).filter((name) => versions[name] !== identity.versions[name]);
    return names.map((name) => `${name} has changed from ${versions[name] ?? "none"} to ${identity.versions[name] ?? "none"}`).join(", ");
  } catch {
    return "the checkpoints cannot be read";
  }
}
