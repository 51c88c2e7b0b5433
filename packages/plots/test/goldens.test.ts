// Every drawing of this package as text, with the numbers that it puts on the page. Whoever changes one on purpose looks at the picture
// first, then writes the files again: vitest run test/goldens.test.ts --update.
import { createHash } from "node:crypto";
import { inflateSync } from "node:zlib";
import { parseHTML } from "linkedom";
import { describe, expect, it } from "vitest";
import {
  agreement,
  calibration,
  colourOf,
  densities,
  diverging,
  drawFigure,
  encodePng,
  figureData,
  heatmapRow,
  heatmaps,
  histogram,
  layerLines,
  lines,
  logTicks,
  ownTicks,
  parallelCoordinates,
  phasePlane,
  reportColours,
  robustRange,
  sequential,
  short,
  standaloneSvg,
  sweepPanel,
  sweepPlane,
} from "../src/index.js";

const document = parseHTML("<!doctype html><html><body></body></html>").document as unknown as Document;

/** Size, colours and pixels of a PNG, whose compressed bytes may be others in another version of the library. */
function pixels(base64: string): string {
  const bytes = Buffer.from(base64, "base64");
  const parts: string[] = [];
  for (let at = 8; at < bytes.length;) {
    const [length, name] = [bytes.readUInt32BE(at), bytes.toString("latin1", at + 4, at + 8)];
    const data = bytes.subarray(at + 8, at + 8 + length);
    const content = name === "IDAT" ? inflateSync(data) : data;
    parts.push(`${name} ${content.length > 40 ? createHash("sha256").update(content).digest("hex") : content.toString("hex")}`);
    at += 12 + length;
  }
  return parts.join(", ");
}
/** One tag a line, numbers to four decimals, style sheets of Plot left out. */
const text = (element: Element | string): string =>
  (typeof element === "string" ? element : element.outerHTML)
    .replaceAll(/data:image\/png;base64,([\w+/=]+)/g, (_, base64: string) => pixels(base64))
    .replaceAll(/<style>[^<]*<\/style>/g, "")
    .replaceAll(/-?\d+\.\d{5,}(e-?\d+)?/g, (number) => String(Number(Number(number).toFixed(4))))
    .replaceAll(/></g, ">\n<");
const golden = (name: string, element: Element | string): Promise<void> => expect(text(element)).toMatchFileSnapshot(`goldens/${name}.txt`);

const series = [
  {
    label: "exact",
    x: Float64Array.of(1, 3, 10, 40),
    y: Float64Array.of(0.5, 2, 1, 4),
    error: Float64Array.of(0.1, 0, 0.2, 0.3),
    points: true,
  },
  { label: "nngp", x: Float64Array.of(1, 10, 40, Number.NaN), y: Float64Array.of(1, -1, 3, 2), dashed: true },
  { label: "part", group: "exact", x: Float64Array.of(2, 20), y: Float64Array.of(0.2, 0.3) },
];
const marks = [
  { label: "left", x: 2 },
  { label: "right", x: 35 },
];
const curve = { kind: "lines", title: "t", xLabel: "width", yLabel: "error", series, marks } as const;
const colours = (label: string): string => `colour-of-${label}`;

describe("curves", () => {
  it("linear axes, errors, marks, dashes, groups", () => golden("lines", lines(curve, document)));
  it("logarithmic axes", () =>
    golden("lines-logarithmic", lines({ ...curve, logX: true, logY: true }, document, { colours, legend: false })));
  it("many points, one label, size", () => {
    const x = Float64Array.from({ length: 60 }, (_, i) => i);
    return golden(
      "lines-many",
      lines({ ...curve, marks: [], series: [{ label: "a", x, y: x.map((v) => v * v) }] }, document, { width: 300, height: 200 }),
    );
  });
  it("densities", () => golden("densities", densities({ kind: "density", title: "t", label: "q", series, marks, logX: false }, document)));
  it("densities, logarithmic", () =>
    golden("densities-logarithmic", densities({ kind: "density", title: "t", label: "q", series, marks, logX: true }, document)));
  it("histograms", () =>
    golden(
      "histogram",
      histogram(
        {
          kind: "histogram",
          title: "t",
          label: "f",
          values: Float64Array.of(-1, 0.2, 0.25, 0.3, 0.9, 2),
          bins: 5,
          series: [series[2]!],
          marks,
        },
        document,
      ),
    ));
  it("layers", () =>
    golden(
      "layers",
      layerLines({ ...curve, series: [{ label: "a", x: Float64Array.of(1, 2, 23), y: Float64Array.of(3, 1, 2) }] }, 23, document),
    ));
});

