import { matrixFromRows } from "@finitewidth/core";
import { describe, expect, it } from "vitest";
import { experimentReport } from "../src/report/experiment-report.js";
import { showsKernel } from "../src/report/sections.js";
import type { Story } from "../src/report/story.js";
import { outcomeOf, planned, resultsOf } from "./outcomes.js";
import { documentOf } from "./pages.js";

const kernel = (a: number): ReturnType<typeof matrixFromRows> => matrixFromRows([[1, a], [a, 1]]); // prettier-ignore

it("kernels of the first layers alone are compared with infinite width of the same layer", () => {
  const story = (...learned: number[]): Story =>
    ({ best: { posterior: { hiddenKernels: learned.map(kernel) } }, infinite: [kernel(0.2), kernel(0.7)] }) as unknown as Story;
  expect(showsKernel(story(0.2))).toBe(false);
  expect(showsKernel(story(0.7))).toBe(true);
  expect(showsKernel(story(0.3, 0.7))).toBe(false);
  expect(showsKernel(story(0.2, 0.8))).toBe(true);
});

describe.each([2, 3])("a report on %d hidden layers", (depth) => {
  it("opens with the last; the others are in the section below, each with its own numbers", async () => {
    const network = { type: "fully-connected", widths: Array.from({ length: depth }, (_, l) => 4 + l), activation: "identity" };
    const plan = await planned({ network, methods: ["exact"] });
    const layers = Array.from({ length: depth }, (_, l) =>
      matrixFromRows(
        Array.from({ length: 4 }, (_i, i) => Array.from({ length: 4 }, (_j, j) => 100 * (l + 1) + 10 * Math.max(i, j) + Math.min(i, j))),
      ),
    );
    const posterior = { logEvidence: -1, diagnostics: {}, solver: {}, hiddenKernels: layers };
    const page = documentOf(
      experimentReport(
        plan,
        resultsOf(plan, (_s, _n, _m, label) => outcomeOf(label, 1, { posterior })),
        "layers",
      ),
    );
    const shown = [...page.querySelectorAll(".card[data-name^='kernel'], h2")].map((element) => {
      if (element.tagName === "H2") return element.textContent;
      const learned = element.querySelectorAll("image[data-values]")[1]!.getAttribute("data-values")!.split(" ").map(Number);
      return [element.querySelector("figcaption")!.textContent!.slice(0, 14), learned.toSorted((a, b) => a - b)];
    });
    const card = (l: number) =>
      [`Hidden layer ${l}`, layers[l - 1]!.data.toSorted()].map((part) => (typeof part === "string" ? part : [...part]));
    const below = Array.from({ length: depth - 1 }, (_, l) => card(l + 1));
    expect(shown.slice(0, depth + 1)).toEqual([card(depth), "What each layer learned", ...below]);
    expect(shown.slice(depth + 1).filter(Array.isArray)).toEqual([]);
  });
});
