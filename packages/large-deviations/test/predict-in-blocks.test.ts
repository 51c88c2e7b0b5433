import type { Matrix } from "@finitewidth/core";
import { expect, it } from "vitest";
import { predictInBlocks } from "../src/effective-action/regimes/predict-in-blocks.js";

const inputs: Matrix = { data: Float64Array.from({ length: 14 }, (_, i) => i), shape: [7, 2] };
const sums = ({ data, shape: [rows] }: Matrix) => ({
  mean: Float64Array.from({ length: rows }, (_, i) => data[2 * i]! + data[2 * i + 1]!),
  variance: Float64Array.from({ length: rows }, (_, i) => data[2 * i]! * data[2 * i + 1]!),
});

it.each([1, 3, 7, 100])("blocks of %i points give what all points at once give", (size) => {
  const seen: number[] = [];
  const found = predictInBlocks(inputs, size, (block) => (seen.push(block.shape[0]), sums(block)), {});
  expect(found).toEqual(sums(inputs));
  expect(Math.max(...seen)).toBe(Math.min(size, 7));
});

it("is left between two blocks", () => {
  const signal = AbortSignal.abort(new Error("enough"));
  expect(() => predictInBlocks(inputs, 3, sums, { signal })).toThrow("enough");
});
