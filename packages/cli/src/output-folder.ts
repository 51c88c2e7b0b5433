import { createHash } from "node:crypto";
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { mkdir, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { FinitewidthError, systemReason } from "@finitewidth/core";

/** The folder of the results cannot be used: exit status 1. */
export class OutputError extends FinitewidthError {
  constructor(message: string, path: string, cause?: unknown) {
    super(message, { code: "file", path }, { cause });
  }
}

const marker = ".finitewidth.json";
const lockName = ".lock";
const code = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? String(cause);

/**
 * Where the results of a source (a file, or a command with its argument) go: `out` as typed, else `results/<last part of its path>`. A
 * folder that another source of the same name has filled is left to it: then `results/<name>-<six digits of the path>`. The folder is this
 * source's own from when `openFolder` is told the same one.
 */
export async function chooseFolder(source: string, out: string | undefined): Promise<string> {
  if (out !== undefined) return resolve(out);
  const name = basename(source).replace(/\.(jsonc?|ya?ml)$/i, "");
  const folder = resolve("results", name);
  const owner = await ownerOf(folder);
  if (owner === undefined || owner === resolve(source)) return folder;
  return `${folder}-${createHash("sha256").update(resolve(source)).digest("hex").slice(0, 6)}`;
}

async function ownerOf(folder: string): Promise<string | undefined> {
  try {
    return (JSON.parse(await readFile(join(folder, marker), "utf8")) as { source?: string }).source;
  } catch {
    return undefined;
  }
}

/** A folder that is ours until it is released; one that was made and holds nothing then is taken away again. */
export interface OutputFolder {
  readonly path: string;
  release(): Promise<void>;
}

/**
 * Makes the folder, writes into it and locks it, before anything is computed. @throws OutputError when it cannot be made or written, or
 * when another process is writing into it.
 */
export async function openFolder(path: string, source?: string): Promise<OutputFolder> {
  let made: boolean;
  try {
    made = await makeFolder(path);
  } catch (cause) {
    throw new OutputError(`${path}: cannot be made (${systemReason(cause)}); choose another folder with --out`, path, cause);
  }
  const lock = join(path, lockName);
  await acquire(lock, path);
  try {
    for (const name of await readdir(path)) if (/^\.[0-9a-f-]{36}\.tmp$/.test(name)) await rm(join(path, name), { force: true });
    if (source !== undefined) await writeFile(join(path, marker), `${JSON.stringify({ source: resolve(source) })}\n`);
  } catch (cause) {
    await rm(lock, { force: true }).catch(() => undefined);
    throw new OutputError(`${path}: cannot be written (${systemReason(cause)}); choose another folder with --out`, path, cause);
  }
  return {
    path,
    async release() {
      await rm(lock, { force: true });
      if (made && (await readdir(path)).every((name) => name === marker)) await rm(path, { recursive: true });
    },
  };
}

/**
 * Makes a folder and those above it one by one (`recursive` never returns where the system denies that a parent exists, as in /proc).
 * Whether it was not there.
 */
export async function makeFolder(path: string): Promise<boolean> {
  try {
    if (!(await stat(path)).isDirectory()) throw Object.assign(new Error("a file"), { code: "ENOTDIR" });
    return false;
  } catch (cause) {
    if (code(cause) !== "ENOENT") throw cause;
    await makeFolder(dirname(path));
    await mkdir(path).catch((error: unknown) => {
      if (code(error) !== "EEXIST") throw error;
    });
    return true;
  }
}

async function acquire(lock: string, path: string): Promise<void> {
  for (let attempts = 0; ; attempts++) {
    try {
      const file = await open(lock, "wx");
      try {
        await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname() }));
      } finally {
        await file.close();
      }
      return;
    } catch (cause) {
      if (code(cause) !== "EEXIST")
        throw new OutputError(`${path}: cannot be written (${systemReason(cause)}); choose another folder with --out`, path, cause);
      const holder = await holderOf(lock);
      if (holder !== undefined || attempts >= 3)
        throw new OutputError(
          `${path}: process ${holder ?? "unknown"} is writing into it; wait for it or choose another folder with --out`,
          path,
        );
      // Left behind by a process that was killed.
      await rm(lock, { force: true });
    }
  }
}

/** The living process that holds a lock; undefined when there is none any more. */
async function holderOf(lock: string): Promise<string | undefined> {
  let text = "";
  // A lock that is just being written is empty for a moment.
  for (let tries = 0; tries < 5 && text === ""; tries++) {
    if (tries > 0) await new Promise((done) => setTimeout(done, 50));
    text = await readFile(lock, "utf8").catch(() => "");
  }
  let holder: { pid?: number; host?: string };
  try {
    holder = JSON.parse(text) as typeof holder;
  } catch {
    return undefined;
  }
  if (holder.host !== hostname()) return `${holder.pid} on ${holder.host}`;
  try {
    process.kill(holder.pid!, 0);
    return String(holder.pid);
  } catch (cause) {
    return code(cause) === "EPERM" ? String(holder.pid) : undefined;
  }
}
