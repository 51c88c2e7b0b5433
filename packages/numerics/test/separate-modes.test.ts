import { expect, it } from "vitest";
import { countSeparateModes } from "../src/index.js";

const nodes = Float64Array.from({ length: 801 }, (_, i) => -10 + i / 40);
const gaussian = (x: number, mean: number, deviation: number): number => Math.exp(-0.5 * ((x - mean) / deviation) ** 2) / deviation;
const mixture = (weight: number, distance: number): Float64Array =>
  nodes.map((x) => (1 - weight) * gaussian(x, -distance / 2, 1) + weight * gaussian(x, distance / 2, 1));

it.each([
  ["one Gaussian", 0, 0, 1],
  ["two far apart, even", 0.5, 8, 2],
  ["two far apart, 3 % in the second", 0.03, 8, 2],
  ["two far apart, 0.5 % in the second", 0.005, 8, 1],
  ["two far apart, 0.5 % in the first", 0.995, 8, 1],
  ["two peaks over a valley of half their height", 0.5, 3, 1],
])("%s", (_, weight, distance, count) => expect(countSeparateModes(mixture(weight, distance))).toBe(count));

it("three modes, the middle one lowest", () => {
  const three = nodes.map((x) => gaussian(x, -6, 0.6) + 0.2 * gaussian(x, 0, 0.6) + gaussian(x, 6, 0.6));
  expect(countSeparateModes(three)).toBe(3);
  expect(countSeparateModes(three.toReversed())).toBe(3);
});

it("a long tail beside its peak is no mode of its own, however thin", () => {
  const tail = nodes.map((_, i) => Math.exp(-i / 60));
  expect(countSeparateModes(tail)).toBe(1);
  expect(countSeparateModes(tail.toReversed())).toBe(1);
  // a low second peak counts where the valley is below 5 % of it, not of the high one
  const beside = (height: number, valley: number): number[] => [1, 0.5, valley * height, height, 0.3 * height];
  for (const density of [beside(0.2, 0.04), beside(0.2, 0.04).toReversed()]) expect(countSeparateModes(density)).toBe(2);
  for (const density of [beside(0.2, 0.06), beside(0.2, 0.06).toReversed()]) expect(countSeparateModes(density)).toBe(1);
});
