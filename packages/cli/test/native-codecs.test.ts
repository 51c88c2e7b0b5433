import { inflateSync as zlibInflate } from "node:zlib";
import { expect, it } from "vitest";
import { deflateSync, inflateSync, strFromU8, strToU8, zlibSync } from "../src/native-codecs.js";

const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i % 97) ^ (i >> 5));

it("give back what they were given", () => {
  expect(inflateSync(deflateSync(bytes, { level: 9 }))).toEqual(bytes);
  expect(new Uint8Array(zlibInflate(zlibSync(bytes, { level: 1 })))).toEqual(bytes);
  expect(strFromU8(strToU8("größe"))).toBe("größe");
});

it("inflate into the room there is, and no further", () => {
  const out = new Uint8Array(bytes.length);
  expect(inflateSync(deflateSync(bytes), { out })).toEqual(bytes);
  expect(out).toEqual(bytes);
  expect(() => inflateSync(deflateSync(bytes), { out: new Uint8Array(4999) })).toThrow();
  expect(inflateSync(deflateSync(bytes.subarray(0, 10)), { out })).toHaveLength(10);
  expect(() => inflateSync(Uint8Array.of(1, 2, 3))).toThrow();
});
