import * as Plot from "@observablehq/plot";
import type { Figure, Mark, Series } from "@finitewidth/core";
import { coloursOf, plotStyle, short } from "./style.js";

interface Point {
  readonly x: number;
  readonly y: number;
  readonly label: string;
  readonly low: number;
  readonly high: number;
}

const pointsOf = (series: Series): Point[] =>
  Array.from(series.x, (x, i) => {
    const y = series.y[i]!;
    const error = series.error?.[i] ?? 0;
    return { x, y, label: series.label, low: y - error, high: y + error };
  }).filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));

const markLines = (marks: readonly Mark[] | undefined): Plot.Markish[] =>
  (marks ?? []).flatMap((mark, i) => [
    Plot.ruleX([mark.x], { stroke: "#444", strokeDasharray: "4 3" }),
    Plot.text([mark], {
      x: "x",
      text: "label",
      frameAnchor: "top",
      dy: 6 + 13 * i,
      dx: 4,
      textAnchor: "start",
      fill: "#444",
      stroke: "white",
      strokeWidth: 3,
    }),
  ]);

/** Logarithmic axis with plain numbers (Plot writes 10m for 0.01). */
const logarithmic = { type: "log", tickFormat: (value: number) => (Math.abs(Math.log10(value) % 1) < 1e-9 ? short(value) : "") } as const;

const frame = (document: Document, labels: readonly string[]) => ({
  document,
  width: 620,
  height: 320,
  marginLeft: 58,
  marginBottom: 42,
  style: plotStyle,
  color: { domain: [...labels], range: coloursOf(labels), legend: labels.length > 1 },
});

/** Curves with optional error bars; vertical marks. */
export function lines(figure: Extract<Figure, { kind: "lines" }>, document: Document): Element {
  const { series, marks, xLabel, yLabel, logX, logY } = figure;
  const positive = (point: Point): boolean => (!logX || point.x > 0) && (!logY || point.y > 0);
  const parts = series.map((one) => ({
    points: pointsOf(one).filter(positive),
    markers: one.points ?? false,
    errors: one.error !== undefined,
  }));
  return Plot.plot({
    ...frame(
      document,
      series.map((one) => one.label),
    ),
    x: { label: xLabel, ...(logX ? logarithmic : {}), grid: true },
    y: { label: yLabel, ...(logY ? logarithmic : {}), grid: true },
    marks: [
      Plot.frame({ stroke: "#ccc" }),
      ...markLines(marks),
      ...parts.flatMap(({ points, markers, errors }) => [
        ...(errors
          ? [
              Plot.ruleX(
                points.filter((point) => !logY || point.low > 0),
                { x: "x", y1: "low", y2: "high", stroke: "label", strokeWidth: 1.5 },
              ),
            ]
          : []),
        ...(markers ? [] : [Plot.line(points, { x: "x", y: "y", stroke: "label", strokeWidth: 1.8 })]),
        ...(markers || points.length <= 40 ? [Plot.dot(points, { x: "x", y: "y", fill: "label", r: markers ? 3.5 : 2 })] : []),
      ]),
    ],
  });
}

/** Probability densities over a common axis, filled; vertical marks. */
export function densities(figure: Extract<Figure, { kind: "density" }>, document: Document): Element {
  const { series, marks, label, logX } = figure;
  const points = series.map(pointsOf);
  return Plot.plot({
    ...frame(
      document,
      series.map((one) => one.label),
    ),
    x: { label, ...(logX ? logarithmic : {}) },
    y: { label: "probability density", grid: true },
    marks: [
      Plot.frame({ stroke: "#ccc" }),
      ...points.flatMap((part) => [
        Plot.areaY(part, { x: "x", y: "y", fill: "label", fillOpacity: 0.12 }),
        Plot.line(part, { x: "x", y: "y", stroke: "label", strokeWidth: 1.8 }),
      ]),
      ...markLines(marks),
    ],
  });
}

/** Histogram as a density, with curves over it. */
export function histogram(figure: Extract<Figure, { kind: "histogram" }>, document: Document): Element {
  const { values, bins = 60, series = [], marks, label } = figure;
  const sampled = "sampled";
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const width = (high - low) / bins || 1;
  const counts = new Float64Array(bins);
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value - low) / width))]!++;
  const bars = Array.from(counts, (count, i) => ({
    x1: low + i * width,
    x2: low + (i + 1) * width,
    y: count / (values.length * width),
    label: sampled,
  }));
  return Plot.plot({
    ...frame(document, [sampled, ...series.map((one) => one.label)]),
    x: { label },
    y: { label: "probability density", grid: true },
    marks: [
      Plot.frame({ stroke: "#ccc" }),
      Plot.rectY(bars, { x1: "x1", x2: "x2", y: "y", fill: "label", fillOpacity: 0.35, inset: 0 }),
      ...series.map((one) => Plot.line(pointsOf(one), { x: "x", y: "y", stroke: "label", strokeWidth: 1.8 })),
      ...markLines(marks),
    ],
  });
}
