import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { FinitewidthError, printable, systemReason } from "@finitewidth/core";
import { loadDataFile, readRegularFile } from "@finitewidth/datasets";
import { parseJsonText, type FileReader } from "@finitewidth/experiment";

/**
 * Parses a file by its ending: `.yaml` and `.yml` as YAML 1.2, all else as JSON, with comments and trailing commas where it has them; a
 * byte order mark is skipped. @throws FinitewidthError (code "input") when it cannot be read or parsed, or says a key twice.
 */
export async function readJson(file: string): Promise<unknown> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegularFile(file, file);
  } catch (cause) {
    const meant = `${file}.json`;
    if (!(cause instanceof FinitewidthError) || !existsSync(meant)) throw cause;
    throw new FinitewidthError(`${cause.message}; did you mean ${JSON.stringify(meant)}?`, cause.toJSON(), { cause });
  }
  const text = new TextDecoder().decode(bytes);
  return /\.ya?ml$/i.test(file) ? readYaml(text, file) : parseJsonText(text, file);
}

async function readYaml(text: string, file: string): Promise<unknown> {
  const { parse } = await import("yaml");
  try {
    // Aliases that multiply themselves are refused; what is not JSON (dates, sets, tags) is not read.
    return parse(text, { schema: "core", maxAliasCount: 100, uniqueKeys: true }) as unknown;
  } catch (cause) {
    const why = printable((cause as Error).message, 300);
    throw new FinitewidthError(`${file}: is not YAML (${why})`, { code: "input", path: file }, { cause });
  }
}

/** Plug-ins that a file names, before anything else in it is looked at. */
export const pluginsOf = (raw: unknown): readonly string[] => {
  const list = typeof raw === "object" && raw !== null ? (raw as { plugins?: unknown }).plugins : undefined;
  return Array.isArray(list) ? list.filter((entry) => typeof entry === "string") : [];
};

/** Name of a file without folder and ending. */
export const titleOf = (file: string): string => basename(file).replace(/\.(jsonc?|ya?ml)$/i, "");

/** Reads data files relative to the folder of the experiment. */
export const fileReader =
  (folder: string): FileReader =>
  (file, path) =>
    loadDataFile(resolve(folder, file), path);

/** What a file is to hold; in pieces it is never in memory at once. */
export type Content = string | Uint8Array | Iterable<string> | Iterable<Uint8Array>;

/** Writes a file whole or not at all: to a temporary name beside it, then renamed. @throws FinitewidthError (code "file"). */
export async function writeAtomically(file: string, content: Content): Promise<void> {
  const temporary = join(dirname(file), `.${randomUUID()}.tmp`);
  try {
    await mkdir(dirname(file), { recursive: true });
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new FinitewidthError(`${file}: cannot be written (${systemReason(cause)})`, { code: "file", path: file }, { cause });
  }
}

/** Texts joined to about a megabyte: few writes, little memory. */
function* batches(pieces: Iterable<string>): Iterable<string> {
  let batch = "";
  for (const piece of pieces) {
    batch += piece;
    if (batch.length > 1 << 20) {
      yield batch;
      batch = "";
    }
  }
  yield batch;
}

/**
 * JSON in pieces, indented, but with every list of numbers on one line, so that a person can read it. Numbers that are not finite become
 * null.
 */
export const prettyJson = (value: unknown): Iterable<string> => batches(lines(value));

function* lines(value: unknown): Iterable<string> {
  yield* render(value, "");
  yield "\n";
}

/** Whether a value is a list without lists or objects in it. */
const isFlat = (value: unknown): value is unknown[] =>
  Array.isArray(value) && value.every((entry) => typeof entry !== "object" || entry === null);
// as JSON.stringify has numbers, without its start for each
const scalar = (value: unknown): string => (Number.isFinite(value) ? String(value) : (JSON.stringify(value) ?? "null"));
const flat = (list: readonly unknown[]): string => `[${list.map(scalar).join(", ")}]`;

function* render(value: unknown, indent: string): Iterable<string> {
  const inner = `${indent}  `;
  if (isFlat(value)) yield flat(value);
  else if (Array.isArray(value)) {
    for (const [i, entry] of value.entries()) {
      const before = i === 0 ? `[\n${inner}` : `,\n${inner}`;
      if (isFlat(entry)) yield before + flat(entry);
      else {
        yield before;
        yield* render(entry, inner);
      }
    }
    yield `\n${indent}]`;
  } else if (typeof value === "object" && value !== null) {
    let first = true;
    for (const [key, entry] of Object.entries(value)) {
      if (entry === undefined) continue;
      yield `${first ? "{" : ","}\n${inner}${JSON.stringify(key)}: `;
      first = false;
      yield* render(entry, inner);
    }
    yield first ? "{}" : `\n${indent}}`;
  } else yield scalar(value);
}
