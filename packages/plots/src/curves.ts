import * as Plot from "@observablehq/plot";
import type { Figure, Mark, Series } from "@finitewidth/core";
import { leftOfLine, logTicks } from "./axis.js";
import { coloursOf, plotStyle, rule, short, soft, surface, type DrawOptions } from "./style.js";

interface Point {
  readonly x: number;
  readonly y: number;
  readonly label: string;
  readonly low: number;
  readonly high: number;
  readonly tip: string;
}

const pointsOf = (series: Series, [least, most]: readonly [number, number] = [-Infinity, Infinity]): Point[] =>
  Array.from(series.x, (x, i) => {
    const y = series.y[i]!;
    const error = series.error?.[i] ?? 0;
    const tip = `${series.label}\n${short(x)}: ${short(y)}${error > 0 ? ` ± ${short(error)}` : ""}`;
    return { x, y, label: series.group ?? series.label, low: Math.max(least, y - error), high: Math.min(most, y + error), tip };
  }).filter((point) => Number.isFinite(point.x) && Number.isFinite(point.y));

/** Lines of text of the labels of marks. */
const markLine = 14;
const inset = 6;
/** Room above the curves for the labels of marks, or whatever is highest would run through them. */
const below = (marks: readonly Mark[] = []): { readonly insetTop: number } => ({
  insetTop: marks.length === 0 ? inset : 12 + markLine * marks.length,
});

/** Sides of a curve's frame that are no room for it. */
const [marginLeft, marginRight] = [62, 18];
const defaultWidth = 720;
/** Pixels of a letter of a label, at least. */
const letter = 7;

/** Vertical marks; labels one below the other. */
function markLines(
  marks: readonly Mark[] | undefined,
  [low, high]: readonly [number, number],
  log: boolean,
  { width = defaultWidth }: DrawOptions,
): Plot.Markish[] {
  const pixels = width - marginLeft - marginRight;
  const at = (x: number): number => pixels * (log ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low));
  const left = leftOfLine(
    (marks ?? []).map((mark) => ({ at: at(mark.x), needed: letter * mark.label.length })),
    pixels,
  );
  return (marks ?? []).flatMap((mark, i) => {
    return [
      Plot.ruleX([mark.x], { stroke: soft, strokeDasharray: "4 3" }),
      Plot.text([mark], {
        x: "x",
        text: "label",
        frameAnchor: "top",
        dy: 8 + markLine * i,
        dx: left[i] ? -5 : 5,
        textAnchor: left[i] ? "end" : "start",
        fill: soft,
        stroke: surface,
        strokeWidth: 4,
      }),
    ];
  });
}

const rangeOf = (values: readonly number[]): readonly [number, number] => {
  const finite = values.filter(Number.isFinite);
  return finite.length === 0 ? [0, 1] : [Math.min(...finite), Math.max(...finite)];
};

/** Whole numbers where whole numbers are counted: layers, points, ranks. */
function counted(values: readonly number[]): { readonly ticks?: number[]; readonly tickFormat?: (value: number) => string } {
  const [low, high] = rangeOf(values);
  if (values.length === 0 || high - low > 40 || !values.every(Number.isInteger)) return {};
  const step = Math.max(1, Math.ceil((high - low) / 10));
  return { ticks: Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => low + i * step), tickFormat: short };
}

const logarithmic = { type: "log" } as const;
/** Ticks of a logarithmic axis as text with plain numbers: Plot writes 10m for 0.01, and asks a formatter about some ticks only. */
const logAxisX = ([low, high]: readonly [number, number], label: string): Plot.Markish =>
  Plot.axisX(logTicks(low, high), { text: (x: number) => short(x), label, labelArrow: "none" });
const logAxisY = ([low, high]: readonly [number, number], label: string): Plot.Markish =>
  Plot.axisY(logTicks(low, high), { text: (y: number) => short(y), label, labelArrow: "none" });

const frame = (document: Document, labels: readonly string[], { width = defaultWidth, height = 340, colours, legend }: DrawOptions) => ({
  document,
  width,
  height,
  marginLeft,
  marginRight,
  marginBottom: 44,
  marginTop: 24,
  inset,
  style: plotStyle,
  color: { domain: [...labels], range: colours ? labels.map(colours) : coloursOf(labels), legend: legend ?? labels.length > 1 },
});
const border = Plot.frame({ stroke: rule });
const grid = { grid: true, line: false } as const;
/** Points that answer to the pointer where a curve has no markers of its own. */
const touchable = (points: readonly Point[]): Plot.Markish[] =>
  points.length > 400 ? [] : [Plot.dot(points, { x: "x", y: "y", r: 4, fill: "transparent", title: "tip" })];

