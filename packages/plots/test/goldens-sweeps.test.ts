import { describe, expect, it } from "vitest";
import {
  colourOf,
  diverging,
  drawFigure,
  encodePng,
  figureData,
  heatmaps,
  lines,
  logTicks,
  ownTicks,
  parallelCoordinates,
  reportColours,
  robustRange,
  sequential,
  short,
  standaloneSvg,
  sweepPanel,
  sweepPlane,
} from "../src/index.js";
import { document, golden, series, curve, colours } from "./golden.js";

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
      "−2.5e−7",
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
