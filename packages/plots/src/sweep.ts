import * as Plot from "@observablehq/plot";
import { inkOn } from "./colour-scale.js";
import { logTicks, ownTicks, robustRange, spansDecade } from "./axis.js";
import { plotStyle, rule, short, soft, surface, type DrawOptions } from "./style.js";

/** One value of a sweep. */
export interface SweepPoint {
  readonly x: number;
  readonly y: number;
  /** Standard error, 0 when there is none. */
  readonly error: number;
  readonly label: string;
  /** The method warned here. */
  readonly warned?: boolean;
  /** What the pointer shows. */
  readonly tip: string;
}

/** One quantity against one key. */
export interface SweepPanel {
  readonly title: string;
  readonly xLabel: string;
  readonly points: readonly SweepPoint[];
  /** Names of the positions, where they are no numbers. */
  readonly categories?: readonly string[];
  /** Curves that depend on nothing here: drawn as a dashed line through their values. */
  readonly references?: readonly string[];
  /** Labels in the order of the legend. */
  readonly labels: readonly string[];
  /** Least and largest value that there can be. */
  readonly bounds?: readonly [number, number];
}

/**
 * A quantity against a key of a sweep: a line and its points for every label, bars of one standard error, hollow points where a method
 * warned. The vertical scale is that of most values; what lies beyond is drawn as a triangle at the edge, with its value for the pointer.
 */
export function sweepPanel(panel: SweepPanel, document: Document, options: DrawOptions = {}): Element {
  const { points, categories, references = [], labels, xLabel, title } = panel;
  const { width = 540, height = 320, colours = () => soft } = options;
  const xs = points.map((point) => point.x);
  const logX = !categories && spansDecade(xs);
  const [low, high] = robustRange(points.map((point) => point.y));
  // a bar is seen whole, unless it would flatten the values
  const bars = points.filter((point) => point.y >= low && point.y <= high);
  const least = Math.max(2 * low - high, Math.min(low, ...bars.map((point) => point.y - point.error)));
  const most = Math.min(2 * high - low, Math.max(high, ...bars.map((point) => point.y + point.error)));
  const pad = 0.06 * (most - least);
  const [floor, ceiling] = panel.bounds ?? [-Infinity, Infinity];
  const domain = [Math.max(least, floor) - pad, Math.min(most, ceiling) + pad] as const;
  const outside = points.filter((point) => point.y < domain[0] || point.y > domain[1]);
  const inside = points.filter((point) => point.y >= domain[0] && point.y <= domain[1]);
  const clipped = inside.map((point) => ({
    ...point,
    low: Math.max(domain[0], point.y - point.error),
    high: Math.min(domain[1], point.y + point.error),
  }));
  const edges = outside.map((point) => ({ ...point, y: point.y < domain[0] ? domain[0] : domain[1], up: point.y > domain[1] }));
  const spread = logX ? logTicks(Math.min(...xs), Math.max(...xs)) : undefined;
  const ticks = categories ? categories.map((_, i) => i) : (ownTicks(xs, width < 420 ? 5 : 9) ?? spread);
  const isReference = (point: SweepPoint): boolean => references.includes(point.label);
  return Plot.plot({
    document,
    width,
    height,
    marginLeft: 62,
    marginRight: 18,
    marginTop: 26,
    marginBottom: 44,
    style: plotStyle,
    inset: 8,
    color: { domain: [...labels], range: labels.map(colours), legend: options.legend ?? false },
    x: {
      label: xLabel,
      labelArrow: "none",
      ...(categories ? { domain: [-0.3, categories.length - 0.7] } : {}),
      ...(logX ? { type: "log" } : {}),
    },
    y: { label: title, labelArrow: "none", grid: true, domain: [...domain], tickFormat: short },
    marks: [
      Plot.frame({ stroke: rule }),
      // Labels as text: a formatter of a logarithmic axis is not asked about every tick.
      ...(ticks ? [Plot.axisX([...ticks], { text: (x: number) => categories?.[x] ?? short(x), label: xLabel, labelArrow: "none" })] : []),
      Plot.line(
        clipped.filter((point) => isReference(point)),
        { x: "x", y: "y", z: "label", stroke: "label", strokeWidth: 1.6, strokeDasharray: "5 4", sort: "x" },
      ),
      Plot.line(
        clipped.filter((point) => !isReference(point)),
        { x: "x", y: "y", z: "label", stroke: "label", strokeWidth: 1.6, sort: "x" },
      ),
      Plot.ruleX(
        clipped.filter((point) => point.error > 0),
        { x: "x", y1: "low", y2: "high", stroke: "label", strokeWidth: 1.4 },
      ),
      Plot.dot(clipped, {
        x: "x",
        y: "y",
        r: 3.4,
        stroke: "label",
        strokeWidth: 1.6,
        fill: (point: SweepPoint) => (point.warned ? surface : colours(point.label)),
        title: "tip",
      }),
      Plot.dot(edges, {
        x: "x",
        y: "y",
        symbol: "triangle",
        rotate: (point: { up: boolean }) => (point.up ? 0 : 180),
        r: 4.2,
        fill: "label",
        title: "tip",
      }),
    ],
  });
}

