import { FinitewidthError, printable } from "@finitewidth/core";
import type { ParseError } from "jsonc-parser";

/**
 * The value of a text of JSON, with comments and trailing commas where it has them. One pass over the text, a second one where a key may
 * stand twice. @throws FinitewidthError (code "input") with line and column when it is none, or says a key twice; `file` names it.
 */
export async function parseJsonText(text: string, file: string): Promise<unknown> {
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
    const why = first
      ? `${placeIn(text, first.offset)}: ${strangeWord(text, first.offset) ?? inWords(printParseErrorCode(first.error))}`
      : (cause as Error).message;
    throw new FinitewidthError(`${file}: is not JSON (${printable(why, 300)})`, { code: "input", path: file }, { cause });
  }
  if (keysWritten(text) !== keysOf(value)) await refuseRepetition(text, file);
  return value;
}

/** What other languages write where JSON has something else: None, NaN, single or curly quotes. */
function strangeWord(text: string, offset: number): string | undefined {
  const [found] = /^(?:[\p{L}_][\p{L}\d_]*|['`‘’“”«»])/u.exec(text.slice(offset, offset + 40)) ?? [];
  if (found === undefined || /^(?:true|false|null)$/u.test(found)) return undefined;
  return /^[\p{L}_]/u.test(found)
    ? `expected a number, true, false, null or a text in double quotes, got ${found}`
    : `expected a double quote ("), got ${found}`;
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

/** "CommaExpected" → "comma expected". */
const inWords = (code: string): string => code.replaceAll(/(?<!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
function placeIn(text: string, offset: number): string {
  const before = text.slice(0, offset).split("\n");
  return `line ${before.length}, column ${before.at(-1)!.length + 1}`;
}
