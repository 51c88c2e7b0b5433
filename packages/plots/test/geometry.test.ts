import { inflateSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { agreement, calibration, diverging, drawFigure, figureData, heatmapRow, heatmaps, logTicks, sequential } from "../src/index.js";
import { document, number, dots } from "./geometry-marks.js";

/** Decodes the picture of a heat map, three bytes a pixel or one that looks up a palette: RGB rows from the top. */
function pixels(image: Element): { readonly width: number; readonly rows: number[][][] } {
  const bytes = Buffer.from(image.getAttribute("href")!.split(",")[1]!, "base64");
  const width = bytes.readUInt32BE(16);
  const height = bytes.readUInt32BE(20);
  const chunk = (name: string): Buffer => {
    const at = bytes.indexOf(name);
    return bytes.subarray(at + 4, at + 4 + bytes.readUInt32BE(at - 4));
  };
  const raw = inflateSync(chunk("IDAT"));
  // colour bars have three bytes a pixel and no palette
  const palette = bytes.includes("PLTE") ? chunk("PLTE") : undefined;
  const at = (x: number, y: number): number[] =>
    palette
      ? [...palette.subarray(3 * raw[y * (width + 1) + 1 + x]!).subarray(0, 3)]
      : [...raw.subarray(y * (3 * width + 1) + 1 + 3 * x).subarray(0, 3)];
  const rows = Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => at(x, y)));
  return { width, rows };
}

describe("heat maps", () => {
  // 2 × 3 with entries 0 … 5: rows and columns cannot be mistaken for each other.
  const values = { data: Float64Array.of(0, 1, 2, 3, 4, 5), shape: [2, 3] as const };

  it("have the first row on top and columns from left to right", () => {
    for (const element of [heatmaps([{ label: "m", values }], document), heatmapRow([{ label: "m", values }], document)]) {
      const { width, rows } = pixels(element.querySelectorAll("image")[0]!);
      expect([width, rows.length]).toEqual([3, 2]);
      const wanted = Array.from({ length: 2 }, (_, i) => Array.from({ length: 3 }, (_, j) => [...sequential((3 * i + j) / 5)]));
      expect(rows).toEqual(wanted);
    }
  });

  it("centre differences at zero: red above, blue below, on the map as on the bar", () => {
    const element = heatmaps(
      [{ label: "d", values: { data: Float64Array.of(-1, 0, 2, -2), shape: [2, 2] as const }, diverging: true }],
      document,
    );
    const [map, bar] = [...element.querySelectorAll("image")].map(pixels);
    // a colour of the palette is at most half a step of 1/254 away
    [0.25, 0.5, 1, 0].forEach((t, i) =>
      diverging(t).forEach((channel, k) => expect(Math.abs(map!.rows.flat()[i]![k]! - channel)).toBeLessThanOrEqual(2)),
    );
    expect(bar!.rows[0]![0]).toEqual([...diverging(1)]);
    expect(bar!.rows.at(-1)![0]).toEqual([...diverging(0)]);
    const labels = [...element.querySelectorAll("text")].map((node) => [node.textContent, number(node, "y")] as const);
    const heights = Object.fromEntries(labels);
    expect(heights["2"]!).toBeLessThan(heights["0"]!);
    expect(heights["0"]!).toBeLessThan(heights["−2"]!);
  });

  it("average large matrices in blocks and carry their values for the pointer", () => {
    const n = 800;
    const large = { data: Float64Array.from({ length: n * n }, (_, k) => (Math.floor(k / n) < n / 2 ? 1 : 3)), shape: [n, n] as const };
    const row = heatmapRow([{ label: "large", values: large }], document);
    const image = row.querySelector("image")!;
    const { width, rows } = pixels(image);
    expect([width, rows.length]).toEqual([400, 400]);
    expect([rows[0]![0], rows[399]![0]]).toEqual([[...sequential(0)], [...sequential(1)]]);
    const [h, w] = image.getAttribute("data-shape")!.split(" ").map(Number);
    const cells = image.getAttribute("data-values")!.split(" ").map(Number);
    expect(cells).toHaveLength(h! * w!);
    expect([cells[0], cells.at(-1)]).toEqual([1, 3]);
  });

  it.each([7, 50, 411])("draw differences and other orders of %i points without a copy as they draw copies", (n) => {
    const square = (entry: (i: number, j: number) => number) => ({
      data: Float64Array.from({ length: n * n }, (_, k) => entry(Math.floor(k / n), k % n)),
      shape: [n, n] as const,
    });
    const [a, b] = [square((i, j) => Math.sin(i * j + i)), square((i, j) => Math.cos(i - 2 * j))];
    const order = Array.from({ length: n }, (_, i) => (i * 3 + 1) % n);
    const entry = (m: typeof a, i: number, j: number): number => m.data[order[i]! * n + order[j]!]!;
    const copies = [square((i, j) => entry(a, i, j)), square((i, j) => entry(a, i, j) - entry(b, i, j))];
    const drawn = heatmapRow(
      [
        { label: "ordered", values: a, order },
        { label: "difference", values: a, less: b, order, diverging: true },
      ],
      document,
    );
    const [ordered, difference] = copies;
    const expected = heatmapRow(
      [
        { label: "ordered", values: ordered! },
        { label: "difference", values: difference!, diverging: true },
      ],
      document,
    );
    expect(drawn.outerHTML === expected.outerHTML).toBe(true);
    const plain = square((i, j) => a.data[i * n + j]! - b.data[i * n + j]!);
    const svg = (panel: Parameters<typeof heatmaps>[0][number]): string => heatmaps([panel], document).outerHTML;
    expect(svg({ label: "d", values: a, less: b }) === svg({ label: "d", values: plain })).toBe(true);
  });
});

