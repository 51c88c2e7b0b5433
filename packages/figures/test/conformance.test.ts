import { createRegistry, inlineRun, type PaperFigure } from "@finitewidth/core";
import { figureChecks } from "@finitewidth/core/conformance";
import { plugin as datasets } from "@finitewidth/datasets";
import { figureLab, reproduceFigure } from "@finitewidth/experiment";
import { standardPlugins } from "@finitewidth/verification";
import { describe, expect, it } from "vitest";
import { plugin } from "../src/index.js";

const registry = createRegistry([...standardPlugins, datasets, plugin]);
const compute = async (figure: PaperFigure) => {
  const files: string[] = [];
  const lab = figureLab(inlineRun({ registry }), { onExperiment: (name) => files.push(name) });
  return { ...(await reproduceFigure(figure, "quick", lab)), files };
};

// All figures at quick size are computed by tools/check-figures.mjs, with a budget.
describe.each(["hanin-depth", "zavatone-veth-bottleneck"])("%s", async (name) => {
  const figure = registry.figure(name);
  const { numbers, files } = await compute(figure);
  for (const check of figureChecks(figure, numbers)) it(check.name, check.run);

  it("gives the same numbers again, from experiments of different names", async () => {
    expect((await compute(figure)).numbers).toEqual(numbers);
    expect(new Set(files).size).toBe(files.length);
  });
});

describe("the conformance suite of figures", () => {
  const sound: PaperFigure<{ readonly slope: number }> = {
    name: "a-line",
    summary: "a line",
    paper: "Nobody 2026",
    statement: "It falls.",
    differences: "None.",
    compute: () => Promise.resolve({ slope: -1 }),
    pictures: ({ slope }) => [
      {
        caption: "A line.",
        figure: {
          kind: "lines",
          title: "line",
          xLabel: "x",
          yLabel: "y",
          series: [{ label: "y", x: Float64Array.of(0, 1), y: Float64Array.of(0, slope) }],
        },
      },
    ],
    checks: ({ slope }) => [{ name: "falls", expected: "a negative slope", found: String(slope), holds: slope < 0 }],
    faults: [{ name: "it rises", apply: ({ slope }) => ({ slope: -slope }) }],
  };
  const failures = (figure: typeof sound, numbers = { slope: -1 }): string[] =>
    figureChecks(figure, numbers).flatMap((check) => {
      try {
        void check.run();
        return [];
      } catch (error) {
        return [(error as Error).message];
      }
    });

  it("passes a sound figure", () => expect(failures(sound)).toEqual([]));
  it("wants checks that can fail", () => {
    const toothless = { ...sound, checks: () => [{ name: "falls", expected: "anything", found: "anything", holds: true }] };
    expect(failures(toothless)).toEqual(["falls: holds under every fault, so it shows nothing"]);
  });
  it("wants faults that are noticed", () => {
    const faults = [...sound.faults, { name: "nothing", apply: (numbers: { readonly slope: number }) => numbers }];
    expect(failures({ ...sound, faults })).toEqual(['fault "nothing": no check notices it']);
  });
  it("says what is not shown", () => expect(failures(sound, { slope: 2 })).toContain("falls: expected a negative slope, found 2"));
  it("wants finite numbers", () => expect(failures(sound, { slope: Number.NaN })).toContain("numbers: expected finite numbers, got NaN"));
});
