import { inflateSync } from "node:zlib";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import {
  agreement,
  calibration,
  drawFigure,
  encodePng,
  figureBlock,
  heatmaps,
  htmlTable,
  narrowPhasePlane,
  phasePlane,
  short,
} from "../src/index.js";

const document = parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;
const matrix = (n: number, f: (i: number, j: number) => number) => ({
  data: Float64Array.from({ length: n * n }, (_, k) => f(Math.floor(k / n), k % n)),
  shape: [n, n] as const,
});

describe("tables", () => {
  it("stacked ones name the header of each cell but the first, for narrow screens", () => {
    const rows = [["a", "b", "c"]];
    const table = htmlTable(["check", "found <", ""], rows, { stacked: true });
    expect(table).toContain('<table class="stacked">');
    expect(table).toContain('<td>a</td><td data-header="found &lt;">b</td><td>c</td>');
    expect(htmlTable(["check", "found", ""], rows)).not.toMatch(/stacked|data-header/);
  });
});

describe("cards of figures", () => {
  it("are one image each, with the caption for a name: no part of a plot speaks", () => {
    const figure = document.createElement("figure");
    figure.innerHTML =
      '<svg class="a-swatch"></svg><svg><g aria-label="line"><rect aria-label="frame" aria-description="x"></rect></g><svg></svg></svg>';
    const card = parseHTML(figureBlock(figure, "A line.")).document;
    expect([...card.querySelectorAll("[aria-label]")].map((part) => [part.tagName.toLowerCase(), part.getAttribute("aria-label")])).toEqual(
      [["svg", "A line."]],
    );
    expect(card.querySelectorAll("[aria-description]")).toHaveLength(0);
    expect(card.querySelectorAll('svg[aria-hidden="true"]')).toHaveLength(2);
  });
});

describe("PNG", () => {
  const chunkOf = (png: Uint8Array, name: string): Uint8Array => {
    const at = Buffer.from(png).indexOf(name);
    return png.subarray(at + 4, at + 4 + new DataView(png.buffer).getUint32(at - 4));
  };

  it("holds the pixels", () => {
    const rgb = Uint8Array.from({ length: 2 * 3 * 3 }, (_, i) => (37 * i) % 256);
    const raw = inflateSync(chunkOf(encodePng(3, 2, rgb), "IDAT"));
    expect([...raw]).toEqual([0, ...rgb.subarray(0, 9), 0, ...rgb.subarray(9)]);
  });

  it("holds the palette and what looks up in it", () => {
    const palette = Uint8Array.of(1, 2, 3, 250, 251, 252);
    const png = encodePng(3, 2, Uint8Array.of(0, 1, 1, 1, 0, 0), palette);
    expect([...chunkOf(png, "PLTE")]).toEqual([...palette]);
    expect([...inflateSync(chunkOf(png, "IDAT"))]).toEqual([0, 0, 1, 1, 0, 1, 0, 0]);
    expect(chunkOf(png, "IHDR")[9]).toBe(3);
  });
});

