import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { FinitewidthError, printable, systemReason } from "@finitewidth/core";
import { loadDataFile, readRegularFile } from "@finitewidth/datasets";
import type { FileReader } from "@finitewidth/experiment";
import type { ParseError } from "jsonc-parser";

/**
 * Parses a file by its ending: `.yaml` and `.yml` as YAML 1.2, all else as JSON, with comments and trailing commas where it has them; a
 * byte order mark is skipped. @throws FinitewidthError (code "input") when it cannot be read or parsed, or says a key twice.
 */
export async function readJson(file: string): Promise<unknown> {
  const text = new TextDecoder().decode(await readRegularFile(file, file));
  if (/\.ya?ml$/i.test(file)) return readYaml(text, file);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const { parse, printParseErrorCode } = await import("jsonc-parser");
    const errors: ParseError[] = [];
    value = parse(text, errors, { allowTrailingComma: true, disallowComments: false });
    const [first] = errors;
    if (!first && value !== undefined) {
      await refuseRepetition(text, file);
      return value;
    }
    throw unreadable(
      file,
      "JSON",
      first ? `${placeIn(text, first.offset)}: ${inWords(printParseErrorCode(first.error))}` : messageOf(cause),
      cause,
    );
  }
  if (keysWritten(text) !== keysOf(value)) await refuseRepetition(text, file);
  return value;
}

/** Keys in a text of JSON: strings before a colon. */
function keysWritten(text: string): number {
  let count = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]+|\\.)*"\s*:?/g)) if (token.endsWith(":")) count += 1;
  return count;
}
/** Keys in a value, however deep: fewer than in its text where one repeats another, for the last of them is taken. */
function keysOf(value: unknown): number {
  let count = 0;
  for (const rest = [value]; rest.length > 0;) {
    const one = rest.pop();
    if (typeof one !== "object" || one === null) continue;
    if (!Array.isArray(one)) count += Object.keys(one).length;
    for (const entry of Object.values(one)) if (typeof entry === "object") rest.push(entry);
  }
  return count;
}

/** @throws FinitewidthError (code "input") naming the first key that its object has already. */
async function refuseRepetition(text: string, file: string): Promise<void> {
  const { visit } = await import("jsonc-parser");
  const open: Set<string>[] = [];
  const refuse = (key: string, at: number, path: readonly (string | number)[]): void => {
    const field = [...path, key].map((part, i) => (typeof part === "number" ? `[${part}]` : i === 0 ? part : `.${part}`)).join("");
    const [expected, received] = [`one value in ${file}`, `another at ${placeIn(text, at)}`];
    throw new FinitewidthError(`${field}: expected ${expected}, got ${received}`, { code: "input", path: field, expected, received });
  };
  visit(text, {
    onObjectBegin: () => void open.push(new Set()),
    onObjectEnd: () => void open.pop(),
    onObjectProperty(key, at, _length, _line, _character, path) {
      const keys = open.at(-1)!;
      if (keys.has(key)) refuse(key, at, path());
      keys.add(key);
    },
  });
}

async function readYaml(text: string, file: string): Promise<unknown> {
  const { parse } = await import("yaml");
  try {
    // Aliases that multiply themselves are refused; what is not JSON (dates, sets, tags) is not read.
    return parse(text, { schema: "core", maxAliasCount: 100, uniqueKeys: true }) as unknown;
  } catch (cause) {
    throw unreadable(file, "YAML", messageOf(cause), cause);
  }
}

const messageOf = (cause: unknown): string => (cause as Error).message;
const unreadable = (file: string, what: string, why: string, cause: unknown): FinitewidthError =>
  new FinitewidthError(`${file}: is not ${what} (${printable(why, 300)})`, { code: "input", path: file }, { cause });
/** "CommaExpected" → "comma expected". */
const inWords = (code: string): string => code.replaceAll(/(?<!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
function placeIn(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
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
