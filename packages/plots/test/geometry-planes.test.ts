import { describe, expect, it } from "vitest";
import { diverging, phasePlane, sequential } from "../src/index.js";
import { document, number } from "./geometry-marks.js";

describe("phase planes", () => {
  it("have the same distance on both sides of a pivot, which is white, wherever most values are", () => {
    const values = [
      [-1, 0.5],
      [1, 1.5],
    ];
    const plane = { weightVariance: [1, 2], biasVariance: [0, 0.1], values, label: "χ", pivot: 1, criticalLine: [] };
    const element = phasePlane(plane, document);
    const fills = [...element.querySelectorAll('[aria-label="rect"] rect')].map((cell) => cell.getAttribute("fill"));
    expect(fills).toEqual(values.flat().map((value) => `rgb(${diverging(0.5 + (value - 1) / 4).join(",")})`));
    expect([...element.querySelectorAll("text")].slice(-3).map((text) => text.textContent)).toEqual(["3", "1", "−1"]);
    const other = phasePlane({ ...plane, values: values.map((row) => row.map((value) => 2 - value)) }, document);
    expect([...other.querySelectorAll("text")].slice(-3).map((text) => text.textContent)).toEqual(["3", "1", "−1"]);
  });

  it("have the weight variance along x and the bias variance upwards", () => {
    const element = phasePlane(
      {
        weightVariance: [1, 2, 3],
        biasVariance: [0, 0.1],
        values: [
          [0, 1],
          [2, 3],
          [4, 5],
        ],
        label: "v",
        criticalLine: [
          [1, 0],
          [2.9, 0.1],
        ],
      },
      document,
    );
    const cells = [...element.querySelectorAll('[aria-label="rect"] rect')];
    const fills = cells.map((cell) => cell.getAttribute("fill"));
    expect(fills).toEqual([0, 1, 2, 3, 4, 5].map((value) => `rgb(${sequential(value / 5).join(",")})`));
    expect(number(cells[0]!, "x")).toBeLessThan(number(cells[2]!, "x"));
    expect(number(cells[1]!, "y")).toBeLessThan(number(cells[0]!, "y"));
  });

  it("draw the critical line within the frame only, and no label of a line that is outside", () => {
    const plane = { weightVariance: [1, 2], biasVariance: [0, 0.2], values: [[0, 1], [2, 3]], label: "v" }; // prettier-ignore
    const drawn = (line: readonly (readonly [number, number])[]): Element => phasePlane({ ...plane, criticalLine: line }, document);
    const path = (element: Element): string => element.querySelector('[aria-label="line"] path')?.getAttribute("d") ?? "";
    const inside = [[1.2, 0], [1.4, 0.1], [1.6, 0.2]] as const; // prettier-ignore
    expect(path(drawn([[0.2, 0.1], ...inside, [1.8, 0.9], [3, 0.2]]))).toBe(path(drawn(inside))); // prettier-ignore
    expect(drawn([[1.5, 0.9]]).textContent).not.toContain("χ⊥ = 1"); // prettier-ignore
  });
});