/** One quantity over two keys. */
export interface SweepPlane {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** Names of the positions along both keys, in order. */
  readonly xs: readonly string[];
  readonly ys: readonly string[];
  /** values[i][j] at xs[i], ys[j]; null where there is none. */
  readonly values: readonly (readonly (number | null)[])[];
  /** Cell of the best value. */
  readonly best?: readonly [number, number];
  /** All numbers on the scale of the colours, where other pictures share it. */
  readonly scaled?: readonly number[];
}

/** Pixels of a digit in a cell, and between the numbers of neighbours. */
const [digit, gap] = [6.4, 6];

/** Every number with three digits, or as many as a cell of so many pixels has room for; nothing where one has room for none. */
function cellTexts(values: readonly number[], room: number): ReadonlyMap<number, string> {
  const text = (value: number, digits: number): string =>
    Math.abs(value) >= 100 ? value.toFixed(0).replace("-", "−") : short(Number(value.toPrecision(digits)));
  const texts = values.map((value) => [3, 2, 1].map((digits) => text(value, digits)).find((one) => digit * one.length + gap <= room));
  return new Map(values.flatMap((value, i) => (texts.includes(undefined) ? [] : [[value, texts[i]!]])));
}

/** Cells coloured by value with the number in each while there is room, and a ring around the best. */
export function sweepPlane(
  plane: SweepPlane,
  document: Document,
  scale: (t: number) => readonly [number, number, number],
  options: DrawOptions = {},
): Element {
  const { xs, ys, values, xLabel, yLabel, best, title } = plane;
  const { width = 540 } = options;
  const numbers = values.flat().filter((value): value is number => value !== null);
  const [low, high] = robustRange(plane.scaled ?? numbers);
  const longest = Math.max(...ys.map((name) => name.length));
  const [marginLeft, marginRight] = [Math.min(150, 30 + 7 * longest), 20];
  const written = cellTexts(numbers, (width - marginLeft - marginRight) / xs.length);
  const fraction = (value: number): number => Math.min(1, Math.max(0, (value - low) / (high - low)));
  const cells = values.flatMap((row, i) =>
    row.map((value, j) => {
      const colour = value === null ? undefined : scale(fraction(value));
      return {
        x: xs[i]!,
        y: ys[j]!,
        fill: colour ? `rgb(${colour.join(",")})` : rule,
        text: value === null ? "" : (written.get(value) ?? ""),
        ink: inkOn(colour ?? [255, 255, 255]),
        tip: `${xLabel} ${xs[i]}, ${yLabel} ${ys[j]}: ${value === null ? "none" : short(value)}`,
      };
    }),
  );
  return Plot.plot({
    document,
    width,
    height: Math.min(460, 70 + 34 * ys.length),
    marginLeft,
    marginRight,
    marginBottom: 44,
    marginTop: 26,
    style: plotStyle,
    x: { type: "band", domain: [...xs], label: xLabel, labelArrow: "none", padding: 0.03 },
    y: { type: "band", domain: ys.toReversed(), label: yLabel, labelArrow: "none", padding: 0.03 },
    ariaLabel: title,
    marks: [
      Plot.cell(cells, { x: "x", y: "y", fill: (cell: { fill: string }) => cell.fill, title: "tip" }),
      ...(written.size > 0
        ? [
            Plot.text(cells, {
              x: "x",
              y: "y",
              text: "text",
              fill: (cell: { ink: string }) => cell.ink,
              fontSize: 11,
              pointerEvents: "none",
            }),
          ]
        : []),
      ...(best
        ? [
            Plot.cell([{ x: xs[best[0]]!, y: ys[best[1]]! }], { x: "x", y: "y", fill: "none", stroke: surface, strokeWidth: 5 }),
            Plot.cell([{ x: xs[best[0]]!, y: ys[best[1]]! }], { x: "x", y: "y", fill: "none", stroke: "#d6204e", strokeWidth: 2.5 }),
          ]
        : []),
    ],
  });
}

