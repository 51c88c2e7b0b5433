import { expect, it } from "vitest";
import { loadMnist, standardisation, standardisationOf, standardise, standardised } from "../src/index.js";

it("standardisation of pixels in bytes gives the numbers that the pixels themselves give, to the last bit", async () => {
  const { pixels } = await loadMnist("test");
  const shape = [300, 784] as const;
  const codes = pixels.subarray(0, 300 * 784);
  const numbers = { data: Float64Array.from(codes, (code) => code / 255), shape };
  const scale = standardisation(numbers, "global");
  expect(standardisationOf({ codes, shape }, "global")).toEqual(scale);
  expect(standardised({ codes, shape }, scale)).toEqual(standardise(numbers, scale));
});