/** Curves with optional error bars; vertical marks. */
export function lines(figure: Extract<Figure, { kind: "lines" }>, document: Document, options: DrawOptions = {}): Element {
  const { series, marks, xLabel, yLabel, logX, logY } = figure;
  const positive = (point: Point): boolean => (!logX || point.x > 0) && (!logY || point.y > 0);
  const parts = series.map((one) => ({
    points: pointsOf(one, figure.bounds).filter(positive),
    markers: one.points ?? false,
    errors: one.error !== undefined,
    dashed: one.dashed ?? false,
  }));
  const all = parts.flatMap(({ points }) => points);
  // a logarithm has no zero: a bar that reaches down to it ends with the axis
  const least = logY ? Math.min(...all.map((point) => (point.low > 0 ? point.low : point.y))) : -Infinity;
  const xRange = rangeOf([...all.map((point) => point.x), ...(marks ?? []).map((mark) => mark.x)]);
  const labels = [...new Set(series.map((one) => one.group ?? one.label))];
  return Plot.plot({
    ...frame(document, labels, options),
    ...below(marks),
    x: { label: xLabel, labelArrow: "none", ...(logX ? logarithmic : counted(all.map((point) => point.x))), ...grid },
    y: { label: yLabel, labelArrow: "none", ...(logY ? logarithmic : {}), ...grid },
    marks: [
      border,
      ...(logX ? [logAxisX(xRange, xLabel)] : []),
      ...(logY ? [logAxisY(rangeOf(all.map((point) => point.y)), yLabel)] : []),
      ...markLines(marks, xRange, logX ?? false, options),
      ...parts.flatMap(({ points, markers, errors, dashed }) => [
        ...(errors
          ? [
              Plot.ruleX(points, {
                x: "x",
                y1: (point: Point) => Math.max(least, point.low),
                y2: "high",
                stroke: "label",
                strokeWidth: 1.5,
              }),
            ]
          : []),
        ...(markers
          ? []
          : [Plot.line(points, { x: "x", y: "y", stroke: "label", strokeWidth: 1.8, ...(dashed ? { strokeDasharray: "5 4" } : {}) })]),
        ...(dashed
          ? []
          : markers || points.length <= 40
            ? [Plot.dot(points, { x: "x", y: "y", fill: "label", r: markers ? 3.5 : 2.2, title: "tip" })]
            : touchable(points)),
      ]),
    ],
  });
}

/** Probability densities over a common axis, filled; vertical marks. */
export function densities(figure: Extract<Figure, { kind: "density" }>, document: Document, options: DrawOptions = {}): Element {
  const { series, marks, label, logX } = figure;
  const points = series.map((one) => pointsOf(one).filter((point) => !logX || point.x > 0));
  const xRange = rangeOf([...points.flat().map((point) => point.x), ...(marks ?? []).map((mark) => mark.x)]);
  return Plot.plot({
    ...frame(
      document,
      series.map((one) => one.label),
      options,
    ),
    ...below(marks),
    x: { label, labelArrow: "none", ...(logX ? logarithmic : {}) },
    y: { label: "probability density", labelArrow: "none", ...grid },
    marks: [
      border,
      ...(logX ? [logAxisX(xRange, label)] : []),
      ...points.flatMap((part) => [
        Plot.areaY(part, { x: "x", y: "y", fill: "label", fillOpacity: 0.12 }),
        Plot.line(part, { x: "x", y: "y", stroke: "label", strokeWidth: 1.8 }),
        ...touchable(part),
      ]),
      ...markLines(marks, xRange, logX ?? false, options),
    ],
  });
}

/** Histogram as a density, with curves over it. */
export function histogram(figure: Extract<Figure, { kind: "histogram" }>, document: Document, options: DrawOptions = {}): Element {
  const { values, bins = 60, series = [], marks, label } = figure;
  const sampled = "sampled";
  const [low, high] = rangeOf(Array.from(values));
  const width = (high - low) / bins || 1;
  const counts = new Float64Array(bins);
  for (const value of values) counts[Math.min(bins - 1, Math.floor((value - low) / width))]!++;
  const bars = Array.from(counts, (count, i) => ({
    x1: low + i * width,
    x2: low + (i + 1) * width,
    y: count / (values.length * width),
    label: sampled,
    tip: `${short(low + i * width)} to ${short(low + (i + 1) * width)}: ${count} of ${values.length}`,
  }));
  return Plot.plot({
    ...frame(document, [sampled, ...series.map((one) => one.label)], options),
    ...below(marks),
    x: { label, labelArrow: "none" },
    y: { label: "probability density", labelArrow: "none", ...grid },
    marks: [
      border,
      Plot.rectY(bars, { x1: "x1", x2: "x2", y: "y", fill: "label", fillOpacity: 0.35, inset: 0, title: "tip" }),
      ...series.map((one) => Plot.line(pointsOf(one), { x: "x", y: "y", stroke: "label", strokeWidth: 1.8 })),
      ...markLines(marks, [low, high], false, options),
    ],
  });
}

/** Curves over the layers of a network: whole numbers below. */
export function layerLines(
  figure: Extract<Figure, { kind: "lines" }>,
  depth: number,
  document: Document,
  options: DrawOptions = {},
): Element {
  const { series, yLabel, xLabel } = figure;
  const points = series.flatMap((one) => pointsOf(one));
  const step = Math.max(1, Math.ceil(depth / 10));
  return Plot.plot({
    ...frame(
      document,
      series.map((one) => one.label),
      { legend: false, ...options },
    ),
    inset: 10,
    x: {
      label: xLabel,
      labelArrow: "none",
      domain: [1, Math.max(2, depth)],
      ticks: Array.from({ length: Math.ceil(depth / step) }, (_, i) => 1 + i * step),
      tickFormat: String,
    },
    y: { label: yLabel, labelArrow: "none", ...grid, tickFormat: short },
    marks: [
      border,
      Plot.line(points, { x: "x", y: "y", z: "label", stroke: "label", strokeWidth: 1.8 }),
      Plot.dot(points, { x: "x", y: "y", fill: "label", r: 3.2, title: "tip" }),
    ],
  });
}
