import type { StandardSchemaV1 } from "@standard-schema/spec";
import * as v from "valibot";
import { FinitewidthError, describe } from "./errors.js";

/** Message of a schema issue that is complete in itself and must not be put into "expected …, got …". */
const complete = /^(unknown key|missing)/;
/** Messages that valibot makes by itself. */
const generic = /^Invalid [\w ]+: Expected (.+?)(?: but received (.+))?$/s;

/**
 * Validates `value` with any Standard Schema and returns its output. Messages of our schemas name what was expected ("a positive integer");
 * the error becomes `path: expected a positive integer, got 0`. @throws FinitewidthError (code "input") for the first issue, unknown keys
 * before all others.
 */
export function validate<Output>(schema: StandardSchemaV1<unknown, Output>, value: unknown, path = ""): Output {
  const result = validateAll(schema, value, path);
  // a key that is unknown is often the misspelt one that is missing
  if ("errors" in result) throw result.errors.find(({ message }) => message.includes(": unknown key")) ?? result.errors[0]!;
  return result.value;
}

/** The output, or an error (code "input") for every issue, each place named once. */
export function validateAll<Output>(
  schema: StandardSchemaV1<unknown, Output>,
  value: unknown,
  path = "",
): { readonly value: Output } | { readonly errors: readonly FinitewidthError[] } {
  const result = schema["~standard"].validate(value);
  if (result instanceof Promise) throw new TypeError("asynchronous schemas are not supported");
  if (!result.issues) return { value: result.value };
  const errors = new Map<string, FinitewidthError>();
  for (const issue of result.issues) {
    const error = issueError(issue, value, path);
    if (!errors.has(error.path!)) errors.set(error.path!, error);
  }
  return { errors: [...errors.values()] };
}

function issueError(issue: StandardSchemaV1.Issue, value: unknown, path: string): FinitewidthError {
  const keys = (issue.path ?? []).map((segment) => (typeof segment === "object" ? segment.key : segment));
  const at = joinPath(path, keys);
  if (complete.test(issue.message)) return new FinitewidthError(`${at}: ${issue.message}`, { code: "input", path: at });
  const expected = generic.exec(issue.message)?.[1] ?? issue.message;
  let received: unknown = value;
  for (const key of keys) received = (received as Record<PropertyKey, unknown> | undefined)?.[key];
  const got = describe(received);
  return new FinitewidthError(`${at}: expected ${expected}, got ${got}`, { code: "input", path: at, expected, received: got });
}

/** `network` + ["widths", 1] → `network.widths[1]`. */
export function joinPath(path: string, keys: readonly PropertyKey[]): string {
  let out = path;
  for (const key of keys) {
    if (typeof key === "number") out += `[${key}]`;
    else out += out === "" ? String(key) : `.${String(key)}`;
  }
  return out === "" ? "value" : out;
}

/** Object schema that rejects unknown keys with a message that lists the known ones. */
export function strictObject<const Entries extends v.ObjectEntries>(entries: Entries) {
  const known = Object.keys(entries).join(", ");
  return v.strictObject(entries, (issue) => {
    if (issue.expected === "never") return `unknown key; expected one of ${known}`;
    if (issue.expected === "Object") return "an object";
    const key = String(issue.path?.at(-1)?.key);
    return `missing; expected ${Object.hasOwn(entries, key) ? wanted(entries[key]!) : "a value"}`;
  });
}

/** What a value should be that is not there, in the words of its schema. */
export function wanted(schema: StandardSchemaV1): string {
  const result = schema["~standard"].validate(undefined);
  const message = result instanceof Promise ? undefined : result.issues?.[0]?.message;
  if (message === undefined || complete.test(message)) return "a value";
  return generic.exec(message)?.[1] ?? message;
}

const finite = (what: string) => v.pipe(v.number(what), v.finite(what));
/** Finite number. */
export const finiteNumber = finite("a finite number");
/** Number > 0. */
export const positiveNumber = v.pipe(finite("a positive number"), v.gtValue(0, "a positive number"));
/** Number ≥ 0. */
export const nonNegativeNumber = v.pipe(finite("a number ≥ 0"), v.minValue(0, "a number ≥ 0"));
const safe = `an integer of at most ${Number.MAX_SAFE_INTEGER}`;
/** Integer ≥ 1. */
export const positiveInteger = v.pipe(
  finite("a positive integer"),
  v.integer("a positive integer"),
  v.minValue(1, "a positive integer"),
  v.safeInteger(safe),
);
/** Integer ≥ 0. */
export const nonNegativeInteger = v.pipe(
  finite("an integer ≥ 0"),
  v.integer("an integer ≥ 0"),
  v.minValue(0, "an integer ≥ 0"),
  v.safeInteger(safe),
);
/** One of some strings. */
export const oneOf = <const Options extends readonly string[]>(options: Options) =>
  v.picklist(options, `one of ${options.map((option) => `"${option}"`).join(", ")}`);
/** Non-empty string. */
export const name = v.pipe(v.string("a name"), v.nonEmpty("a name"));

/** σ_w² as the experiment file has it: one positive number or a list of them. */
export const weightVarianceSchema = v.union([positiveNumber, v.array(positiveNumber, "a positive number or a list of them")], (issue) =>
  nested(issue, "a positive number or a list of them"),
);
/** σ_b² likewise, ≥ 0. */
export const biasVarianceSchema = v.union([nonNegativeNumber, v.array(nonNegativeNumber, "a number ≥ 0 or a list of them")], (issue) =>
  nested(issue, "a number ≥ 0 or a list of them"),
);
const nested = (_issue: unknown, what: string): string => what;

/** One variance per weight layer from one number or a list; undefined for a list that does not have `layers` entries. */
export function perLayer(value: number | readonly number[], layers: number): readonly number[] | undefined {
  if (typeof value === "number") return Array.from({ length: layers }, () => value);
  return value.length === layers ? value : undefined;
}
/** What `perLayer` expected, for the message. */
export const perLayerExpectation = (layers: number): string => `one number or ${layers} of them (one per weight layer)`;

/** Where a `v.rawTransform` adds an issue: the field of `value` that the keys lead to. */
export function issuePath(value: unknown, keys: readonly (string | number)[]): [v.IssuePathItem, ...v.IssuePathItem[]] {
  let input = value;
  const path = keys.map((key): v.IssuePathItem => {
    const parent = input as Record<PropertyKey, unknown>;
    input = parent[key];
    return { type: "unknown", origin: "value", input: parent, key, value: input };
  });
  return path as [v.IssuePathItem, ...v.IssuePathItem[]];
}
