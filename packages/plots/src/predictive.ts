import * as Plot from "@observablehq/plot";
import { robustRange } from "./axis.js";
import { coloursOf, plotStyle, rule, short, soft, type DrawOptions } from "./style.js";

/** Predictions of one method at the test points, flattened over outputs. */
export interface PredictiveSeries {
  readonly method: string;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

const frame = (document: Document, labels: string[], { width = 540, height = 360, colours, legend = true }: DrawOptions) => ({
  document,
  width,
  height,
  marginTop: 26,
  inset: 6,
  marginBottom: 42,
  style: plotStyle,
  color: { domain: labels, range: colours ? labels.map(colours) : coloursOf(labels), legend },
});

/** A border, and the line on which both axes agree. */
const diagonal = (limits: readonly [number, number]): Plot.Markish[] => [
  Plot.frame({ stroke: rule }),
  Plot.line(
    limits.map((value) => [value, value] as const),
    { stroke: soft, strokeDasharray: "4 3" },
  ),
];

/**
 * Calibration of predictive intervals: for every nominal central probability the fraction of targets inside. `noise`: T, added to the
 * latent variance. On the diagonal the stated uncertainty is right; below it is too small.
 */
export function calibration(
  series: readonly PredictiveSeries[],
  targets: Float64Array,
  noise: number,
  quantile: (p: number) => number,
  document: Document,
  options: DrawOptions = {},
): Element {
  const levels = Array.from({ length: 39 }, (_, i) => (i + 1) / 40);
  const points = series.flatMap(({ method, mean, variance }) => {
    // in standard deviations, the smallest first
    const deviations = targets
      .map((target, i) => (target === mean[i]! ? 0 : Math.abs(target - mean[i]!) / Math.sqrt(variance[i]! + noise)))
      .sort();
    let inside = 0;
    return levels.map((level) => {
      const z = quantile((1 + level) / 2);
      while (inside < deviations.length && deviations[inside]! <= z) inside++;
      return {
        level,
        coverage: inside / targets.length,
        method,
        tip: `${method}\nstated ${short(level)}, found ${short(inside / targets.length)}`,
      };
    });
  });
  const labels = series.map((one) => one.method);
  return Plot.plot({
    ...frame(document, labels, options),
    marginLeft: 52,
    x: { label: "stated probability", labelArrow: "none", domain: [0, 1], grid: true },
    y: { label: "fraction of test targets inside", labelArrow: "none", domain: [0, 1], grid: true },
    marks: [
      ...diagonal([0, 1]),
      Plot.line(points, { x: "level", y: "coverage", stroke: "method", strokeWidth: 1.8 }),
      Plot.dot(points, { x: "level", y: "coverage", r: 4, fill: "transparent", title: "tip" }),
    ],
  });
}

/** Points of a method that are drawn. */
const mostPoints = 160;

/** Predictive mean of every method against that of a reference (with its standard errors as bars), point by point. */
export function agreement(
  reference: PredictiveSeries & { readonly standardError?: Float64Array },
  series: readonly PredictiveSeries[],
  quantity: "mean" | "variance",
  document: Document,
  options: DrawOptions = {},
): Element {
  const labels = series.map((one) => one.method);
  const points = series.flatMap((one) =>
    Array.from(one[quantity], (y, i) => [y, i] as const)
      // Every so-manieth point where there are more than an eye can tell apart.
      .filter(([, i]) => i % Math.ceil(one[quantity].length / mostPoints) === 0)
      .map(([y, i]) => {
        const x = reference[quantity][i]!;
        const error = reference.standardError?.[i] ?? 0;
        return {
          x,
          y,
          low: x - error,
          high: x + error,
          method: one.method,
          tip: `${one.method}, point ${i}\n${short(y)} against ${short(x)}${error > 0 ? ` ± ${short(error)}` : ""}`,
        };
      }),
  );
  const xs = points.map((point) => point.x);
  const [low, high] = robustRange(points.map((point) => point.y));
  const limits = [Math.min(low, ...xs), Math.max(high, ...xs)] as const;
  const inside = points.filter((point) => point.y >= low && point.y <= high);
  const edges = points
    .filter((point) => !inside.includes(point))
    .map((point) => ({ ...point, up: point.y > high, y: point.y > high ? high : low }));
  return Plot.plot({
    ...frame(document, labels, options),
    marginLeft: 58,
    x: { label: `predictive ${quantity}, ${reference.method}`, labelArrow: "none", grid: true },
    y: { label: `predictive ${quantity}`, labelArrow: "none", grid: true, domain: limits },
    marks: [
      ...diagonal(limits),
      Plot.ruleY(inside, { y: "y", x1: "low", x2: "high", stroke: "method", strokeOpacity: 0.5 }),
      Plot.dot(edges, {
        x: "x",
        y: "y",
        fill: "method",
        symbol: "triangle",
        rotate: (point: { up: boolean }) => (point.up ? 0 : 180),
        r: 3,
        title: "tip",
      }),
      Plot.dot(inside, { x: "x", y: "y", fill: "method", r: 2.2, fillOpacity: 0.75, title: "tip" }),
    ],
  });
}
