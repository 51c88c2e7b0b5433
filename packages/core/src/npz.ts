import { strFromU8, strToU8 } from "fflate";
import { FinitewidthError, inputError, printable } from "./errors.js";
import { decodeNpy, joined, npyPieces } from "./npy.js";
import type { Tensor } from "./tensor.js";
import type { Posterior } from "./posterior.js";
import { zipMembers } from "./zip.js";
import { storedZip } from "./zip-store.js";

export { decodeNpy, encodeNpy } from "./npy.js";
export { crc32 } from "./zip.js";

/** Packs named tensors (and a `meta.json`, when given) as .npz; numpy.load reads it. */
export const encodeNpz = (arrays: Readonly<Record<string, Tensor>>, meta?: unknown): Uint8Array => joined([...npzPieces(arrays, meta)]);

/**
 * The same piece by piece: the numbers are those of the tensors, not a copy, so that a file may be as large as they are. Stored:
 * floating-point numbers hardly compress, and it takes a hundred times as long.
 */
export function* npzPieces(arrays: Readonly<Record<string, Tensor>>, meta?: unknown): Generator<Uint8Array> {
  const members = Object.entries(arrays).map(([key, value]) => ({ name: `${key}.npy`, pieces: () => npyPieces(value) }));
  yield* storedZip(meta === undefined ? members : [...members, { name: "meta.json", pieces: () => [strToU8(JSON.stringify(meta))] }]);
}

/**
 * Reads .npz: the arrays named in `wanted`, or whose names it accepts (absent ones are left out), or all of them, and `meta.json`. Other
 * members are not touched, so that a file may hold arrays of any type beside them. @throws FinitewidthError (code "file") naming the
 * member that is damaged, or an array that is not of real numbers.
 */
export function decodeNpz(
  bytes: Uint8Array,
  path = "npz",
  wanted?: readonly string[] | ((name: string) => boolean),
): { readonly arrays: Record<string, Tensor>; readonly meta: unknown } {
  const arrays = new Map<string, Tensor>();
  const accepts = typeof wanted === "function" ? wanted : (name: string): boolean => wanted?.includes(name) ?? true;
  let meta: unknown;
  // Of members with one name the last counts; only that one is inflated.
  for (const member of new Map(zipMembers(bytes, path).map((entry) => [entry.name, entry])).values()) {
    const name = member.name.endsWith(".npy") ? member.name.slice(0, -4) : undefined;
    if (name !== undefined && accepts(name)) arrays.set(name, decodeNpy(member.read(), `${path}:${printable(name, 200)}`));
    else if (member.name === "meta.json" && wanted === undefined) meta = parseMeta(member.read(), path);
  }
  return { arrays: Object.fromEntries(arrays), meta };
}

function parseMeta(content: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(strFromU8(content)) as unknown;
  } catch (cause) {
    throw new FinitewidthError(`${path}: meta.json is not JSON`, { code: "file", path }, { cause });
  }
}

/** Saves a posterior: every tensor in it becomes an array named by its path, the rest goes to `meta.json`. */
export function posteriorToNpz(posterior: Posterior): Uint8Array {
  const arrays: Record<string, Tensor> = {};
  const meta = extract(posterior, "posterior", arrays);
  return encodeNpz(arrays, { format: "finitewidth-posterior", version: 1, posterior: meta });
}

/** Restores what `posteriorToNpz` saved. @throws FinitewidthError (code "file") when the file holds something else. */
export function posteriorFromNpz(bytes: Uint8Array, path = "npz"): Posterior {
  const { arrays, meta } = decodeNpz(bytes, path);
  const saved = meta as { format?: string; version?: number; posterior?: unknown } | undefined;
  if (saved?.format !== "finitewidth-posterior" || saved.version !== 1)
    throw inputError(path, "a posterior saved by finitewidth (version 1)", saved?.format ?? "another file");
  return restore(saved.posterior, arrays, path) as Posterior;
}

function extract(value: unknown, at: string, arrays: Record<string, Tensor>): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return { $number: String(value) };
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Float64Array) {
    arrays[at] = { data: value, shape: [value.length] };
    return { $vector: at };
  }
  if (Array.isArray(value)) return value.map((entry, i) => extract(entry, `${at}.${i}`, arrays));
  if (isTensor(value)) {
    arrays[at] = value;
    return { $tensor: at };
  }
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, extract(entry, `${at}.${key}`, arrays)]));
}

function restore(value: unknown, arrays: Record<string, Tensor>, path: string): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((entry) => restore(entry, arrays, path));
  const tagged = value as { $tensor?: string; $vector?: string; $number?: string };
  const array = (name: string): Tensor => {
    if (Object.hasOwn(arrays, name)) return arrays[name]!;
    throw new FinitewidthError(`${path}: array ${JSON.stringify(printable(name, 200))} is missing`, { code: "file", path });
  };
  if (tagged.$tensor !== undefined) return array(tagged.$tensor);
  if (tagged.$vector !== undefined) return array(tagged.$vector).data;
  if (tagged.$number !== undefined) return Number(tagged.$number);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, restore(entry, arrays, path)]));
}

const isTensor = (value: object): value is Tensor =>
  "data" in value && value.data instanceof Float64Array && "shape" in value && Array.isArray(value.shape);
