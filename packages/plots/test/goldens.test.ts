import { describe, it } from "vitest";
import { agreement, calibration, densities, heatmapRow, heatmaps, histogram, layerLines, lines, phasePlane } from "../src/index.js";
import { document, golden, series, marks, curve, colours } from "./golden.js";

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
