import type { WishartChain, WishartLayer } from "@finitewidth/core";
import { stream } from "@finitewidth/random";
import { expect, test } from "vitest";
import { siteLaw } from "../src/site-law.js";

test("draws are of the first mixing matrix, through all layers", () => {
  const layer = (variance: number): WishartLayer => ({
    width: 400,
    sites: 1,
    variance,
    taps: [],
    biasVariance: 0,
    biasWeights: Float64Array.of(1),
  });
  const one = { data: Float64Array.of(1), shape: [1, 1] } as const;
  const chain: WishartChain = { layers: [{ ...layer(2), taps: [one] }, layer(3)], readoutBiasVariance: 0 };
  const law = siteLaw(chain, (inputs) => [inputs]);
  let mean = 0;
  for (let i = 0; i < 400; i++) mean += law.sample(1, stream(3, i)).data[0]! / 400;
  // E M_1 = 2·3; its relative spread is √(2/400 + 2/400), a twentieth of that for the mean of 400 draws
  expect(Math.abs(mean - 6)).toBeLessThan(5 * 6 * Math.sqrt(4 / 400 / 400));
});
