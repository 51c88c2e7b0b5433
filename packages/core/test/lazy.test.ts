import { expect, test } from "vitest";
import { amended, withLazy } from "../src/index.js";

test("a lazy property is made once, by whoever reads it first, copies included", () => {
  let made = 0;
  const base: { a: number; b: number[]; c?: string } = withLazy({ a: 1 }, { b: () => [++made] });
  const copy = amended(amended(base, { a: 2 }), { c: "x" });
  expect("b" in copy).toBe(true);
  expect(made).toBe(0);
  expect(copy.b).toEqual([1]);
  expect(base.b).toBe(copy.b);
  expect([copy.a, base.a, made]).toEqual([2, 1, 1]);
});

test("to readers it is plain data", () => {
  const value = withLazy({ a: 1 }, { b: () => [2] });
  expect(structuredClone(value)).toEqual({ a: 1, b: [2] });
  expect(JSON.stringify(withLazy({ a: 1 }, { b: () => [2] }))).toBe('{"a":1,"b":[2]}');
  expect({ ...withLazy({ a: 1 }, { b: () => [2] }) }).toEqual({ a: 1, b: [2] });
});

test("an error of a maker comes out, and again when asked again", () => {
  const value = withLazy(
    {},
    {
      b: (): number => {
        throw new Error("no");
      },
    },
  );
  expect(() => value.b).toThrow("no");
  expect(() => value.b).toThrow("no");
});