describe("curves", () => {
  const series = [{ label: "a", x: Float64Array.of(1, 10, 100), y: Float64Array.of(1, 3, 2), error: Float64Array.of(0.5, 0.5, 0.5) }];

  it("put larger values further right and higher up, decades at equal distances, bars around their points", () => {
    const element = drawFigure({ kind: "lines", title: "t", xLabel: "N", yLabel: "y", logX: true, series }, document);
    const [a, b, c] = dots(element);
    expect([a!.tip, b!.tip]).toEqual(["a\n1: 1 ± 0.5", "a\n10: 3 ± 0.5"]);
    expect(b!.x - a!.x).toBeCloseTo(c!.x - b!.x, 6);
    expect(a!.x).toBeLessThan(b!.x);
    expect(b!.y).toBeLessThan(c!.y);
    expect(c!.y).toBeLessThan(a!.y);
    const unit = (a!.y - b!.y) / 2;
    const bars = [...element.querySelectorAll("line")].filter(
      (line) => line.hasAttribute("x1") && Math.abs(Math.abs(number(line, "y2") - number(line, "y1")) - unit) < 1e-6,
    );
    expect(bars.length).toBe(3);
  });

  it("draw bars that reach down to zero to the end of a logarithmic axis", () => {
    const own = { label: "a", x: Float64Array.of(1, 2, 3), y: Float64Array.of(1, 2, 50), error: Float64Array.of(0.5, 3, 10) };
    const element = drawFigure({ kind: "lines", title: "t", xLabel: "N", yLabel: "y", logY: true, series: [own] }, document);
    const bars = [...element.querySelectorAll('[aria-label="rule"] line')];
    const [first, second, third] = bars.map((bar) => Math.max(number(bar, "y1"), number(bar, "y2")));
    expect(bars.length).toBe(3);
    expect(second).toBeCloseTo(first!, 6);
    expect(third).toBeLessThan(second!);
  });

  it("label whole numbers where whole numbers are counted, and every tick of a logarithmic axis", () => {
    const layers = drawFigure(
      {
        kind: "lines",
        title: "t",
        xLabel: "layer",
        yLabel: "y",
        series: [{ label: "a", x: Float64Array.of(1, 2, 3), y: Float64Array.of(1, 2, 3) }],
      },
      document,
    );
    const ticks = [...layers.querySelectorAll('[aria-label="x-axis tick label"] text')].map((node) => node.textContent);
    expect(ticks).toEqual(["1", "2", "3"]);
    const wide = drawFigure(
      {
        kind: "lines",
        title: "t",
        xLabel: "N",
        yLabel: "y",
        logX: true,
        series: [{ label: "a", x: Float64Array.of(3, 80), y: Float64Array.of(1, 2) }],
      },
      document,
    );
    expect([...wide.querySelectorAll('[aria-label="x-axis tick label"] text')].map((node) => node.textContent)).toEqual([
      "5",
      "10",
      "20",
      "50",
    ]);
    expect(logTicks(0.01, 1000)).toEqual([0.01, 0.1, 1, 10, 100, 1000]);
    expect(logTicks(2, 9)).toEqual([2, 5].length >= 3 ? [] : [2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("leave the room above them to the labels of marks", () => {
    const curve = { label: "a", x: Float64Array.of(1, 2, 3), y: Float64Array.of(0, 1, 0.5) };
    const marks = [1.9, 2, 2.1].map((x) => ({ label: `at ${x}`, x }));
    const elements = [
      drawFigure({ kind: "lines", title: "t", xLabel: "x", yLabel: "y", series: [curve], marks }, document),
      drawFigure({ kind: "density", title: "t", label: "x", series: [curve], marks, logX: true }, document),
      drawFigure(
        { kind: "histogram", title: "t", label: "x", values: Float64Array.of(1, 2, 2, 3), bins: 2, series: [curve], marks },
        document,
      ),
    ];
    for (const element of elements) {
      const paths = [...element.querySelectorAll('[aria-label="line"] path, [aria-label="rect"] rect')];
      const tops = paths.flatMap((path) =>
        path.hasAttribute("d") ? [...path.getAttribute("d")!.matchAll(/,([\d.]+)/g)].map(([, y]) => Number(y)) : [number(path, "y")],
      );
      const labels = [...element.querySelectorAll("text")].filter((text) => text.textContent.startsWith("at "));
      const down = (node: Element): number => Number(/,([-\d.]+)\)/.exec(node.getAttribute("transform")!)![1]);
      const baselines = labels.map((text) => down(text.parentElement!) + down(text) + 0.71 * 12);
      expect(labels).toHaveLength(3);
      expect(Math.min(...tops)).toBeGreaterThan(Math.max(...baselines) + 6.5);
    }
  });

  it("give their numbers as rows", () => {
    expect(figureData({ kind: "lines", title: "t", xLabel: "x", yLabel: "y", series })).toEqual([
      ["series", "x", "y", "standardError"],
      ["a", 1, 1, 0.5],
      ["a", 10, 3, 0.5],
      ["a", 100, 2, 0.5],
    ]);
    expect(
      figureData({
        kind: "heatmaps",
        title: "t",
        panels: [{ label: "m", values: { data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [2, 3] } }],
      })[5],
    ).toEqual(["m", 1, 1, 5]);
  });

  it("histograms are densities", () => {
    const element = drawFigure({ kind: "histogram", title: "t", label: "f", values: Float64Array.of(0, 0.1, 0.2, 4), bins: 4 }, document);
    const bars = [...element.querySelectorAll('[aria-label="rect"] rect')];
    expect(bars.map((bar) => bar.querySelector("title")?.textContent)).toEqual([
      "0 to 1: 3 of 4",
      "1 to 2: 0 of 4",
      "2 to 3: 0 of 4",
      "3 to 4: 1 of 4",
    ]);
    expect(number(bars[0]!, "height")).toBeCloseTo(3 * number(bars[3]!, "height"), 6);
  });
});

describe("predictions", () => {
  it("count targets inside the stated interval, noise included", () => {
    // z = 1 at every level: an interval of ± √(0.75 + 0.25) holds the targets 0 and 0.9, not 1.1 and −3.
    const element = calibration(
      [{ method: "exact", mean: new Float64Array(4), variance: Float64Array.of(0.75, 0.75, 0.75, 0.75) }],
      Float64Array.of(0, 0.9, 1.1, -3),
      0.25,
      () => 1,
      document,
    );
    expect(new Set(dots(element).map(({ tip }) => tip.split("found ")[1]))).toEqual(new Set(["0.5"]));
    const [low, high] = [dots(element)[0]!, dots(element).at(-1)!];
    expect(low.x).toBeLessThan(high.x);
  });

  it("compare with the reference along x, and keep one wild value from flattening the rest", () => {
    const mean = Float64Array.from({ length: 30 }, (_, i) => i);
    const reference = { method: "monte-carlo", mean, variance: new Float64Array(30) };
    const own = {
      method: "exact",
      mean: mean.map((value) => [0, 2, 1][value] ?? (value === 29 ? 1e6 : value)),
      variance: new Float64Array(30),
    };
    const element = agreement(reference, [own], "mean", document);
    const found = dots(element);
    const at = (i: number) => found.find(({ tip }) => tip.startsWith(`exact, point ${i}\n`))!;
    expect(at(1).x).toBeLessThan(at(2).x);
    expect(at(1).y).toBeLessThan(at(2).y);
    expect(at(29)).toBeUndefined();
    const triangle = (figure: Element) => figure.querySelector("path title")!.parentElement!.getAttribute("transform")!;
    expect(triangle(element)).not.toContain("rotate(180)");
    const below = { ...own, mean: own.mean.map((value) => (value === 1e6 ? -1e6 : value)) };
    expect(triangle(agreement(reference, [below], "mean", document))).toContain("rotate(180)");
    // at the edge that it lies beyond
    const height = (transform: string): number => Number(/^translate\([^,]*,([^)]*)\)/.exec(transform)![1]);
    expect(height(triangle(element))).toBeLessThan(at(28).y);
    expect(height(triangle(agreement(reference, [below], "mean", document)))).toBeGreaterThan(at(28).y);
    expect(at(0).y - at(28).y).toBeGreaterThan(100);
  });
});