/** One axis of parallel coordinates. */
export interface ParallelAxis {
  readonly name: string;
  /** One value per line. */
  readonly values: readonly number[];
  /** Names of the values, where they are no numbers. */
  readonly categories?: readonly string[];
}

/** Every line of a table across parallel axes, coloured by its value on the last one; the best one is drawn on top. */
export function parallelCoordinates(
  axes: readonly ParallelAxis[],
  document: Document,
  scale: (t: number) => readonly [number, number, number],
  { best, width = 720, height = 360 }: DrawOptions & { readonly best?: number } = {},
): Element {
  const positions = axes.map(({ values, categories }) => {
    const log = !categories && spansDecade(values);
    const [low, high] = categories
      ? [0, Math.max(1, categories.length - 1)]
      : log
        ? [Math.min(...values), Math.max(...values)]
        : robustRange(values);
    const clamp = (t: number): number => Math.min(1, Math.max(0, t));
    const at = (value: number): number =>
      clamp(high === low ? 0.5 : log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low));
    const ticks = (categories ? categories.map((_, i) => i) : ownTicks(values, 7)) ?? [low, (low + high) / 2, high];
    return { at, ticks: ticks.map((value) => ({ at: at(value), text: categories?.[value] ?? short(value) })) };
  });
  const last = axes.length - 1;
  // Names that have no room side by side stand on two lines.
  const staggered = axes.some(({ name }) => name.length * 8 > (width - 120) / Math.max(1, axes.length - 1));
  const count = axes[0]?.values.length ?? 0;
  const points = Array.from({ length: count }, (_, line) =>
    axes.map(({ name, values, categories }, a) => ({
      line: String(line),
      a,
      y: positions[a]!.at(values[line]!),
      colour: `rgb(${scale(positions[last]!.at(axes[last]!.values[line]!)).join(",")})`,
      best: line === best,
      tip: `${name}: ${categories?.[values[line]!] ?? short(values[line]!)}`,
    })),
  ).flat();
  const ticks = positions.flatMap(({ ticks: own }, a) => own.map((tick) => ({ a, y: tick.at, text: tick.text })));
  const tips = Array.from({ length: count }, (_, line) => ({
    y: positions[last]!.at(axes[last]!.values[line]!),
    tip: axes.map(({ name, values, categories }) => `${name}: ${categories?.[values[line]!] ?? short(values[line]!)}`).join("\n"),
  }));
  return Plot.plot({
    document,
    width,
    height,
    marginLeft: 60,
    marginRight: 60,
    marginTop: staggered ? 46 : 30,
    marginBottom: 20,
    style: plotStyle,
    x: { axis: null, domain: [0, Math.max(1, last)] },
    y: { axis: null, domain: [0, 1] },
    marks: [
      Plot.line(
        points.filter((point) => !point.best),
        { x: "a", y: "y", z: "line", stroke: (point: { colour: string }) => point.colour, strokeOpacity: 0.75, strokeWidth: 1.4 },
      ),
      Plot.line(
        points.filter((point) => point.best),
        { x: "a", y: "y", z: "line", stroke: "#d6204e", strokeWidth: 3 },
      ),
      Plot.ruleX(
        axes.map((_, a) => a),
        { x: (a: number) => a, stroke: soft },
      ),
      ...[0, 1].map((line) =>
        Plot.text(
          axes.map(({ name }, a) => ({ name, a })).filter(({ a }) => (!staggered ? line === 0 : a % 2 === line)),
          { x: "a", y: 1, text: "name", dy: staggered && line === 1 ? -30 : -14, fontWeight: 600, fill: "currentColor" },
        ),
      ),
      Plot.text(ticks, { x: "a", y: "y", text: "text", dx: 6, textAnchor: "start", stroke: surface, strokeWidth: 4, fill: "currentColor" }),
      Plot.dot(tips, { x: last, y: "y", r: 4, fill: "transparent", title: "tip" }),
    ],
  });
}
