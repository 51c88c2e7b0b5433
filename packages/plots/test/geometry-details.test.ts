import { afterEach, describe, expect, it, vi } from "vitest";
import {
  drawFigure,
  figureData,
  heatmapRow,
  layerLines,
  page,
  parallelCoordinates,
  phasePlane,
  sequential,
  short,
  sweepPanel,
  sweepPlane,
} from "../src/index.js";
import { narrowPhasePlane } from "../src/phase-plane.js";
import { hues } from "../src/style.js";
import { document, dots, number } from "./geometry-marks.js";

afterEach(() => void vi.restoreAllMocks());
const ticks = (element: Element, axis: "x" | "y" = "x"): (string | null)[] =>
  [...element.querySelectorAll(`[aria-label="${axis}-axis tick label"] text`)].map(({ textContent }) => textContent);
const texts = (element: Element): Record<string, Element> =>
  Object.fromEntries([...element.querySelectorAll("text")].map((node) => [node.textContent ?? "", node]));
/** Where a text stands: its own place or that of the groups around it. */
function placeOf(node: Element): { readonly x: number; readonly y: number } {
  let [x, y] = [0, 0];
  for (let at: Element | null = node; at && at.tagName.toLowerCase() !== "svg"; at = at.parentElement) {
    const [, a, b] = /translate\(([^,)]+),([^)]+)\)/.exec(at.getAttribute("transform") ?? "") ?? ["", "0", "0"];
    [x, y] = [x + Number(a), y + Number(b)];
  }
  return { x, y };
}

