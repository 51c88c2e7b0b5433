import { zipSync } from "fflate";
import { describe, expect, it } from "vitest";
import { FinitewidthError } from "../src/index.js";
import { decodeNpz, encodeNpy, encodeNpz } from "../src/npz.js";
import { crc32, crc32ByTables, zipMembers } from "../src/zip.js";
import { storedZip } from "../src/zip-store.js";

const x = { data: Float64Array.of(1, 2, 3, 4), shape: [2, 2] };

describe.each(Object.entries({ crc32, crc32ByTables }))("%s", (_name, checksum) => {
  it("has its check values", () => {
    expect(checksum(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    expect(checksum(Uint8Array.from({ length: 256 }, (_, i) => i))).toBe(0x29058c73);
  });

  it("goes on after other bytes", () => {
    const bytes = Uint8Array.from({ length: 1001 }, (_, i) => (i * i) & 255);
    for (const cut of [0, 1, 8, 500, 1001]) expect(checksum(bytes.subarray(cut), checksum(bytes.subarray(0, cut)))).toBe(checksum(bytes));
    // an array without memory of its own
    expect(checksum(new Uint8Array(new Float64Array(0).buffer), 12345)).toBe(12345);
  });
});

describe("stored archives", () => {
  const members = [
    { name: "a.npy", pieces: () => [Uint8Array.of(1, 2, 3), Uint8Array.of(4)] },
    { name: "größe.npy", pieces: () => [new Uint8Array(300).fill(7)] },
    { name: "empty", pieces: () => [] },
  ];
  const bytesOf = (wideFrom?: number): Uint8Array => new Uint8Array(Buffer.concat([...storedZip(members, wideFrom)]));

  it("are what fflate makes of the same members", () => {
    const files = Object.fromEntries(members.map(({ name, pieces }) => [name, new Uint8Array(Buffer.concat(pieces()))]));
    expect(bytesOf()).toEqual(zipSync(files, { level: 0, mtime: new Date(1980, 0, 1) }));
  });

  it.each([undefined, 0, 100, 400])("are read back; numbers from %s on in 64 bits", (wideFrom) => {
    const read = zipMembers(bytesOf(wideFrom)).map((member) => [member.name, Array.from(member.read())]);
    expect(read).toEqual(members.map(({ name, pieces }) => [name, pieces().flatMap((piece) => Array.from(piece))]));
  });

  it("of more members than 16 bits count are read back", () => {
    const many = Array.from({ length: 65_536 }, (_, i) => ({ name: String(i), pieces: () => [Uint8Array.of(i & 255)] }));
    const read = zipMembers(new Uint8Array(Buffer.concat([...storedZip(many)])));
    expect(read).toHaveLength(65_536);
    expect([read.at(-1)!.name, ...read.at(-1)!.read()]).toEqual(["65535", 255]);
  });
});

describe("npz", () => {
  it("arrays of no numbers are read back beside others", () => {
    const nothing = { data: new Float64Array(0), shape: [0, 3] };
    expect(decodeNpz(encodeNpz({ nothing, x, none: { data: new Float64Array(0), shape: [0] } })).arrays).toEqual({
      nothing,
      x,
      none: { data: new Float64Array(0), shape: [0] },
    });
  });

  it.each([0, 6] as const)("a flipped byte is refused or changes nothing (compression %i)", (level) => {
    const intact = zipSync({ "x.npy": encodeNpy(x) }, { level });
    for (let at = 0; at < intact.length; at++) {
      for (const bit of [1, 16, 128]) {
        const bytes = intact.slice();
        bytes[at]! ^= bit;
        try {
          const { arrays } = decodeNpz(bytes, "a.npz");
          if ("x" in arrays) expect(arrays["x"]).toEqual(x);
        } catch (error) {
          expect(error).toBeInstanceOf(FinitewidthError);
          expect((error as Error).message).toMatch(/^a\.npz.*[^\n]$/);
        }
      }
    }
  });

  it("a flipped bit of a number is noticed", () => {
    const bytes = zipSync({ "x.npy": encodeNpy(x) }, { level: 0 });
    const at = bytes.findIndex((_, i) => bytes[i] === 0xf0 && bytes[i + 1] === 0x3f);
    bytes[at]! ^= 1;
    expect(() => decodeNpz(bytes, "a.npz")).toThrow(/^a\.npz: "x\.npy" is damaged \(its checksum does not fit\)$/);
  });

  it("leaves alone what nobody asked for: other types, damaged members, bombs", () => {
    const text = new TextEncoder().encode("\u0093NUMPY not numbers");
    const bytes = zipSync({ "x.npy": encodeNpy(x), "class_names.npy": text, "bomb.npy": new Uint8Array(1 << 24), "meta.json": text });
    expect(decodeNpz(bytes, "a.npz", ["x", "y"])).toEqual({ arrays: { x }, meta: undefined });
    expect(() => decodeNpz(bytes, "a.npz", ["class_names"])).toThrow(/^a\.npz:class_names: not a \.npy file$/);
    expect(() => decodeNpz(zipSync({ "meta.json": text }), "a.npz")).toThrow(/^a\.npz: meta\.json is not JSON$/);
  });

  it("refuses a member that announces more than fits, before it is inflated", () => {
    const bytes = zipSync({ "x.npy": encodeNpy(x) });
    const directory = bytes.findLastIndex((byte, i) => byte === 0x50 && bytes[i + 1] === 0x4b && bytes[i + 2] === 1);
    new DataView(bytes.buffer, bytes.byteOffset).setUint32(directory + 24, 0xfffffffe, true);
    expect(() => decodeNpz(bytes, "a.npz")).toThrow(/^a\.npz: "x\.npy" announces 4294967294 bytes; at most 1073741824 are read$/);
  });

  it("names of members that every object has are names", () => {
    const { arrays } = decodeNpz(zipSync({ "__proto__.npy": encodeNpy(x), "constructor.npy": encodeNpy(x) }));
    expect(Object.keys(arrays).toSorted()).toEqual(["__proto__", "constructor"]);
    expect(Object.getPrototypeOf(arrays)).toBe(Object.prototype);
    expect(decodeNpz(encodeNpz({}), "a.npz", ["toString"]).arrays).toEqual({});
  });
});
