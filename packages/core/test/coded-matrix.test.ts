import { deserialize, serialize } from "node:v8";
import { expect, it } from "vitest";
import { codedMatrix, copyRows, matrix, rowRange, toMatrix, type Matrix } from "../src/index.js";
import { isCoded } from "../src/coded-matrix.js";

const codes = Uint8Array.of(0, 1, 2, 255, 1, 1);
const values = Float64Array.from({ length: 256 }, (_, code) => (code / 255 - 0.13) / 0.3);
const plain = matrix(
  3,
  2,
  Float64Array.from(codes, (code) => values[code]!),
);
const coded = (): Matrix => codedMatrix(3, 2, codes, values);

it("has the numbers of its codes, from when they are read", () => {
  const m = coded();
  expect(isCoded(m)).toBe(true);
  expect(m).toEqual(plain);
  expect(isCoded(m)).toBe(false);
  expect(m.data).toBe(m.data);
});

it("gives rows without making the rest", () => {
  const m = coded();
  expect(rowRange(m, 1, 3)).toEqual(rowRange(plain, 1, 3));
  expect(rowRange(m, 0, 0).data).toHaveLength(0);
  const out = new Float64Array(2);
  copyRows(m, 2, out);
  expect(out).toEqual(plain.data.subarray(4));
  expect(isCoded(m)).toBe(true);
  void m.data;
  expect(rowRange(m, 1, 3).data.buffer).toBe(m.data.buffer);
  out.fill(0);
  copyRows(m, 2, out);
  expect(out).toEqual(plain.data.subarray(4));
});

it("is a matrix like others to whatever copies it", () => {
  expect(structuredClone(coded())).toEqual(plain);
  expect(deserialize(serialize(coded()))).toEqual(plain);
  expect({ ...coded() }).toEqual(plain);
  expect(JSON.stringify(coded())).toBe(JSON.stringify(plain));
});

it("is taken as it is where a matrix is asked for, with finite numbers only", () => {
  const m = coded();
  expect(toMatrix(m, "x")).toBe(m);
  expect(isCoded(m)).toBe(true);
  const bad = values.slice();
  bad[255] = Number.NaN;
  expect(() => toMatrix(codedMatrix(3, 2, codes, bad), "x")).toThrow(/^x\[1\]\[1\]: expected a finite number/);
  bad[255] = values[255]!;
  // a code that no entry has
  bad[7] = Number.NaN;
  expect(toMatrix(codedMatrix(3, 2, codes, bad), "x")).toEqual(plain);
  expect(() => codedMatrix(2, 2, codes, values)).toThrow(/^codes: expected 2 × 2 = 4 bytes, got 6/);
});
