import { matrixFromRows } from "@finitewidth/core";
import { expect, it } from "vitest";
import { showsKernel } from "../src/report/sections.js";
import type { Story } from "../src/report/story.js";

const kernel = (a: number): ReturnType<typeof matrixFromRows> => matrixFromRows([[1, a], [a, 1]]); // prettier-ignore

it("kernels of the first layers alone are compared with infinite width of the same layer", () => {
  const story = (...learned: number[]): Story =>
    ({ best: { posterior: { hiddenKernels: learned.map(kernel) } }, infinite: [kernel(0.2), kernel(0.7)] }) as unknown as Story;
  expect(showsKernel(story(0.2))).toBe(false);
  expect(showsKernel(story(0.7))).toBe(true);
  expect(showsKernel(story(0.3, 0.7))).toBe(false);
  expect(showsKernel(story(0.2, 0.8))).toBe(true);
});