describe("predictions", () => {
  const own = { method: "exact", mean: Float64Array.of(0.1, -0.4, 2, 90), variance: Float64Array.of(0.2, 0.3, 0.4, 0.5) };
  const reference = {
    method: "monte-carlo",
    mean: Float64Array.of(0.2, -0.5, 1.8, 1),
    variance: Float64Array.of(0.25, 0.2, 0.5, 0.4),
    standardError: Float64Array.of(0.1, 0.05, 0, 0.2),
  };
  it("calibration", () =>
    golden(
      "calibration",
      calibration([own, reference], Float64Array.of(0, 1, -2, 1.5), 0.1, (p) => 4 * (p - 0.5) ** 2, document, { colours }),
    ));
  it("agreement of means", () => golden("agreement-means", agreement(reference, [own, { ...own, method: "nngp" }], "mean", document)));
  it("agreement of variances", () =>
    golden("agreement-variances", agreement(reference, [own], "variance", document, { width: 300, height: 200, legend: false })));
  it("agreement of many points thins them out", () => {
    const many = Float64Array.from({ length: 400 }, (_, i) => Math.sin(i));
    const all = { method: "a", mean: many, variance: many };
    return golden("agreement-many", agreement({ ...all, method: "b" }, [all], "mean", document));
  });
});

describe("matrices", () => {
  const matrix = (rows: number, columns: number, of: (i: number, j: number) => number) => ({
    data: Float64Array.from({ length: rows * columns }, (_, k) => of(Math.floor(k / columns), k % columns)),
    shape: [rows, columns] as const,
  });
  const panels = [
    { label: "claimed", values: matrix(2, 3, (i, j) => i - 2 * j), names: ["first", "second"] },
    { label: "difference", values: matrix(3, 2, (i, j) => i * j - 1.3), diverging: true },
    { label: "broken", values: matrix(2, 2, (i, j) => (i === j ? Number.NaN : Infinity)) },
    { label: "constant", values: matrix(1, 1, () => 3) },
  ];
  it("side by side", () => golden("heatmaps", heatmaps(panels, document)));
  it("one by one", () =>
    golden("heatmap-row", heatmapRow([...panels, { label: "large", values: matrix(50, 45, (i, j) => i * i + j) }], document)));
  it("phase planes", () =>
    golden(
      "phase-plane",
      phasePlane(
        {
          weightVariance: [1, 2, 4],
          biasVariance: [0, 0.1],
          values: [
            [0.2, null],
            [1.4, 2],
            [3, -1],
          ],
          label: "χ",
          pivot: 1,
          criticalLine: [
            [0.1, 0],
            [1.2, 0.02],
            [2, 0.05],
            [3, 0.1],
            [9, 0.1],
          ],
          maximum: { weightVariance: 2, biasVariance: 0.1 },
        },
        document,
      ),
    ));
  it("phase planes without a pivot, on one column", () =>
    golden(
      "phase-plane-plain",
      phasePlane({ weightVariance: [1.5], biasVariance: [0, 1], values: [[2, 2]], label: "v", criticalLine: [] }, document),
    ));
});

describe("sweeps", () => {
  const point = (x: number, y: number, label = "exact", more = {}) => ({ x, y, error: 0, label, tip: `${label} ${x}: ${y}`, ...more });
  const points = [
    point(1, 0.2, "exact", { error: 0.05 }),
    point(5, 0.4, "exact", { warned: true }),
    point(25, 0.3),
    point(1, 0.35, "nngp"),
    point(5, 0.35, "nngp"),
    point(25, 0.35, "nngp"),
    point(5, 1e4, "other"),
    point(25, -1e4, "other"),
  ];
  const panel = { title: "error", xLabel: "N", points, labels: ["exact", "nngp", "other"], references: ["nngp"] };
  it("panels", () => golden("sweep-panel", sweepPanel(panel, document, { colours })));
  it("panels of names", () =>
    golden(
      "sweep-panel-names",
      sweepPanel({ ...panel, points: [point(0, 1), point(2, 3), point(1, 2)], categories: ["erf", "relu", "sign"] }, document),
    ));
  it("planes", () =>
    golden(
      "sweep-plane",
      sweepPlane(
        {
          title: "t",
          xLabel: "N",
          yLabel: "T",
          xs: ["1", "2", "4"],
          ys: ["0.1", "1"],
          values: [
            [0.12345, -250.6],
            [null, 3],
            [2, 1],
          ],
          best: [2, 1],
        },
        document,
        sequential,
        { width: 400 },
      ),
    ));
  it("planes with many cells", () => {
    const names = (n: number): string[] => Array.from({ length: n }, (_, i) => String(i + 1));
    const values = Array.from({ length: 24 }, (_, i) => Array.from({ length: 18 }, (_, j) => i - j / 2));
    return golden(
      "sweep-plane-many",
      sweepPlane({ title: "t", xLabel: "N", yLabel: "P", xs: names(24), ys: names(18), values }, document, diverging),
    );
  });
  it("parallel coordinates", () =>
    golden(
      "parallel",
      parallelCoordinates(
        [
          { name: "N", values: [1, 10, 100, 1000] },
          { name: "a name that is long for its place", values: [0, 1, 1, 0], categories: ["erf", "relu"] },
          { name: "T", values: [0.5, 0.5, 0.5, 0.5] },
          { name: "error", values: [3, 1, 2, 4] },
        ],
        document,
        sequential,
        { best: 1, width: 500 },
      ),
    ));
});

