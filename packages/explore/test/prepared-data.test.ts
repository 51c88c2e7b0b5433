import { expect, it } from "vitest";
import { PreparedData } from "../src/compute/prepared-data.js";
import { initialState } from "../src/index.js";

it("data are made once while choice and seed stay the same, and again when one of them changes", () => {
  const prepared = new PreparedData();
  const teacher = { kind: "teacher", dimension: 3, train: 5, noise: 0.1 } as const;
  const state = { ...initialState, data: teacher, seed: 1 };
  const first = prepared.of(state, undefined);
  expect(prepared.of({ ...state, data: { ...teacher } }, undefined)).toBe(first);
  const other = prepared.of({ ...state, seed: 2 }, undefined);
  expect(other.data.id).not.toBe(first.data.id);
  expect(other.rows).not.toEqual(first.rows);
  const fewer = prepared.of({ ...state, data: { ...teacher, train: 4 } }, undefined);
  expect(fewer.data.train.inputs.shape).toEqual([4, 3]);
  expect(new Set([first, other, fewer].map(({ data }) => data.id)).size).toBe(3);
  expect(prepared.of(state, undefined).rows).toEqual(first.rows);
});
