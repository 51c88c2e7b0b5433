import { strFromU8, strToU8 } from "fflate";
import { FinitewidthError, describe } from "./errors.js";
import type { Tensor } from "./tensor.js";

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Encodes a tensor as a version 1.0 .npy file: `<f8`, C order. */
export const encodeNpy = (t: Tensor): Uint8Array => joined(npyPieces(t));

/** The same as header and numbers; where the machine's own order is that of the file, the numbers are the tensor's, not a copy. */
export function npyPieces(t: Tensor): Uint8Array[] {
  const shape = t.shape.length === 1 ? `${t.shape[0]},` : t.shape.join(", ");
  let header = `{'descr': '<f8', 'fortran_order': False, 'shape': (${shape}), }`;
  header = header.padEnd(Math.ceil((header.length + 11) / 64) * 64 - 11) + "\n";
  const start = new Uint8Array(10 + header.length);
  start.set(magic);
  start[6] = 1;
  new DataView(start.buffer).setUint16(8, header.length, true);
  start.set(strToU8(header), 10);
  if (littleEndian) return [start, new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength)];
  const numbers = new DataView(new ArrayBuffer(t.data.byteLength));
  t.data.forEach((value, i) => numbers.setFloat64(8 * i, value, true));
  return [start, new Uint8Array(numbers.buffer)];
}

/** Pieces of a file in one array. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

type Reader = (view: DataView, offset: number, little: boolean) => number;
const readers = new Map<string, readonly [bytes: number, read: Reader]>([
  ["f8", [8, (view, at, little) => view.getFloat64(at, little)]],
  ["f4", [4, (view, at, little) => view.getFloat32(at, little)]],
  ["f2", [2, (view, at, little) => halfPrecision(view.getUint16(at, little))]],
  ["i8", [8, (view, at, little) => Number(view.getBigInt64(at, little))]],
  ["i4", [4, (view, at, little) => view.getInt32(at, little)]],
  ["i2", [2, (view, at, little) => view.getInt16(at, little)]],
  ["i1", [1, (view, at) => view.getInt8(at)]],
  ["u8", [8, (view, at, little) => Number(view.getBigUint64(at, little))]],
  ["u4", [4, (view, at, little) => view.getUint32(at, little)]],
  ["u2", [2, (view, at, little) => view.getUint16(at, little)]],
  ["u1", [1, (view, at) => view.getUint8(at)]],
  ["b1", [1, (view, at) => view.getUint8(at)]],
]);

/** IEEE 754 binary16: sign, five bits of exponent, ten of fraction. */
function halfPrecision(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const magnitude =
    exponent === 31 ? (fraction ? Number.NaN : Infinity) : exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/**
 * Decodes a .npy file of real numbers: versions 1 to 3, headers of Python 2 too, any byte order, C or Fortran order, f2 … f8, i1 … u8,
 * b1. Integers beyond 2⁵³ are rounded. @throws FinitewidthError (code "file") naming `path`.
 */
export function decodeNpy(bytes: Uint8Array, path = "npy"): Tensor {
  const fail = (reason: string): FinitewidthError => new FinitewidthError(`${path}: ${reason}`, { code: "file", path });
  if (bytes.length < 10 || magic.some((byte, i) => bytes[i] !== byte)) throw fail("not a .npy file");
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw fail(`.npy version ${version} is unknown; expected 1, 2 or 3`);
  const start = version === 1 ? 10 : 12;
  if (bytes.length < start) throw fail("truncated header");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (start + length > bytes.length) throw fail("truncated header");
  const header = strFromU8(bytes.subarray(start, start + Math.min(length, 4096)));
  const type = /'descr':\s*u?'([<>|=])([a-zA-Z]\d+)'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header);
  // Python 2 wrote long integers: (3L, 2L)
  const dimensions = /'shape':\s*\(((?:\s*\d+L?\s*,)*(?:\s*\d+L?)?)\s*\)/.exec(header);
  const reader = type && readers.get(type[2]!);
  if (!type || !order || !dimensions || !reader) throw fail(`unsupported array (${describe(header.trim())}); expected real numbers`);
  const shape = dimensions[1]!
    .split(",")
    .filter((part) => part.trim() !== "")
    .map((part) => Number.parseInt(part, 10));
  const count = shape.reduce((product, size) => product * size, 1);
  const [width, read] = reader;
  const present = bytes.length - start - length;
  if (count * width > present) throw fail(`truncated: ${count} numbers announced, ${Math.floor(present / width)} present`);
  if (count * width < present) throw fail(`${count} numbers announced, but ${present - count * width} bytes follow them`);
  const from = start + length;
  const flat = new Float64Array(count);
  // The machine's own numbers are copied as they are.
  if (type[2] === "f8" && littleEndian && type[1] !== ">") new Uint8Array(flat.buffer).set(bytes.subarray(from, from + count * width));
  else for (let i = 0; i < count; i++) flat[i] = read(view, from + i * width, type[1] !== ">");
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
