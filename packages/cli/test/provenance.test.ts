import type { DataSplit, Matrix } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { hashOfData } from "../src/provenance.js";

const matrix = (rows: number, columns: number, from: number): Matrix => ({
  data: Float64Array.from({ length: rows * columns }, (_, i) => from + i),
  shape: [rows, columns],
});
/** Data as their four arrays. */
const split = ([x, y, u, v]: readonly Matrix[]): DataSplit => ({ train: { inputs: x!, targets: y! }, test: { inputs: u!, targets: v! } });
const arrays = [matrix(4, 3, 1), matrix(4, 2, 20), matrix(2, 3, 40), matrix(2, 1, 60)];
const own = hashOfData([split(arrays)]);
/** The data with another array in one place. */
const changed = (at: number, array: Matrix): DataSplit => split(arrays.map((one, i) => (i === at ? array : one)));

describe("the hash of data, by which results are kept, resumed and merged", () => {
  it("is one of numbers, wherever they lie", () => {
    const inside = arrays.map(({ data, shape }) => ({ data: Float64Array.of(7, ...data, 7).subarray(1, data.length + 1), shape }));
    expect(hashOfData([split(inside)])).toBe(own);
  });

  it.each(["training inputs", "training targets", "test inputs", "test targets"].map((name, at) => [name, at] as const))(
    "knows every number and the shape of %s",
    (_name, at) => {
      const { data, shape } = arrays[at]!;
      const hashes = Array.from(data, (value, i) => hashOfData([changed(at, { data: data.with(i, -value), shape })]));
      hashes.push(hashOfData([changed(at, { data, shape: [shape[1], shape[0]] })]));
      expect(new Set([own, ...hashes]).size).toBe(data.length + 2);
    },
  );

  it("knows every set of data, which part of it is missing, and their order", () => {
    const whole = split(arrays);
    const other = changed(1, matrix(4, 2, 21));
    const { test, train } = whole;
    const sets: DataSplit[][] = [
      [whole],
      [whole, other],
      [other, whole],
      [other],
      [{ train }],
      [{ train, test: { inputs: test!.inputs } }],
    ];
    expect(new Set(sets.map(hashOfData)).size).toBe(sets.length);
  });
});