describe("heat maps", () => {
  it("share limits between panels of one kind and centre differences at zero", () => {
    const svg = heatmaps(
      [
        { label: "a", values: matrix(3, (i, j) => i + j) },
        { label: "b", values: matrix(3, () => 10) },
        { label: "difference", values: matrix(3, (i) => i - 0.5), diverging: true },
      ],
      document,
    );
    const titles = [...svg.querySelectorAll("title")].map((title) => title.textContent);
    expect(titles).toEqual(["a: 3 × 3, from 0 to 10", "b: 3 × 3, from 0 to 10", "difference: 3 × 3, from −1.5 to 1.5"]);
  });

  it("survive constant and non-finite entries", () => {
    expect(heatmaps([{ label: "constant", values: matrix(2, () => 1) }], document).outerHTML).toContain("0.5 to 1.5");
    expect(heatmaps([{ label: "NaN", values: matrix(2, () => Number.NaN) }], document).outerHTML).not.toContain("NaN to");
  });

  it("writes counts into their cells, zeros left out, and names beside rows and below columns", () => {
    const counts = matrix(3, (i, j) => (i === j ? 7 + i : i > j ? 1 : 0));
    const texts = (names: string[]): string[] =>
      Array.from(
        heatmaps([{ label: "m", values: counts, names, written: true }], document).querySelectorAll("text"),
        (t) => t.textContent!,
      );
    expect(texts(["a", "b", "c"])).toEqual(["m", "a", "b", "c", "7", "1", "8", "1", "1", "9", "a", "b", "c"]);
    expect(texts(["setosa", "versicolor", "virginica"])).toContain("versicol…");
  });

  it("names rows beside the picture, large enough to read, and no picture loses its colour bar for it", () => {
    const names = Array.from({ length: 16 }, (_, i) => `${1 + Math.floor(i / 4)}·${1 + (i % 4)}`);
    const svg = heatmaps([{ label: "m", values: matrix(16, (i, j) => i - j), names }], document);
    const [image] = svg.querySelectorAll("image");
    const left = Number(image!.getAttribute("x"));
    const rows = [...svg.querySelectorAll("text")].filter(({ textContent }) => names.includes(textContent));
    expect(rows.map(({ textContent }) => textContent)).toEqual(names);
    for (const [i, row] of rows.entries()) {
      expect([row.getAttribute("text-anchor"), Number(row.getAttribute("x")) < left]).toEqual(["end", true]);
      expect(Number(row.getAttribute("font-size"))).toBeGreaterThanOrEqual(11);
      expect(Number(row.getAttribute("y"))).toBeCloseTo(26 + ((i + 0.5) * 190) / 16 + 4, 9);
    }
    const edge = Math.max(...[...svg.querySelectorAll("text")].map((text) => Number(text.getAttribute("x")) + 6 * text.textContent.length));
    expect(edge).toBeLessThanOrEqual(Number(svg.getAttribute("width")));
  });

  it("writes the count of row i and column j to the right of name i and above name j", () => {
    const counts = matrix(3, (i, j) => (i === 0 && j === 2 ? 5 : 0));
    const svg = heatmaps([{ label: "m", values: counts, names: ["a", "b", "c"], written: true }], document);
    const texts = [...svg.querySelectorAll("text")].map((text) => ({
      text: text.textContent,
      x: Number(text.getAttribute("x")),
      y: Number(text.getAttribute("y")),
    }));
    const [row, , , count, , , column] = texts.slice(1) as { text: string; x: number; y: number }[];
    expect([count!.text, row!.text, column!.text]).toEqual(["5", "a", "c"]);
    expect(Math.abs(count!.y - row!.y)).toBeLessThan(5);
    expect(count!.x).toBeCloseTo(column!.x, 6);
  });

  it("cuts error bars at what a quantity can be", () => {
    const series = [{ label: "s", x: Float64Array.of(0, 1), y: Float64Array.of(0.5, 1), error: Float64Array.of(0.1, 0.4), points: true }];
    const figure = { kind: "lines", title: "t", xLabel: "x", yLabel: "y", series } as const;
    const ticks = (bounds?: readonly [number, number]): string =>
      drawFigure({ ...figure, ...(bounds ? { bounds } : {}) }, document).textContent!;
    expect(ticks()).toContain("1.2");
    expect(ticks([0, 1])).not.toContain("1.2");
  });
});