describe("sweeps", () => {
  const point = (x: number, y: number, label = "a", error = 0) => ({ x, y, error, label, tip: `${label} ${x}` });

  it("show no sign of the plot library, however few points a curve has", () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const labels = ["a", "b", "c", "d"];
    const few = [
      sweepPanel(
        { title: "t", xLabel: "x", points: labels.map((label, k) => point(1, k, label)), labels, references: ["c", "d"] },
        document,
      ),
      layerLines(
        {
          kind: "lines",
          title: "t",
          xLabel: "l",
          yLabel: "y",
          series: labels.map((label, k) => ({ label, x: Float64Array.of(1), y: Float64Array.of(k) })),
        },
        3,
        document,
      ),
    ];
    for (const element of few) expect(element.textContent).not.toContain("\u26a0");
    expect(warn).not.toHaveBeenCalled();
  });

  it("have a tick at every position while there is room, fewer on telephones, powers of ten beyond", () => {
    const panel = (xs: number[], width?: number): Element =>
      sweepPanel(
        { title: "t", xLabel: "N", points: xs.map((x) => point(x, 1 / x)), labels: ["a"] },
        document,
        width === undefined ? {} : { width },
      );
    const seven = [1, 2, 5, 10, 50, 100, 1000];
    expect(ticks(panel(seven))).toEqual(seven.map(String));
    expect(ticks(panel(seven, 350))).toEqual(["1", "10", "100", "1000"]);
    expect(ticks(panel(Array.from({ length: 12 }, (_, k) => 2 ** k)))).toEqual(["1", "10", "100", "1000"]);
    expect(ticks(panel([3, 7, 4]))).toEqual(["3", "4", "7"]);
  });

  it("draw bars from one error below to one above, cut at the scale, in the colour of their method, and curves from left to right", () => {
    const points = [point(4, 2, "a", 0.5), point(1, 1, "a", 0.25), point(2, 3, "a"), point(1, 2, "b", 9), point(4, 2, "b")];
    const element = sweepPanel({ title: "t", xLabel: "x", points, labels: ["a", "b"] }, document, {
      colours: (label) => (label === "a" ? "red" : "blue"),
    });
    const at = (tip: string) => dots(element).filter((dot) => dot.tip === tip);
    const unit = (at("a 1")[0]!.y - at("a 2")[0]!.y) / 2;
    const bars = [...element.querySelectorAll('[aria-label="rule"] line')].map((line) => ({
      stroke: line.getAttribute("stroke"),
      x: number(line, "x1"),
      ends: [number(line, "y1"), number(line, "y2")].toSorted((a, b) => a - b),
    }));
    expect(bars).toHaveLength(3);
    const [four, one, other] = bars as [(typeof bars)[0], (typeof bars)[0], (typeof bars)[0]];
    expect(four.ends[0]).toBeCloseTo(at("a 4")[0]!.y - 0.5 * unit, 6);
    expect(four.ends[1]).toBeCloseTo(at("a 4")[0]!.y + 0.5 * unit, 6);
    expect(one.ends[0]).toBeCloseTo(at("a 1")[0]!.y - 0.25 * unit, 6);
    expect(four.x).toBeGreaterThan(one.x);
    expect([one.stroke, other.stroke]).toEqual(["red", "blue"]);
    expect(one.ends[1]).toBeCloseTo(at("a 1")[0]!.y + 0.25 * unit, 6);
    // for bars the scale reaches as far again as the values do, 1 to 3, on both sides: -1 to 5, and 6 % of that beyond
    expect(other.ends[0]).toBeCloseTo(at("a 2")[0]!.y - 2.36 * unit, 6);
    expect(other.ends[1]).toBeCloseTo(at("a 1")[0]!.y + 2.36 * unit, 6);
    const curve = [...element.querySelectorAll('[aria-label="line"] path')].find((path) => path.getAttribute("stroke") === "red")!;
    const xs = [...curve.getAttribute("d")!.matchAll(/[ML]([\d.]+),/g)].map(([, x]) => Number(x));
    expect(xs).toEqual(xs.toSorted((a, b) => a - b));
    expect(xs).toHaveLength(3);
  });

  it("write the value into every cell of a plane, dark on light and light on dark, while there is room", () => {
    const values = [
      [0, 0.12345, -250.6],
      [1, null, 0.6],
    ];
    const plane = { title: "t", xLabel: "N", yLabel: "T", xs: ["p", "q"], ys: ["u", "v", "w"], values };
    // a scale of greys: t = 0 is black
    const grey = (t: number) => [255 * t, 255 * t, 255 * t].map(Math.round) as unknown as readonly [number, number, number];
    const element = sweepPlane(plane, document, grey);
    const cells = [...element.querySelectorAll('[aria-label="cell"] rect')];
    const labels = [...element.querySelectorAll('[aria-label="text"] text')];
    expect(labels.map(({ textContent }) => textContent)).toEqual(["0", "0.123", "−251", "1", "0.6"]);
    for (const label of labels) {
      const { x, y } = placeOf(label);
      const cell = cells.find(
        (one) =>
          x > number(one, "x") &&
          x < number(one, "x") + number(one, "width") &&
          y > number(one, "y") &&
          y < number(one, "y") + number(one, "height"),
      )!;
      const shown = cell.querySelector("title")!.textContent!.split(": ")[1]!.replace("−", "-");
      expect(Number(shown)).toBeCloseTo(Number(label.textContent!.replace("−", "-")), -1);
      const dark = Number(/rgb\((\d+)/.exec(cell.getAttribute("fill")!)![1]) < 110;
      expect(label.getAttribute("fill")).toBe(dark ? "#fff" : "#000");
    }
    expect(cells.find((cell) => cell.textContent === "N q, T v: none")!.getAttribute("fill")).toContain("--rule");
    expect(sweepPlane(plane, document, grey, { width: 80 }).querySelectorAll('[aria-label="text"] text')).toHaveLength(0);
    expect([ticks(element).join(), ticks(element, "y").join()]).toEqual(["p,q", "w,v,u"]);
  });
});

describe("parallel coordinates", () => {
  it("name every axis above it, on two lines where they have no room, every value where it lies, and colour by the last", () => {
    const axes = [
      { name: "N", values: [1, 10, 100] },
      { name: "activation", values: [2, 0, 1], categories: ["erf", "relu", "tanh"] },
      { name: "error", values: [5, 3, 4] },
    ];
    const draw = (width?: number): Element =>
      parallelCoordinates(axes, document, sequential, { best: 1, ...(width === undefined ? {} : { width }) });
    const element = draw();
    const place = (text: string) => placeOf(texts(element)[text]!);
    expect(place("N").x).toBeLessThan(place("activation").x);
    expect(place("activation").x).toBeLessThan(place("error").x);
    expect(place("N").y).toBe(place("activation").y);
    const narrow = draw(250);
    expect(placeOf(texts(narrow)["N"]!).y).toBeGreaterThan(placeOf(texts(narrow)["activation"]!).y);
    // three decades are equal steps; names of categories from below
    const heights = ["1", "10", "100"].map((text) => place(text).y);
    expect(heights[0]! - heights[1]!).toBeCloseTo(heights[1]! - heights[2]!, 6);
    expect(heights[0]).toBeGreaterThan(heights[2]!);
    expect(place("erf").y).toBeGreaterThan(place("relu").y);
    expect(place("relu").y).toBeGreaterThan(place("tanh").y);
    const strokes = [...element.querySelectorAll('[aria-label="line"] path')].map((path) => path.getAttribute("stroke"));
    expect(strokes.slice(0, 2)).toEqual([`rgb(${sequential(1).join(",")})`, `rgb(${sequential(0.5).join(",")})`]);
    const path = [...element.querySelectorAll('[aria-label="line"] path')][0]!.getAttribute("d")!;
    const ys = [...path.matchAll(/[ML][\d.]+,([\d.]+)/g)].map(([, y]) => Number(y));
    // the first line: least N, the last category, the largest error
    [place("1").y, place("tanh").y, place("5").y].forEach((y, k) => expect(Math.abs(ys[k]! - y)).toBeLessThan(1));
  });
});