describe("what figures are made of", () => {
  it("ticks and ranges", () => {
    expect(logTicks(0.3, 3000)).toEqual([1, 10, 100, 1000]);
    expect(logTicks(1, 30)).toEqual([1, 2, 5, 10, 20]);
    expect(logTicks(1, 4)).toEqual([1, 1.5, 2, 3, 4]);
    expect(logTicks(1e-6, 1e6)).toEqual([1e-6, 1e-3, 1, 1e3, 1e6]);
    expect([logTicks(0, 1), logTicks(2, 1), logTicks(1, Infinity)]).toEqual([[], [], []]);
    expect(ownTicks([3, 1, 3, 2], 3)).toEqual([1, 2, 3]);
    expect(ownTicks([3, 1, 2, 4], 3)).toBeUndefined();
    expect(robustRange([])).toEqual([0, 1]);
    expect(robustRange([4])).toEqual([2, 6]);
    expect(robustRange([0, 0])).toEqual([-0.5, 0.5]);
    // 10 % and 90 % quantiles 1 and 9 of eleven numbers, widened by 1.5 × 8
    expect(robustRange([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 100])).toEqual([0, 21]);
    expect(robustRange([-100, 1, 2, 3, 4, 5, 6, 7, 8, 9, Number.NaN, 10])).toEqual([-11, 10]);
  });

  it("colours", () => {
    expect([sequential(0), sequential(0.2), sequential(1), sequential(-1), sequential(2)]).toEqual([
      [27, 16, 68],
      [59, 58, 143],
      [244, 224, 77],
      [27, 16, 68],
      [244, 224, 77],
    ]);
    expect(sequential(0.1)).toEqual([43, 37, 106]);
    expect([diverging(0), diverging(0.5), diverging(1)]).toEqual([
      [18, 58, 115],
      [247, 247, 247],
      [122, 15, 31],
    ]);
    const methods = [
      "nngp",
      "exact",
      "effective-action",
      "large-deviation",
      "forward-backward",
      "perturbative",
      "expectation-propagation",
      "monte-carlo",
      "mine",
      "yours",
    ];
    expect(methods.map((method) => /--hue-(\w+)/.exec(colourOf(method))![1])).toMatchSnapshot();
    const colour = reportColours([
      { label: "b", method: "exact" },
      { label: "exact" },
      { label: "c", method: "unknown" },
      { label: "b", method: "nngp" },
    ]);
    expect(["b", "exact", "c", "never given"].map((label) => /--hue-(\w+)/.exec(colour(label))![1])).toMatchSnapshot();
  });

  it("numbers as text", () => {
    expect([0, Number.NaN, Infinity, 1, -1, 0.001, 0.00099, 99999, 1e5, -2.5e-7, 1.23456, 123456, 2000].map(short)).toEqual([
      "0",
      "NaN",
      "Infinity",
      "1",
      "−1",
      "0.001",
      "9.9e−4",
      "100000",
      "1e+5",
      "−2.5e-7",
      "1.235",
      "1.23e+5",
      "2000",
    ]);
  });

  it("files: pictures below each other with their legends, and pixels with checksums", async () => {
    await golden(
      "standalone",
      standaloneSvg([lines(curve, document), heatmaps([{ label: "m", values: { data: Float64Array.of(1, 2), shape: [1, 2] } }], document)]),
    );
    expect(Buffer.from(encodePng(2, 1, Uint8Array.of(255, 0, 0, 0, 0, 255))).toString("hex")).toMatchSnapshot();
  });

  it("figures of every kind by their data", async () => {
    for (const figure of [
      { ...curve, logX: true },
      { kind: "density", title: "t", label: "q", series: [series[2]!], logX: false },
      { kind: "histogram", title: "t", label: "f", values: Float64Array.of(1, 2, 2), bins: 2 },
      {
        kind: "heatmaps",
        title: "t",
        panels: [{ label: "m", values: { data: Float64Array.of(1, 2, 3, 4, 5, 6), shape: [3, 2] as const } }],
      },
    ] as const) {
      await golden(`figure-${figure.kind}`, drawFigure(figure, document));
      expect(figureData(figure)).toMatchSnapshot(figure.kind);
    }
  });
});