describe("figures", () => {
  const series = [{ label: "exact", x: Float64Array.of(0, 1, 2), y: Float64Array.of(0, 1, 0), error: Float64Array.of(0.1, 0.1, 0.1) }];
  it("are drawn from data for every kind", () => {
    const drawn = [
      drawFigure({ kind: "lines", title: "t", xLabel: "x", yLabel: "y", series, marks: [{ label: "mark", x: 1 }] }, document),
      drawFigure({ kind: "density", title: "t", label: "q", series, logX: false }, document),
      drawFigure({ kind: "histogram", title: "t", label: "f", values: Float64Array.of(0, 1, 1, 2), bins: 4, series }, document),
      drawFigure({ kind: "heatmaps", title: "t", panels: [{ label: "K", values: matrix(2, (i, j) => i * j) }] }, document),
    ];
    for (const element of drawn) {
      expect(element.outerHTML).toContain("<svg");
      expect(element.outerHTML).not.toContain("NaN");
    }
    expect(drawn[0]!.outerHTML).toContain("mark");
  });

  it("calibration of a correct Gaussian follows the diagonal", () => {
    const targets = Float64Array.of(-1, 0, 1);
    const element = calibration(
      [{ method: "exact", mean: new Float64Array(3), variance: Float64Array.of(1, 1, 1) }],
      targets,
      0,
      (p) => (p > 0.5 ? 2 * p : 0),
      document,
    );
    expect(element.outerHTML).toContain("stated probability");
    expect(
      agreement(
        { method: "monte-carlo", mean: targets, variance: targets, standardError: targets },
        [{ method: "exact", mean: targets, variance: targets }],
        "mean",
        document,
      ).outerHTML,
    ).toContain("monte-carlo");
  });

  it("phase planes have a size for telephones, the name of the colours within it", () => {
    const plane = {
      weightVariance: [1, 2],
      biasVariance: [0, 1],
      values: [
        [0, 1],
        [1, 2],
      ],
      label: "fixed-point variance",
      criticalLine: [],
    };
    const element = phasePlane(plane, document, narrowPhasePlane);
    expect(element.getAttribute("width")).toBe("350");
    const label = Array.from(element.querySelectorAll("text")).find((text) => text.textContent === plane.label)!;
    expect([label.getAttribute("x"), label.getAttribute("text-anchor")]).toEqual(["348", "end"]);
  });

  it("phase planes on telephones have room for the numbers of the colour bar", () => {
    const values = [[-1.23456e-5, -0.06668]];
    const element = phasePlane(
      { weightVariance: [1], biasVariance: [0, 1], values, label: "v", criticalLine: [] },
      document,
      narrowPhasePlane,
    );
    const numbers = Array.from(element.querySelectorAll("text")).filter((text) => /^−0\.0[36]|e−5$/.test(text.textContent));
    expect(numbers.map((text) => text.textContent)).toEqual(["−1.23e−5", "−0.0333", "−0.0667"]);
    // widest usual font at 12 px: digits 0.64 em, signs 0.84 em
    for (const text of numbers) {
      const signs = text.textContent.split("−").length - 1;
      const right = Number(text.getAttribute("x")) + 12 * (0.64 * (text.textContent.length - signs) + 0.84 * signs);
      expect(right).toBeLessThanOrEqual(350);
    }
  });

  it("phase planes show both marks", () => {
    const element = phasePlane(
      {
        weightVariance: [1, 2],
        biasVariance: [0, 0.1],
        values: [
          [0.5, null],
          [1.5, 1],
        ],
        label: "χ⊥",
        pivot: 1,
        criticalLine: [
          [1, 0],
          [1.5, 0.05],
        ],
        maximum: { weightVariance: 1, biasVariance: 0 },
      },
      document,
    );
    expect(element.outerHTML).toContain("χ⊥ = 1");
    expect(element.outerHTML).toContain("measured maximum");
  });

  it("numbers are short and use a true minus", () => {
    expect([short(-0.000123), short(1.23456), short(123456)]).toEqual(["−1.23e−4", "1.235", "1.23e+5"]);
  });
});

it("labels of marks stand on the side of their lines where no other line is near, within the frame", () => {
  const anchors = (xs: readonly number[], logX: boolean): (string | null)[] => {
    const marks = xs.map((x) => ({ label: "infinite width", x }));
    const svg = drawFigure({ kind: "density", title: "t", label: "x", series: [wide], marks, logX }, document);
    const texts = [...svg.querySelectorAll("text")].filter(({ textContent }) => textContent === "infinite width");
    return texts.map((one) => one.closest("[text-anchor]")?.getAttribute("text-anchor") ?? "start");
  };
  const wide = { label: "y", x: Float64Array.of(1, 10, 100), y: Float64Array.of(0, 1, 0) };
  // the space between two lines is nobody's
  expect(anchors([20, 8], true)).toEqual(["start", "end"]);
  expect(anchors([40, 60], false)).toEqual(["end", "start"]);
  // nor does a label leave the frame, or run through another line, where it need not
  expect(anchors([2, 5], false)).toEqual(["start", "start"]);
  expect(anchors([95, 98], false)).toEqual(["end", "end"]);
  expect(anchors([30], false)).toEqual(["start"]);
  expect(anchors([70], false)).toEqual(["end"]);
});
