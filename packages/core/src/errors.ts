/** What went wrong, for programs: "input" and "shape" are the caller's mistakes, the others happen while computing. */
export type ErrorCode =
  | "input" //            a value is not what was expected
  | "shape" //            an array has the wrong shape
  | "refused" //          a theory does not apply to this network
  | "not-positive-definite"
  | "not-converged"
  | "memory" //           would not fit; refused before allocating
  | "file" //             cannot be read or written
  | "worker"; //          a worker died and its chunk could not be run again

/** Structured part of an error: what Comlink, JSON and the command line carry. */
export interface ErrorDetails {
  readonly code: ErrorCode;
  /** Path of the offending field, e.g. `network.widths[1]`. */
  readonly path?: string;
  readonly expected?: string;
  readonly received?: string;
}

/**
 * The one error class of the project. `message` is a sentence for people: "path: expected …, got …". An error of another copy of this
 * package is an instance too: a plug-in brings its own where the command line is one bundled file.
 */
export class FinitewidthError extends Error {
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== FinitewidthError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return value instanceof Error && value.name === "FinitewidthError" && "code" in value;
  }

  override readonly name = "FinitewidthError";
  readonly code: ErrorCode;
  readonly path?: string;
  readonly expected?: string;
  readonly received?: string;

  constructor(message: string, details: ErrorDetails, options?: ErrorOptions) {
    // keys, cells and names from files end up in messages, and messages on terminals
    super(
      message
        .split("\n")
        .map((line) => printable(line))
        .join("\n"),
      options,
    );
    this.code = details.code;
    if (details.path !== undefined) this.path = details.path;
    if (details.expected !== undefined) this.expected = details.expected;
    if (details.received !== undefined) this.received = details.received;
  }

  /** Plain data that survives structured clone and JSON. */
  toJSON(): ErrorDetails & { readonly message: string } {
    const { message, code, path, expected, received } = this;
    return {
      message,
      code,
      ...(path === undefined ? {} : { path }),
      ...(expected === undefined ? {} : { expected }),
      ...(received === undefined ? {} : { received }),
    };
  }
}

/** `path: expected …, got …` with code "input". */
export function inputError(path: string, expected: string, received: unknown): FinitewidthError {
  const got = describe(received);
  return new FinitewidthError(`${path}: expected ${expected}, got ${got}`, { code: "input", path, expected, received: got });
}

/** `path: expected …, got …` with code "shape". */
export function shapeError(path: string, expected: string, received: string): FinitewidthError {
  return new FinitewidthError(`${path}: expected ${expected}, got ${received}`, { code: "shape", path, expected, received });
}

/** A theory does not apply; `reason` is one sentence that says why and what to use instead. */
export function refusal(theory: string, reason: string): FinitewidthError {
  return new FinitewidthError(`[${theory}] ${reason}`, { code: "refused" });
}

/** Short rendering of a value for an error message. */
export function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number" || typeof value === "boolean" || value === null) return String(value);
  if (typeof value === "string") return printable(JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}…` : value));
  if (Array.isArray(value)) return value.length === 0 ? "an empty array" : `an array of ${value.length}`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

/**
 * Text from a file for one line of a terminal: line breaks become spaces, other control and direction characters become `\u….`, and what is
 * longer than `limit` loses its middle.
 */
export function printable(text: string, limit = 2000): string {
  const cut = text.length > limit ? `${text.slice(0, limit - 101)}…${text.slice(-100)}` : text;
  return cut
    .replaceAll(/\s*[\r\n\u2028\u2029]\s*/g, " ")
    .replaceAll(
      /[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/gu,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
}

/** What the operating system's codes mean to people. */
const systemReasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EDQUOT: "the quota of the disk is used up",
  EEXIST: "it exists already",
  EFBIG: "it would be larger than files may be here",
  EISDIR: "it is a folder, not a file",
  ELOOP: "its links lead in a circle",
  EMFILE: "too many open files",
  ENAMETOOLONG: "the name is too long",
  ENOENT: "no such file or folder",
  ENOSPC: "no space left on the disk",
  ENOTDIR: "a part of the path is a file, not a folder",
  EPERM: "permission denied",
  EROFS: "the disk is read-only",
};

/** Why a file could not be read or written, in words; the code itself where there are none for it. */
export function systemReason(cause: unknown): string {
  const { code } = (cause ?? {}) as { readonly code?: string };
  return code === undefined ? String(cause) : (systemReasons[code] ?? code);
}