describe("numbers of figures", () => {
  it("have a row for every point of every curve, density and histogram; matrices up to 64 rows", () => {
    const series = [
      { label: "a", x: Float64Array.of(1, 2), y: Float64Array.of(3, 4), error: Float64Array.of(0.5, 0) },
      { label: "b", x: Float64Array.of(5), y: Float64Array.of(6) },
    ];
    expect(figureData({ kind: "density", title: "t", label: "q", series, logX: false })).toEqual([
      ["series", "x", "y", "standardError"],
      ["a", 1, 3, 0.5],
      ["a", 2, 4, 0],
      ["b", 5, 6, ""],
    ]);
    expect(figureData({ kind: "histogram", title: "t", label: "f", values: Float64Array.of(7, -1) })).toEqual([["value"], [7], [-1]]);
    const matrix = (rows: number) => ({ label: `m${rows}`, values: { data: new Float64Array(2 * rows), shape: [rows, 2] as const } });
    const panels = [matrix(64), matrix(65), { label: "k", values: { data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] as const } }];
    const rows = figureData({ kind: "heatmaps", title: "t", panels });
    expect(rows).toHaveLength(1 + 128 + 6);
    expect(rows.slice(-2)).toEqual([
      ["k", 2, 0, 5],
      ["k", 2, 1, 6],
    ]);
  });

  it("are short: four digits, exponents for the very small and the large", () => {
    const values = [0, 1234.5, 99999, 100000, 123456, 0.001, 0.000999, -2, -1.5e-7];
    const wanted = ["0", "1235", "100000", "1e+5", "1.23e+5", "0.001", "9.99e−4", "−2", "−1.5e−7"];
    expect(values.map(short)).toEqual(wanted);
    expect([short(Number.NaN), short(-Infinity)]).toEqual(["NaN", "-Infinity"]);
  });
});

describe("matrices", () => {
  it("are averaged in blocks of their own rows and columns for the pointer", () => {
    const [n, m] = [72, 40];
    const values = { data: Float64Array.from({ length: n * m }, (_, k) => 100 * Math.floor(k / m) + (k % m)), shape: [n, m] as const };
    const image = heatmapRow([{ label: "a", values }], document).querySelector("image")!;
    expect(["data-rows", "data-columns", "data-shape"].map((name) => image.getAttribute(name))).toEqual(["72", "40", "36 36"]);
    const cells = image.getAttribute("data-values")!.split(" ").map(Number);
    for (const [i, j] of [
      [0, 0],
      [3, 8],
      [35, 35],
      [20, 1],
    ] as const) {
      const columns = Array.from({ length: m }, (_, k) => k).filter(
        (k) => k >= Math.floor((j * m) / 36) && k < Math.floor(((j + 1) * m) / 36),
      );
      const mean = 100 * (2 * i + 0.5) + columns.reduce((sum, k) => sum + k, 0) / columns.length;
      expect(cells[i * 36 + j]).toBe(Number(mean.toPrecision(4)));
    }
  });
});

