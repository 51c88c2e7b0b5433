import { crc32 } from "./zip.js";

/** A member of an archive: its bytes in pieces, asked for once. */
export interface StoredMember {
  readonly name: string;
  readonly pieces: () => readonly Uint8Array[];
}

/** What 32 and 16 bits hold; larger numbers go to fields of 64 bits (ZIP64). */
const most32 = 0xffffffff;
const most16 = 0xffff;

/** Little-endian numbers of so many bytes each. */
function record(fields: readonly (readonly [bytes: 2 | 4 | 8, value: number])[], tail: readonly Uint8Array[] = []): Uint8Array {
  const length = fields.reduce((sum, [bytes]) => sum + bytes, 0);
  const out = new Uint8Array(tail.reduce((sum, part) => sum + part.length, length));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const [bytes, value] of fields) {
    if (bytes === 2) view.setUint16(at, value, true);
    else if (bytes === 4) view.setUint32(at, value, true);
    else view.setBigUint64(at, BigInt(value), true);
    at += bytes;
  }
  for (const part of tail) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The extra field of ZIP64 for those numbers that need it. */
const wide = (values: readonly number[]): Uint8Array =>
  values.length === 0 ? new Uint8Array(0) : record([[2, 1], [2, 8 * values.length], ...values.map((value) => [8, value] as const)]);

/**
 * A .zip archive of members that are not compressed, piece by piece and without copies of their bytes; ZIP64 where sizes or places need it.
 * A fixed time stamp (1 January 1980): same content, same bytes. Source: PKWARE APPNOTE 6.3.
 * @param wideFrom sizes and places from which on ZIP64 is used
 */
export function* storedZip(members: Iterable<StoredMember>, wideFrom = most32): Generator<Uint8Array> {
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const { name, pieces } of members) {
    const title = new TextEncoder().encode(name);
    const content = pieces();
    const size = content.reduce((sum, piece) => sum + piece.length, 0);
    const large = size >= wideFrom;
    const sizes = large ? [size, size] : [];
    const fields = [
      [2, large || at >= wideFrom ? 45 : 20],
      // names in UTF-8
      [2, title.length === name.length ? 0 : 0x800],
      [2, 0],
      [4, 0x210000],
      [4, content.reduce((sum, piece) => crc32(piece, sum), 0)],
      [4, large ? most32 : size],
      [4, large ? most32 : size],
      [2, title.length],
    ] as const;
    const header = record([[4, 0x04034b50], ...fields, [2, wide(sizes).length]], [title, wide(sizes)]);
    const far = at >= wideFrom;
    const extra = wide(far ? [...sizes, at] : sizes);
    directory.push(
      record(
        [[4, 0x02014b50], [2, fields[0][1]], ...fields, [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, far ? most32 : at]],
        [title, extra],
      ),
    );
    yield header;
    yield* content;
    at += header.length + size;
  }
  const length = directory.reduce((sum, entry) => sum + entry.length, 0);
  yield* directory;
  const count = directory.length;
  if (count >= most16 || at >= wideFrom || length >= wideFrom) {
    yield record([
      [4, 0x06064b50],
      [8, 44],
      [2, 45],
      [2, 45],
      [4, 0],
      [4, 0],
      [8, count],
      [8, count],
      [8, length],
      [8, at],
    ]);
    yield record([
      [4, 0x07064b50],
      [4, 0],
      [8, at + length],
      [4, 1],
    ]);
  }
  const short = Math.min(count, most16);
  yield record([
    [4, 0x06054b50],
    [4, 0],
    [2, short],
    [2, short],
    [4, Math.min(length, most32)],
    [4, Math.min(at, most32)],
    [2, 0],
  ]);
}
