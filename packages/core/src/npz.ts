import { unzipSync, zipSync, strFromU8, strToU8 } from "fflate";
import { FinitewidthError, inputError } from "./errors.js";
import type { Matrix, Tensor } from "./tensor.js";
import type { Posterior } from "./posterior.js";

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Encodes a tensor as a version 1.0 .npy file: `<f8`, C order. */
export function encodeNpy(t: Tensor): Uint8Array {
  const shape = t.shape.length === 1 ? `${t.shape[0]},` : t.shape.join(", ");
  let header = `{'descr': '<f8', 'fortran_order': False, 'shape': (${shape}), }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const out = new Uint8Array(10 + header.length + 8 * t.data.length);
  out.set(magic);
  out[6] = 1;
  new DataView(out.buffer).setUint16(8, header.length, true);
  out.set(strToU8(header), 10);
  if (littleEndian) out.set(new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength), 10 + header.length);
  else {
    const view = new DataView(out.buffer, 10 + header.length);
    t.data.forEach((value, i) => view.setFloat64(8 * i, value, true));
  }
  return out;
}

type Reader = (view: DataView, offset: number, little: boolean) => number;
const readers: Record<string, readonly [bytes: number, read: Reader]> = {
  f8: [8, (view, at, little) => view.getFloat64(at, little)],
  f4: [4, (view, at, little) => view.getFloat32(at, little)],
  i8: [8, (view, at, little) => Number(view.getBigInt64(at, little))],
  i4: [4, (view, at, little) => view.getInt32(at, little)],
  i2: [2, (view, at, little) => view.getInt16(at, little)],
  i1: [1, (view, at) => view.getInt8(at)],
  u8: [8, (view, at, little) => Number(view.getBigUint64(at, little))],
  u4: [4, (view, at, little) => view.getUint32(at, little)],
  u2: [2, (view, at, little) => view.getUint16(at, little)],
  u1: [1, (view, at) => view.getUint8(at)],
  b1: [1, (view, at) => view.getUint8(at)],
};

/** Decodes a .npy file of real numbers (any byte order, C or Fortran order). @throws FinitewidthError (code "file") naming `path`. */
export function decodeNpy(bytes: Uint8Array, path = "npy"): Tensor {
  const fail = (reason: string): FinitewidthError => new FinitewidthError(`${path}: ${reason}`, { code: "file", path });
  if (bytes.length < 10 || magic.some((byte, i) => bytes[i] !== byte)) throw fail("not a .npy file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const start = bytes[6] === 1 ? 10 : 12;
  const length = bytes[6] === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > bytes.length) throw fail("truncated header");
  const header = strFromU8(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([<>|=])([a-z]\d+)'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header);
  const dimensions = /'shape':\s*\(([^)]*)\)/.exec(header);
  const reader = descr && readers[descr[2]!];
  if (!descr || !order || !dimensions || !reader) throw fail(`unsupported array (${header.trim()}); expected real numbers`);
  const shape = dimensions[1]!
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  const count = shape.reduce((product, size) => product * size, 1);
  const [width, read] = reader;
  if (start + length + count * width > bytes.length)
    throw fail(`truncated: ${count} numbers announced, ${Math.floor((bytes.length - start - length) / width)} present`);
  const flat = Float64Array.from({ length: count }, (_, i) => read(view, start + length + i * width, descr[1] !== ">"));
  return { data: order[1] === "True" ? fromFortranOrder(flat, shape) : flat, shape };
}

function fromFortranOrder(data: Float64Array, shape: readonly number[]): Float64Array {
  const out = new Float64Array(data.length);
  const index = shape.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    let at = 0;
    for (let axis = 0; axis < shape.length; axis++) at = at * shape[axis]! + index[axis]!;
    out[at] = data[i]!;
    for (let axis = 0; axis < shape.length && ++index[axis]! === shape[axis]; axis++) index[axis] = 0;
  }
  return out;
}

/** Packs named tensors (and a `meta.json`, when given) as .npz; numpy.load reads it. */
export function encodeNpz(arrays: Readonly<Record<string, Tensor>>, meta?: unknown): Uint8Array {
  const files: Record<string, Uint8Array> = {};
  for (const [key, value] of Object.entries(arrays)) files[`${key}.npy`] = encodeNpy(value);
  if (meta !== undefined) files["meta.json"] = strToU8(JSON.stringify(meta));
  // Large arrays of floating-point numbers hardly compress. A fixed time stamp: the same content gives the same bytes.
  const bytes = Object.values(files).reduce((sum, file) => sum + file.length, 0);
  return zipSync(files, { level: bytes > 1 << 24 ? 0 : 6, mtime: new Date(1980, 0, 1) });
}

/** Reads .npz. @throws FinitewidthError (code "file") when it is not one. */
export function decodeNpz(bytes: Uint8Array, path = "npz"): { readonly arrays: Record<string, Tensor>; readonly meta: unknown } {
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes);
  } catch (cause) {
    throw new FinitewidthError(`${path}: not a readable .npz file`, { code: "file", path }, { cause });
  }
  const arrays: Record<string, Tensor> = {};
  for (const [name, content] of Object.entries(files))
    if (name.endsWith(".npy")) arrays[name.slice(0, -4)] = decodeNpy(content, `${path}:${name}`);
  return { arrays, meta: files["meta.json"] === undefined ? undefined : JSON.parse(strFromU8(files["meta.json"])) };
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
  return restore(saved.posterior, arrays) as Posterior;
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

function restore(value: unknown, arrays: Record<string, Tensor>): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((entry) => restore(entry, arrays));
  const tagged = value as { $tensor?: string; $vector?: string; $number?: string };
  if (tagged.$tensor !== undefined) return arrays[tagged.$tensor] as Matrix;
  if (tagged.$vector !== undefined) return arrays[tagged.$vector]?.data;
  if (tagged.$number !== undefined) return Number(tagged.$number);
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, restore(entry, arrays)]));
}

const isTensor = (value: object): value is Tensor =>
  "data" in value && value.data instanceof Float64Array && "shape" in value && Array.isArray(value.shape);