describe("phase planes", () => {
  it("put the line, its name and the maximum where they are, on telephones too", () => {
    const plane = {
      weightVariance: [1, 2, 3, 4],
      biasVariance: [0, 0.1, 0.2],
      values: [1, 2, 3, 4].map((i) => [1, 2, 3].map((j) => 10 * i + j)),
      label: "v",
      criticalLine: [
        [1, 0],
        [1.5, 0.05],
        [2, 0.1],
        [3, 0.15],
        [4, 0.2],
      ] as [number, number][],
      maximum: { weightVariance: 3, biasVariance: 0.2 },
    };
    for (const size of [undefined, narrowPhasePlane]) {
      const element = phasePlane(plane, document, size);
      const cells = [...element.querySelectorAll('[aria-label="rect"] rect')];
      const middle = (i: number, j: number) => {
        const cell = cells[3 * i + j]!;
        return { x: number(cell, "x") + number(cell, "width") / 2, y: number(cell, "y") + number(cell, "height") / 2 };
      };
      const near = (node: Element, to: { x: number; y: number }): void => {
        const { x, y } = placeOf(node);
        expect(Math.hypot(x - to.x, y - to.y)).toBeLessThan(1);
      };
      const { x, y } = middle(2, 2);
      near(texts(element)["measured maximum"]!, { x, y: y - 14 });
      near(element.querySelector('[aria-label="dot"] path')!, middle(2, 2));
      // the fourth of five points
      const [third, fourth] = [middle(2, 1), middle(2, 2)];
      near(texts(element)["χ⊥ = 1"]!, { x: third.x + 8, y: (third.y + fourth.y) / 2 + 4 });
    }
  });
});

describe("colours", () => {
  const luminance = (hex: string): number => {
    const [r, g, b] = [1, 3, 5]
      .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const contrast = (a: string, b: string): number => {
    const [low, high] = [luminance(a), luminance(b)].toSorted((x, y) => x - y) as [number, number];
    return (high + 0.05) / (low + 0.05);
  };

  it("stand out from a light page and from a dark one, which has its own (3 to 1, WCAG for graphics; 4.5 for texts)", () => {
    const html = page("t", "");
    const [, light, dark] = /:root\{([^}]*)\}\s*@media \(prefers-color-scheme:dark\)\{:root\{([^}]*)\}\}/.exec(html)!;
    const read = (block: string): Record<string, string> =>
      Object.fromEntries(block.split(";").map((one) => one.split(":") as [string, string]));
    const [day, night] = [read(light!), read(dark!)];
    expect(Object.keys(day)).toEqual(Object.keys(night));
    expect([day["color-scheme"], night["color-scheme"]]).toEqual(["light", "dark"]);
    for (const { name, light: own, dark: other } of hues) expect([day[`--hue-${name}`], night[`--hue-${name}`]]).toEqual([own, other]);
    for (const theme of [day, night]) {
      for (const { name } of hues) expect(contrast(theme[`--hue-${name}`]!, theme["--surface"]!), name).toBeGreaterThan(3);
      for (const text of ["ink", "soft", "accent", "warn", "bad", "good"])
        expect(contrast(theme[`--${text}`]!, theme["--surface"]!), text).toBeGreaterThan(4.5);
      for (const kind of ["warn", "bad"]) expect(contrast(theme["--ink"]!, theme[`--${kind}-ground`]!), kind).toBeGreaterThan(4.5);
    }
    // what prints is light
    expect(/@media print\{:root\{([^}]*)\}/.exec(html)![1]).toBe(light);
  });

  it("mean one thing: what methods state has their colours, other names those that common methods have not", () => {
    const lines = (labels: string[]): (string | null)[] => {
      const series = labels.map((label, k) => ({ label, x: Float64Array.of(1, 2), y: Float64Array.of(k, k + 1) }));
      const element = drawFigure({ kind: "lines", title: "t", xLabel: "x", yLabel: "y", series }, document);
      return [...element.querySelectorAll('[aria-label="line"] path')].map((path) => /--hue-(\w+)/.exec(path.getAttribute("stroke")!)![1]!);
    };
    expect(lines(["exact", "mine", "nngp"])).toEqual(["blue", "pink", "grey"]);
    expect(lines(["layer 1", "layer 2", "layer 2 at infinite width"])).toEqual(["pink", "olive", "grey"]);
    expect(lines(["infinite width", "first order in 1/N"])).toEqual(["grey", "ochre"]);
    expect(lines(["Gaussian", "sampled, linear units", "sampled, erf units"])).toEqual(["grey", "orange", "pink"]);
    expect(new Set(lines(Array.from({ length: 11 }, (_, k) => `chain ${k}`))).size).toBe(11);
  });
});
