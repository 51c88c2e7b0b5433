import { describe, expect, it } from "vitest";
import { parseJsonText } from "../src/index.js";

describe("texts of JSON", () => {
  it("may have comments and trailing commas", async () => {
    expect(await parseJsonText('{ "a": [1, 2] }', "e.json")).toEqual({ a: [1, 2] });
    expect(await parseJsonText('// mine\n{ "a": /* two */ [1, 2,], }', "e.json")).toEqual({ a: [1, 2] });
  });

  it("say every key once in its object", async () => {
    const twice = "a[1].b: expected one value in e.json, got another at line 1, column 25";
    await expect(parseJsonText('{ "a": [1, { "b": "c:", "b": 2 }] }', "e.json")).rejects.toThrow(twice);
    await expect(parseJsonText('{ "a": 1, "a": 2, }', "e.json")).rejects.toThrow("a: expected one value in e.json");
    expect(await parseJsonText('{ "a": { "b": 1 }, "b": { "a": "\\"b\\":" } }', "e.json")).toEqual({ a: { b: 1 }, b: { a: '"b":' } });
  });

  const value = "expected a number, true, false, null or a text in double quotes";
  it.each([
    ["{ 'a': 1 }", `line 1, column 3: expected a double quote ("), got '`],
    ["{ “a”: 1 }", `line 1, column 3: expected a double quote ("), got “`],
    ['{\n "a": None }', `line 2, column 7: ${value}, got None`],
    ['{ "a": [1, NaN] }', `line 1, column 12: ${value}, got NaN`],
    ['{ "a": True }', `line 1, column 8: ${value}, got True`],
    ['{ "a": {}\n "b": 1 }', "line 2, column 2: comma expected"],
    ['{ "a": ', "line 1, column 8: value expected"],
    ['{ "a": true false }', "line 1, column 13: comma expected"],
    ["", "line 1, column 1: value expected"],
  ])("that are none are refused with the place and what stands there: %j", async (text, why) => {
    await expect(parseJsonText(text, "e.json")).rejects.toThrow(`e.json: is not JSON (${why})`);
  });
});
