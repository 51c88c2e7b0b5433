import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import { phaseReport, type PhaseResult } from "../src/report/phase-report.js";

/** Values of a grid over both variances. */
const grid = (rows: number, columns: number) =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => 1 + i + j));
const line = [0.5, 1, 2, 2.5];
/** One variance fixed at 0.3: a critical line of two pieces crosses it in the second, a quarter of the way from 1.2 to 2. */
const along = [
  [0.8, 0],
  [1.2, 0.2],
  [2, 0.6],
] as const;
const result = (overWeights: boolean, criticalLine: readonly (readonly [number, number])[] = along): PhaseResult => {
  const values = overWeights ? grid(line.length, 1) : grid(1, line.length);
  return {
    grid: overWeights ? { weightVariance: line, biasVariance: [0.3] } : { weightVariance: [0.3], biasVariance: line },
    variance: values,
    chiPerp: values,
    chiParallel: values,
    correlation: values,
    depthScaleCorrelation: values,
    criticalLine: overWeights ? criticalLine : criticalLine.map(([w, b]) => [b, w] as const),
    warnings: [],
  };
};
/** Where the marks of the first figure are, in units of its axis, which its dots give. */
function marks(report: string): { readonly label: string | null; readonly x: number }[] {
  const { document } = parseHTML(report);
  const card = document.querySelector("[data-name='phases']")!;
  const picture = card.querySelector(".wide") ?? card;
  const [first, ...rest] = [...picture.querySelectorAll("circle")].map((circle) => Number(circle.getAttribute("cx")));
  const scale = (line.at(-1)! - line[0]!) / (rest.at(-1)! - first!);
  const rules = [...picture.querySelectorAll("[stroke-dasharray='4 3']")].flatMap((group) => {
    const node = group.matches("line") ? group : group.querySelector("line");
    return node ? [Number(node.getAttribute("x1"))] : [];
  });
  const labels = [...picture.querySelectorAll("text")].map(({ textContent }) => textContent).filter((text) => text === "χ⊥ = 1");
  return rules.map((x, i) => ({ label: labels[i] ?? null, x: line[0]! + (x - first!) * scale }));
}

describe("the report of a phase diagram with one value of a variance", () => {
  it.each([true, false])("marks where the critical line passes it (over weight variances: %s)", (overWeights) => {
    for (const path of [along, along.toReversed()]) {
      const found = marks(phaseReport("erf", result(overWeights, path), "one line"));
      expect(found.map(({ label }) => label)).toEqual(["χ⊥ = 1"]);
      expect(found[0]!.x).toBeCloseTo(1.4, 6);
    }
    // at a point of the line, too
    const [through] = marks(
      phaseReport(
        "erf",
        result(overWeights, [
          [0.8, 0.1],
          [1.9, 0.3],
          [2.2, 0.5],
        ]),
        "one line",
      ),
    );
    expect(through!.x).toBeCloseTo(1.9, 6);
  });

  it.each([true, false])(
    "draws every number at its variance, and the measured maximum on the adaptation alone (over weights: %s)",
    (overWeights) => {
      const maximum = overWeights ? { weightVariance: 2, biasVariance: 0.3 } : { weightVariance: 0.3, biasVariance: 2 };
      const own = result(overWeights);
      const adaptation = { shift: own.variance.map((row) => row.map((value) => 10 * value!)), alignmentGain: own.variance, maximum };
      const { document } = parseHTML(phaseReport("erf", { ...own, adaptation }, "one line"));
      const card = (name: string) => document.querySelector(`[data-name='${name}']`)!;
      const tips = (name: string) => [...card(name).querySelectorAll("circle title")].map(({ textContent }) => textContent);
      expect(tips("phases")).toEqual(line.map((x, i) => `χ⊥\n${x}: ${1 + i}`));
      expect(tips("adaptation")).toEqual(line.map((x, i) => `|C − K| / |K|\n${x}: ${10 * (1 + i)}`));
      expect(card("phases").textContent).toContain(overWeights ? "weight variance σ_w²" : "bias variance σ_b²");
      expect(["phases", "adaptation", "alignment gain"].map((name) => card(name).textContent!.includes("measured maximum"))).toEqual([
        false,
        true,
        false,
      ]);
      // the third of the points
      const third = Number(card("adaptation").querySelectorAll("circle")[2]!.getAttribute("cx"));
      const rules = [...card("adaptation").querySelectorAll("[stroke-dasharray='4 3'] line, line[stroke-dasharray='4 3']")].map((rule) =>
        Number(rule.getAttribute("x1")),
      );
      expect(rules).toHaveLength(2);
      expect(Math.abs(rules[1]! - third)).toBeLessThan(1e-6);
    },
  );

  it("marks nothing where the line does not pass, or passes beyond the axis", () => {
    expect(
      marks(
        phaseReport(
          "erf",
          result(true, [
            [1, 0],
            [2, 0.2],
          ]),
          "one line",
        ),
      ),
    ).toEqual([]);
    expect(
      marks(
        phaseReport(
          "erf",
          result(true, [
            [3, 0],
            [4, 0.6],
          ]),
          "one line",
        ),
      ),
    ).toEqual([]);
    expect(marks(phaseReport("erf", result(false, []), "one line"))).toEqual([]);
  });
});
