import * as Plot from "@observablehq/plot";
import { colourBar, diverging, sequential } from "./colour-scale.js";
import { plotStyle, rule, short, soft } from "./style.js";

/** A scalar over the plane of weight and bias variances. */
export interface PhasePlane {
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  /** [weight][bias]; null where the number does not exist. */
  readonly values: readonly (readonly (number | null)[])[];
  readonly label: string;
  /** Colour scale: centred at `pivot` when given. */
  readonly pivot?: number;
  /** [σ_w², σ_b²] points of the line χ⊥ = 1. */
  readonly criticalLine: readonly (readonly [number, number])[];
  /** Where the measured maximum is. */
  readonly maximum?: { readonly weightVariance: number; readonly biasVariance: number };
}

interface PhasePlaneSize {
  readonly width: number;
  readonly height: number;
  /** Room for the colour bar. */
  readonly right: number;
  /** Digits of its numbers; what `right` has room for. */
  readonly digits: number;
}
const wide: PhasePlaneSize = { width: 700, height: 380, right: 110, digits: 4 };
/** For telephones. */
export const narrowPhasePlane: PhasePlaneSize = { width: 350, height: 290, right: 102, digits: 3 };

/** Phase plane: colours for the values, the critical line, and a mark at the measured maximum. */
export function phasePlane(plane: PhasePlane, document: Document, size: PhasePlaneSize = wide): Element {
  const { width, height, right } = size;
  const { weightVariance, biasVariance, values, label, pivot, criticalLine, maximum } = plane;
  const edges = (axis: readonly number[]): number[] => {
    if (axis.length === 1) return [axis[0]! - 0.05, axis[0]! + 0.05];
    const mids = axis.slice(1).map((value, i) => (value + axis[i]!) / 2);
    return [axis[0]! - (mids[0]! - axis[0]!), ...mids, axis.at(-1)! + (axis.at(-1)! - mids.at(-1)!)];
  };
  const [xs, ys] = [edges(weightVariance), edges(biasVariance)];
  const cells = values.flatMap((row, i) => row.map((value, j) => ({ x1: xs[i]!, x2: xs[i + 1]!, y1: ys[j]!, y2: ys[j + 1]!, value })));
  const [xDomain, yDomain] = [
    [xs[0]!, xs.at(-1)!],
    [ys[0]!, ys.at(-1)!],
  ];
  const inside = criticalLine.filter(([x, y]) => x >= xDomain[0]! && x <= xDomain[1]! && y >= yDomain[0]! && y <= yDomain[1]!);
  const numbers = cells.map((cell) => cell.value).filter((value) => value !== null);
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  const half = pivot === undefined ? 0 : Math.max(most - pivot, pivot - least) || 1;
  const [low, high] = pivot === undefined ? [least, most === least ? least + 1 : most] : [pivot - half, pivot + half];
  const scale = pivot === undefined ? sequential : diverging;
  const fill = (value: number): string => `rgb(${scale((value - low) / (high - low)).join(",")})`;
  const svg = Plot.plot({
    document,
    width,
    height,
    marginLeft: 58,
    marginRight: right,
    marginBottom: 42,
    style: plotStyle,
    x: { label: "weight variance σ_w²", domain: xDomain },
    y: { label: "bias variance σ_b²", domain: yDomain },
    marks: [
      Plot.rect(
        cells.filter((cell) => cell.value !== null),
        {
          x1: "x1",
          x2: "x2",
          y1: "y1",
          y2: "y2",
          fill: (cell: { value: number }) => fill(cell.value),
          inset: -0.25,
          shapeRendering: "crispEdges",
        },
      ),
      // seen on dark values too
      Plot.line(inside, { stroke: "white", strokeWidth: 4, strokeOpacity: 0.7 }),
      Plot.line(inside, { stroke: "black", strokeWidth: 2 }),
      ...(inside.length > 0
        ? [
            Plot.text([inside[Math.floor(0.6 * inside.length)]!], {
              text: ["χ⊥ = 1"],
              dx: 8,
              dy: 4,
              textAnchor: "start",
              stroke: "white",
              fill: "black",
              strokeWidth: 4,
            }),
          ]
        : []),
      ...(maximum
        ? [
            Plot.dot([maximum], { x: "weightVariance", y: "biasVariance", symbol: "star", r: 8, fill: "white", stroke: "black" }),
            Plot.text([maximum], {
              x: "weightVariance",
              y: "biasVariance",
              text: ["measured maximum"],
              dy: -14,
              stroke: "white",
              fill: "black",
              strokeWidth: 4,
            }),
          ]
        : []),
      Plot.frame({ stroke: rule }),
    ],
  });
  appendColourBar(svg, { label, low, high, image: colourBar(scale), size }, document);
  return svg;
}

/** Colour bar to the right of the frame. (Plot's own ramp legend needs a canvas, which a server has not.) */
function appendColourBar(
  svg: Element,
  bar: { readonly label: string; readonly low: number; readonly high: number; readonly image: string; readonly size: PhasePlaneSize },
  document: Document,
): void {
  const add = (name: string, attributes: Record<string, string | number>, text?: string): void => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
    if (text !== undefined) node.textContent = text;
    svg.appendChild(node);
  };
  const { size } = bar;
  const [x, top, height] = [size.width - size.right + 16, 34, size.height - 90];
  add("image", { x, y: top, width: 12, height, preserveAspectRatio: "none", href: bar.image });
  const [at, anchor] = size === wide ? [{ x, y: top - 12 }, "start"] : [{ x: size.width - 2, y: 11 }, "end"];
  add("text", { ...at, fill: "currentColor", "text-anchor": anchor }, bar.label);
  for (const [value, at] of [
    [bar.high, 8],
    [(bar.low + bar.high) / 2, height / 2 + 4],
    [bar.low, height],
  ] as const)
    add("text", { "text-anchor": "start", x: x + 18, y: top + at, fill: soft }, short(Number(value.toPrecision(size.digits))));
}
