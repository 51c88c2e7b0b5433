import { describe, expect, it } from "vitest";
import {
  columnOf,
  columnVector,
  FinitewidthError,
  inputError,
  matrix,
  matrixFromRows,
  nestedArrays,
  printable,
  rowRange,
  rowsOf,
  stackRows,
  systemReason,
  toMatrix,
} from "../src/index.js";
import { describe as told } from "../src/errors.js";
import { decodeNpy, encodeNpy, posteriorFromNpz, posteriorToNpz } from "../src/npz.js";

const m = matrixFromRows([[1, 2, 3], [4, 5, 6]]); // prettier-ignore

describe("matrices of unequal sides", () => {
  it("have rows, columns, ranges, and others below them", () => {
    expect(m).toEqual({ data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] });
    expect(rowsOf(m)).toEqual([[1, 2, 3], [4, 5, 6]]); // prettier-ignore
    expect([...columnOf(m, 2)]).toEqual([3, 6]);
    expect(rowRange(m, 1, 2)).toEqual({ data: Float64Array.of(4, 5, 6), shape: [1, 3] });
    expect(stackRows(rowRange(m, 1, 2), m)).toEqual(matrixFromRows([[4, 5, 6], [1, 2, 3], [4, 5, 6]])); // prettier-ignore
    expect(columnVector(Float64Array.of(7, 8))).toEqual({ data: Float64Array.of(7, 8), shape: [2, 1] });
    expect(nestedArrays({ data: Float64Array.from({ length: 12 }, (_, i) => i), shape: [2, 3, 2] })).toEqual([
      [[0, 1], [2, 3], [4, 5]],
      [[6, 7], [8, 9], [10, 11]],
    ]); // prettier-ignore
    expect(() => stackRows(m, matrix(1, 2, Float64Array.of(1, 2)))).toThrow("b: expected 3 columns, got 2");
    expect(() => matrix(2, 2, Float64Array.of(1))).toThrow("data: expected 2 × 2 = 4 numbers, got 1");
    expect(() => matrixFromRows([[1, 2], [3]], "x")).toThrow("x[1]: expected 2 numbers, like the first row, got 1");
  });

  it("are read from whatever is one: rows, tensors, columns, ml-matrix", () => {
    for (const value of [rowsOf(m), m, { to2DArray: () => rowsOf(m) }, [Float64Array.of(1, 2, 3), [4, 5, 6]]])
      expect(toMatrix(value, "x")).toEqual(m);
    for (const value of [[7, 8], Float64Array.of(7, 8), { data: Float64Array.of(7, 8), shape: [2] }])
      expect(toMatrix(value, "x")).toEqual({ data: Float64Array.of(7, 8), shape: [2, 1] });
    expect(toMatrix({ data: m.data, shape: m.shape }, "x").data).toBe(m.data);
  });

  it.each<[unknown, string]>([
    [3, "x: expected an array of rows, got 3"],
    [{}, "x: expected an array of rows, got an object"],
    [[[1, 2], 3], "x[1]: expected an array of numbers, got 3"],
    [
      [
        [1, 2],
        [3, "4"],
      ],
      'x[1][1]: expected a finite number, got "4"',
    ],
    [
      [
        [1, 2, 3],
        [4, Infinity, 6],
      ],
      "x[1][1]: expected a finite number, got Infinity",
    ],
    [{ data: Float64Array.of(1, 2), shape: [1, 1, 2] }, "x: expected a matrix (2 indices), got 3 indices"],
    [{ data: Float64Array.of(1, 2), shape: [2, 2] }, "x: expected 2 × 2 numbers, got 2"],
  ])("are not %j", (value, message) => expect(() => toMatrix(value as never, "x")).toThrow(message));
});

describe("errors", () => {
  it("are told by path with what was got in short, and survive as plain data", () => {
    const error = inputError("a.b", "a number", "text");
    expect(error.toJSON()).toEqual({
      message: 'a.b: expected a number, got "text"',
      code: "input",
      path: "a.b",
      expected: "a number",
      received: '"text"',
    });
    expect(new FinitewidthError("no", { code: "file" }).toJSON()).toEqual({ message: "no", code: "file" });
    expect(error instanceof FinitewidthError).toBe(true);
    expect(Object.assign(new Error("from elsewhere"), { name: "FinitewidthError", code: "input" }) instanceof FinitewidthError).toBe(true);
    expect(new Error("other") instanceof FinitewidthError).toBe(false);
    const texts = [null, undefined, true, 0.5, [], [1, 2], {}, () => 1].map(told);
    expect(texts).toEqual(["null", "nothing", "true", "0.5", "an empty array", "an array of 2", "an object", "a function"]);
    expect(told("x".repeat(60))).toBe(`"${"x".repeat(60)}"`);
    expect(told("x".repeat(61))).toBe(`"${"x".repeat(57)}…"`);
  });

  it("have no control characters and an end, which shows both ends", () => {
    expect(printable("a\u001b[31m\u202eb\n  c")).toBe("a\\u001b[31m\\u202eb c");
    expect(printable(`${"a".repeat(500)}${"b".repeat(500)}`, 300)).toBe(`${"a".repeat(199)}…${"b".repeat(100)}`);
    expect(printable("a".repeat(300), 300)).toHaveLength(300);
    expect(new FinitewidthError("one\ntwo\u0007", { code: "input" }).message).toBe("one\ntwo\\u0007");
    const reasons = ["ENOENT", "EACCES", "ENOSPC", "EISDIR", "EWHAT"].map((code) => systemReason({ code }));
    expect(reasons).toEqual([
      "no such file or folder",
      "permission denied",
      "no space left on the disk",
      "it is a folder, not a file",
      "EWHAT",
    ]);
    expect(systemReason("text")).toBe("text");
  });
});

describe("arrays in files", () => {
  it("in Fortran order have their first index fastest", () => {
    const C = { data: Float64Array.from({ length: 24 }, (_, i) => i), shape: [2, 3, 4] };
    const bytes = encodeNpy({ data: Float64Array.from({ length: 24 }, (_, k) => 12 * (k % 2) + 4 * (Math.floor(k / 2) % 3) + Math.floor(k / 6)), shape: [2, 3, 4] }); // prettier-ignore
    const text = new TextDecoder("latin1").decode(bytes).indexOf("False");
    bytes.set(new TextEncoder().encode("True "), text);
    expect(decodeNpy(bytes)).toEqual(C);
    expect(decodeNpy(encodeNpy(C))).toEqual(C);
    expect(decodeNpy(encodeNpy({ data: Float64Array.of(1, 2), shape: [2] })).shape).toEqual([2]);
    // numpy asks for headers that end at a multiple of 64 bytes
    expect(encodeNpy(C).length - 8 * 24).toBe(128);
    // a view of part of a buffer takes the part
    expect(decodeNpy(encodeNpy({ data: C.data.subarray(3, 5), shape: [2] })).data).toEqual(Float64Array.of(3, 4));
  });

  it("posteriors come back as they were, numbers that are not finite, vectors and lists of tensors too", () => {
    const posterior = {
      theory: "x",
      state: { list: [m, { deep: Float64Array.of(1, 2) }], infinite: -Infinity, none: null, text: "t" },
      train: { mean: m },
      warnings: ["w"],
      logEvidence: Number.NaN,
    } as never;
    expect(posteriorFromNpz(posteriorToNpz(posterior))).toEqual(posterior);
    expect(() => posteriorFromNpz(new Uint8Array(4))).toThrow(/^npz: not a readable \.npz file/);
  });
});
