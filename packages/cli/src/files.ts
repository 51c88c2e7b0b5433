import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { FinitewidthError } from "@finitewidth/core";

/** Parses a JSON file. @throws FinitewidthError (code "input") when it cannot be read or is not JSON. */
export async function readJson(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new FinitewidthError(`${file}: cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`, { code: "input", path: file }, { cause });
  }
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    throw new FinitewidthError(`${file}: is not JSON (${oneLine((cause as Error).message)})`, { code: "input", path: file }, { cause });
  }
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

/** Writes a file whole or not at all: to a temporary name beside it, then renamed. @throws FinitewidthError (code "file"). */
export async function writeAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(file), `.${randomUUID()}.tmp`);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new FinitewidthError(`${file}: cannot be written (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`, { code: "file", path: file }, { cause });
  }
}

/** JSON with numeric rows kept on one line, so that a person can read it. */
export function prettyJson(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2).replaceAll(/\[[\s\d.,eE+\-nul]*\]/g, (list) => list.replaceAll(/\s+/g, " ").replace("[ ", "[").replace(" ]", "]"))}\n`;
}
