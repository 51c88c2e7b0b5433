import { inflateSync } from "fflate";
import { FinitewidthError, describe } from "./errors.js";

/** One member of a .zip archive as its directory lists it; nothing is inflated yet. */
export interface ZipMember {
  readonly name: string;
  /** Bytes after inflating, as announced. */
  readonly size: number;
  /** Inflates and compares with the checksum. @throws FinitewidthError (code "file") naming the member. */
  read(): Uint8Array;
}

/** What one member may hold: a header that announces more than this is refused before anything is allocated. */
const largestMember = 2 ** 30;

// Table k: what a byte has become when k more bytes have followed it.
const crcTables: Uint32Array[] = [
  Uint32Array.from({ length: 256 }, (_, byte) => {
    let c = byte;
    for (let bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c;
  }),
];
while (crcTables.length < 8) crcTables.push(crcTables.at(-1)!.map((c) => crcTables[0]![c & 255]! ^ (c >>> 8)));

/** What Node ≥ 20.15 has of it, a few times as fast. */
const zlib = (
  globalThis as {
    readonly process?: { getBuiltinModule?(name: string): { crc32?(bytes: Uint8Array, before: number): number } | undefined };
  }
).process?.getBuiltinModule?.("node:zlib");

/**
 * CRC-32 (IEEE 802.3, as in .zip and .png) of some bytes, or of those after others of which it is `before`. O(n). Node forgets the latter
 * where an empty array has no memory.
 */
export const crc32 = (bytes: Uint8Array, before = 0): number =>
  bytes.length === 0 ? before : (zlib?.crc32?.(bytes, before) ?? crc32ByTables(bytes, before));

/** The same without Node, eight bytes at a time. */
export function crc32ByTables(bytes: Uint8Array, before = 0): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = crcTables;
  let [c, i] = [~before, 0];
  for (; i + 8 <= bytes.length; i += 8) {
    c ^= bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    c =
      t7![c & 255]! ^
      t6![(c >>> 8) & 255]! ^
      t5![(c >>> 16) & 255]! ^
      t4![c >>> 24]! ^
      t3![bytes[i + 4]!]! ^
      t2![bytes[i + 5]!]! ^
      t1![bytes[i + 6]!]! ^
      t0![bytes[i + 7]!]!;
  }
  for (; i < bytes.length; i++) c = t0![(c ^ bytes[i]!) & 255]! ^ (c >>> 8);
  return ~c >>> 0;
}

/**
 * Members of a .zip archive (stored or deflated, ZIP64 included), from its central directory. Nothing is inflated before `read`, which
 * checks length and CRC-32. @throws FinitewidthError (code "file") when there is no readable directory.
 */
export function zipMembers(bytes: Uint8Array, path = "zip"): ZipMember[] {
  const fail = (reason: string): FinitewidthError => new FinitewidthError(`${path}: ${reason}`, { code: "file", path });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const within = (at: number, length: number): number => {
    if (!(at >= 0 && at + length <= bytes.length)) throw fail("not a readable .npz file (truncated or damaged)");
    return at;
  };
  const u16 = (at: number): number => view.getUint16(within(at, 2), true);
  const u32 = (at: number): number => view.getUint32(within(at, 4), true);
  const u64 = (at: number): number => Number(view.getBigUint64(within(at, 8), true));

  let end = bytes.length - 22;
  while (end >= Math.max(0, bytes.length - 22 - 0xffff) && u32(end) !== 0x06054b50) end--;
  if (end < 0 || u32(end) !== 0x06054b50) throw fail("not a readable .npz file (no zip directory)");
  let [count, at] = [u16(end + 10), u32(end + 16)];
  if ((count === 0xffff || at === 0xffffffff) && end >= 20 && u32(end - 20) === 0x07064b50) {
    const end64 = u64(end - 12);
    if (u32(end64) !== 0x06064b50) throw fail("not a readable .npz file (damaged ZIP64 directory)");
    [count, at] = [u64(end64 + 32), u64(end64 + 48)];
  }

  const members: ZipMember[] = [];
  for (let i = 0; i < count; i++) {
    if (u32(at) !== 0x02014b50) throw fail("not a readable .npz file (damaged zip directory)");
    const [flags, method, crc, nameLength, extraLength] = [u16(at + 8), u16(at + 10), u32(at + 16), u16(at + 28), u16(at + 30)];
    const name = new TextDecoder().decode(bytes.subarray(at + 46, within(at + 46 + nameLength, 0)));
    const fields = [u32(at + 24), u32(at + 20), u32(at + 42)];
    for (let extra = at + 46 + nameLength, stop = extra + extraLength; extra + 4 <= stop; extra += 4 + u16(extra + 2)) {
      if (u16(extra) !== 1) continue;
      let next = extra + 4;
      fields.forEach((value, k) => {
        if (value === 0xffffffff) [fields[k], next] = [u64(next), next + 8];
      });
    }
    const [size, packed, header] = fields as [number, number, number];
    const read = (): Uint8Array => {
      const bad = (reason: string): FinitewidthError =>
        new FinitewidthError(`${path}: ${describe(name)} ${reason}`, { code: "file", path: `${path}:${name}` });
      if (flags & 1) throw bad("is encrypted");
      if (method !== 0 && method !== 8) throw bad(`is compressed by method ${method}; only stored and deflated members are read`);
      if (size > largestMember) throw bad(`announces ${size} bytes; at most ${largestMember} are read`);
      if (u32(header) !== 0x04034b50) throw bad("has no readable header");
      const start = header + 30 + u16(header + 26) + u16(header + 28);
      const content = bytes.subarray(start, within(start, packed) + packed);
      let out: Uint8Array;
      try {
        out = method === 0 ? content : inflateSync(content, { out: new Uint8Array(size) });
      } catch {
        throw bad("is damaged (it cannot be inflated)");
      }
      if (out.length !== size || crc32(out) !== crc) throw bad("is damaged (its checksum does not fit)");
      return out;
    };
    members.push({ name, size, read });
    at += 46 + nameLength + extraLength + u16(at + 32);
  }
  return members;
}
