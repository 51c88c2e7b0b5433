import { describe, expect, it } from "vitest";
import { decodeNpy } from "../src/npz.js";

/** A .npy file as numpy would write it: header text, version, raw bytes of the numbers. */
function npy(header: string, data: Uint8Array, version = 1): Uint8Array {
  const start = version === 1 ? 10 : 12;
  const text = new TextEncoder().encode(`${header.padEnd(Math.ceil((header.length + start + 1) / 64) * 64 - start - 1)}\n`);
  const bytes = new Uint8Array(start + text.length + data.length);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, version, 0]);
  const view = new DataView(bytes.buffer);
  if (version === 1) view.setUint16(8, text.length, true);
  else view.setUint32(8, text.length, true);
  bytes.set(text, start);
  bytes.set(data, start + text.length);
  return bytes;
}
const raw = (array: Float64Array | Uint16Array): Uint8Array => new Uint8Array(array.buffer);
const header = (descr: string, shape: string): string => `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;

describe("npy headers", () => {
  const values = Float64Array.of(1, -2, 3, 4.5);

  it.each([
    ["version 1", header("<f8", "(2, 2)"), 1],
    ["version 2", header("<f8", "(2, 2)"), 2],
    ["version 3", header("<f8", "(2, 2)"), 3],
    ["Python 2", "{'descr': '<f8', 'fortran_order': False, 'shape': (2L, 2L), }", 1],
    ["another order of keys", "{'shape': (2, 2), 'fortran_order': False, 'descr': '<f8'}", 1],
  ])("%s", (_, text, version) => {
    expect(decodeNpy(npy(text, raw(values), version))).toEqual({ data: values, shape: [2, 2] });
  });

  it.each([
    ["ten bytes of version 2", npy("", new Uint8Array(0), 2).subarray(0, 10), /^x: truncated header$/],
    ["an unknown version", npy(header("<f8", "(4,)"), raw(values), 9), /^x: \.npy version 9 is unknown/],
    ["text", npy(header("<U3", "(4,)"), new Uint8Array(48)), /^x: unsupported array .*<U3.*expected real numbers$/],
    ["objects", npy(header("|O", "(4,)"), new Uint8Array(48)), /^x: unsupported array/],
    ["complex numbers", npy(header("<c16", "(2,)"), raw(values)), /^x: unsupported array/],
    ["dates", npy(header("<M8[D]", "(4,)"), raw(values)), /^x: unsupported array/],
    ["a negative size", npy(header("<f8", "(-4,)"), raw(values)), /^x: unsupported array/],
    ["an inherited name", npy(header("|constructor", "(4,)"), raw(values)), /^x: unsupported array/],
    ["too few numbers", npy(header("<f8", "(5,)"), raw(values)), /^x: truncated: 5 numbers announced, 4 present$/],
    ["too many numbers", npy(header("<f8", "(3,)"), raw(values)), /^x: 3 numbers announced, but 8 bytes follow them$/],
    ["a shape beyond memory", npy(header("<f8", "(99999999, 99999999, 99999999)"), raw(values)), /^x: truncated/],
    ["a long header", npy(`{'descr': '\u001b[31m${"z".repeat(60_000)}'`, raw(values)), /^x: unsupported array .{1,120}$/],
  ])("refuses %s in one line", (_, bytes, message) => {
    expect(() => decodeNpy(bytes, "x")).toThrow(message);
  });
});

it("float16: every finite number is sign · (1 + fraction/1024) · 2^(exponent − 15), smaller ones in steps of 2⁻²⁴", () => {
  const { data } = decodeNpy(npy(header("<f2", "(65536,)"), raw(Uint16Array.from({ length: 65_536 }, (_, bits) => bits))));
  expect([data[0x3c00], data[0x7bff], data[0x0001], data[0x0400], data[0xc000], data[0x7c00], data[0xfc00]]).toEqual([
    1,
    65_504,
    2 ** -24,
    2 ** -14,
    -2,
    Infinity,
    -Infinity,
  ]);
  expect([Object.is(data[0x8000], -0), data[0x7e00], data[0xfe00]]).toEqual([true, Number.NaN, Number.NaN]);
  for (let bits = 0; bits < 0x7c00; bits++) {
    const step = 2 ** (Math.max(1, bits >> 10) - 25);
    expect(data[bits + 1]! - data[bits]!).toBe(bits === 0x7bff ? Infinity : step);
    expect(data[bits + 0x8000]).toBe(-data[bits]!);
  }
});

it.each([
  ["i1", 1, [-128, 127], (view: DataView, at: number, value: number) => view.setInt8(at, value)],
  ["u1", 1, [0, 255], (view: DataView, at: number, value: number) => view.setUint8(at, value)],
  ["i2", 2, [-32_768, 258], (view: DataView, at: number, value: number, little: boolean) => view.setInt16(at, value, little)],
  ["u2", 2, [1, 65_534], (view: DataView, at: number, value: number, little: boolean) => view.setUint16(at, value, little)],
  ["i4", 4, [-(2 ** 31), 16_909_060], (view: DataView, at: number, value: number, little: boolean) => view.setInt32(at, value, little)],
  ["u4", 4, [1, 2 ** 32 - 2], (view: DataView, at: number, value: number, little: boolean) => view.setUint32(at, value, little)],
  ["i8", 8, [-(2 ** 52), 3], (view: DataView, at: number, value: number, little: boolean) => view.setBigInt64(at, BigInt(value), little)],
  ["u8", 8, [2 ** 53, 3], (view: DataView, at: number, value: number, little: boolean) => view.setBigUint64(at, BigInt(value), little)],
  ["f4", 4, [-0.15625, 3e5], (view: DataView, at: number, value: number, little: boolean) => view.setFloat32(at, value, little)],
  ["f8", 8, [-0.1, 3e5], (view: DataView, at: number, value: number, little: boolean) => view.setFloat64(at, value, little)],
] as const)("%s of either byte order", (type, width, values, put) => {
  for (const little of [true, false]) {
    const bytes = new Uint8Array(2 * width);
    values.forEach((value, i) => put(new DataView(bytes.buffer), i * width, value, little));
    const order = width === 1 ? "|" : little ? "<" : ">";
    expect([...decodeNpy(npy(header(`${order}${type}`, "(2,)"), bytes)).data]).toEqual(values);
  }
});
