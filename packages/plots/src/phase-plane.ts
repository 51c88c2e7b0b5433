import * as Plot from "@observablehq/plot";
import { plotStyle } from "./style.js";

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

/** Phase plane: colours for the values, the critical line, and a mark at the measured maximum. */
export function phasePlane(plane: PhasePlane, document: Document): Element {
  const { weightVariance, biasVariance, values, label, pivot, criticalLine, maximum } = plane;
  const edges = (axis: readonly number[]): number[] => {
    if (axis.length === 1) return [axis[0]! - 0.05, axis[0]! + 0.05];
    const mids = axis.slice(1).map((value, i) => (value + axis[i]!) / 2);
    return [axis[0]! - (mids[0]! - axis[0]!), ...mids, axis.at(-1)! + (axis.at(-1)! - mids.at(-1)!)];
  };
  const [xs, ys] = [edges(weightVariance), edges(biasVariance)];
  const cells = values.flatMap((row, i) => row.map((value, j) => ({ x1: xs[i]!, x2: xs[i + 1]!, y1: ys[j]!, y2: ys[j + 1]!, value })));
  const [xDomain, yDomain] = [[xs[0]!, xs.at(-1)!], [ys[0]!, ys.at(-1)!]];
  const inside = criticalLine.filter(([x, y]) => x >= xDomain[0]! && x <= xDomain[1]! && y >= yDomain[0]! && y <= yDomain[1]!);
  return Plot.plot({
    document,
    width: 620,
    height: 380,
    marginLeft: 58,
    marginBottom: 42,
    style: plotStyle,
    x: { label: "weight variance σ_w²", domain: xDomain },
    y: { label: "bias variance σ_b²", domain: yDomain },
    color: pivot === undefined ? { legend: true, label, scheme: "viridis" } : { legend: true, label, type: "diverging", pivot, scheme: "BuRd" },
    marks: [
      Plot.rect(cells.filter((cell) => cell.value !== null), { x1: "x1", x2: "x2", y1: "y1", y2: "y2", fill: "value", inset: -0.25 }),
      Plot.line(inside, { stroke: "black", strokeWidth: 2 }),
      ...(inside.length > 0 ? [Plot.text([inside.at(-1)!], { text: ["χ⊥ = 1"], dx: 6, dy: -8, textAnchor: "start", stroke: "white", fill: "black", strokeWidth: 4 })] : []),
      ...(maximum
        ? [
            Plot.dot([maximum], { x: "weightVariance", y: "biasVariance", symbol: "star", r: 8, fill: "white", stroke: "black" }),
            Plot.text([maximum], { x: "weightVariance", y: "biasVariance", text: ["measured maximum"], dy: -14, stroke: "white", fill: "black", strokeWidth: 4 }),
          ]
        : []),
      Plot.frame({ stroke: "#999" }),
    ],
  });
}
