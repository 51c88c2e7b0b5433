import * as Plot from "@observablehq/plot";
import { coloursOf, plotStyle } from "./style.js";

/** Predictions of one method at the test points, flattened over outputs. */
export interface PredictiveSeries {
  readonly method: string;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

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
): Element {
  const levels = Array.from({ length: 39 }, (_, i) => (i + 1) / 40);
  const points = series.flatMap(({ method, mean, variance }) =>
    levels.map((level) => {
      const z = quantile((1 + level) / 2);
      let inside = 0;
      for (let i = 0; i < targets.length; i++) if (Math.abs(targets[i]! - mean[i]!) <= z * Math.sqrt(variance[i]! + noise)) inside++;
      return { level, coverage: inside / targets.length, method };
    }),
  );
  const labels = series.map((one) => one.method);
  return Plot.plot({
    document,
    width: 420,
    height: 380,
    marginLeft: 52,
    marginBottom: 42,
    style: plotStyle,
    color: { domain: labels, range: coloursOf(labels), legend: true },
    x: { label: "stated probability", domain: [0, 1], grid: true },
    y: { label: "fraction of test targets inside", domain: [0, 1], grid: true },
    marks: [
      Plot.frame({ stroke: "#ccc" }),
      Plot.line(
        [
          [0, 0],
          [1, 1],
        ],
        { stroke: "#999", strokeDasharray: "4 3" },
      ),
      Plot.line(points, { x: "level", y: "coverage", stroke: "method", strokeWidth: 1.8 }),
    ],
  });
}

/** Predictive mean of every method against that of a reference (with its standard errors as bars), point by point. */
export function agreement(
  reference: PredictiveSeries & { readonly standardError?: Float64Array },
  series: readonly PredictiveSeries[],
  quantity: "mean" | "variance",
  document: Document,
): Element {
  const labels = series.map((one) => one.method);
  const points = series.flatMap((one) =>
    Array.from(one[quantity], (y, i) => {
      const x = reference[quantity][i]!;
      const error = reference.standardError?.[i] ?? 0;
      return { x, y, low: x - error, high: x + error, method: one.method };
    }),
  );
  const all = points.flatMap((point) => [point.x, point.y]);
  const limits = [Math.min(...all), Math.max(...all)];
  return Plot.plot({
    document,
    width: 420,
    height: 380,
    marginLeft: 58,
    marginBottom: 42,
    style: plotStyle,
    color: { domain: labels, range: coloursOf(labels), legend: true },
    x: { label: `predictive ${quantity}, ${reference.method}`, grid: true },
    y: { label: `predictive ${quantity}`, grid: true },
    marks: [
      Plot.frame({ stroke: "#ccc" }),
      Plot.line(
        [
          [limits[0]!, limits[0]!],
          [limits[1]!, limits[1]!],
        ],
        { stroke: "#999", strokeDasharray: "4 3" },
      ),
      Plot.ruleY(points, { y: "y", x1: "low", x2: "high", stroke: "method", strokeOpacity: 0.5 }),
      Plot.dot(points, { x: "x", y: "y", fill: "method", r: 2.2, fillOpacity: 0.75 }),
    ],
  });
}
