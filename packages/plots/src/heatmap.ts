import type { Matrix } from "@finitewidth/core";
import { colourBar, diverging, sequential, type ColourScale } from "./colour-scale.js";
import { pngDataUrl } from "./png.js";
import { plotStyle, short } from "./style.js";

/** One matrix of a row of heat maps. */
export interface HeatmapPanel {
  readonly label: string;
  readonly values: Matrix;
  /** Centre the colours at zero (differences). Panels of the same kind share their limits. */
  readonly diverging?: boolean;
  /** Names of rows and columns of a square matrix; written where there is room. */
  readonly names?: readonly string[];
}

/** Names up to which they are written beside the rows. */
const namesLimit = 20;
const side = 190;
const gap = 78;
const top = 26;
const svgNamespace = "http://www.w3.org/2000/svg";

/** Matrices side by side with common colour limits for each kind, a colour bar each. Entries become pixels: any size costs O(entries). */
export function heatmaps(panels: readonly HeatmapPanel[], document: Document): Element {
  const element = (name: string, attributes: Record<string, string | number>, parent?: Element, text?: string): Element => {
    const node = document.createElementNS(svgNamespace, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
    if (text !== undefined) node.textContent = text;
    parent?.appendChild(node);
    return node;
  };
  const perRow = Math.min(panels.length, 3);
  const width = perRow * (side + gap);
  const height = Math.ceil(panels.length / perRow) * (side + top + 16);
  const svg = element("svg", {
    xmlns: svgNamespace,
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    "font-family": plotStyle.fontFamily,
    "font-size": 12,
    role: "img",
  });
  const limits = {
    plain: commonLimits(panels.filter((panel) => !panel.diverging)),
    diverging: commonLimits(panels.filter((panel) => panel.diverging)),
  };
  panels.forEach((panel, index) => {
    const [low, high] = panel.diverging ? symmetric(limits.diverging) : limits.plain;
    const scale = panel.diverging ? diverging : sequential;
    const x = (index % perRow) * (side + gap);
    const y = Math.floor(index / perRow) * (side + top + 16) + top;
    const [rows, columns] = panel.values.shape;
    element("text", { x, y: y - 8, "font-weight": 600 }, svg, panel.label);
    const picture = {
      x,
      y,
      width: side,
      height: side,
      preserveAspectRatio: "none",
      style: "image-rendering: pixelated",
      href: raster(reduced(panel.values), low, high, scale),
    };
    const image = element("image", picture, svg);
    element("title", {}, image, `${panel.label}: ${rows} × ${columns}, from ${short(low)} to ${short(high)}`);
    element("rect", { x, y, width: side, height: side, fill: "none", stroke: "#999", "stroke-width": 0.5 }, svg);
    const names = panel.names === undefined || panel.names.length > namesLimit ? [] : panel.names;
    names.forEach((name, i) => {
      const at = {
        x: x + 2,
        y: y + ((i + 0.5) * side) / names.length + 3,
        "font-size": 8,
        fill: "#000",
        stroke: "#fff",
        "stroke-width": 2,
      };
      element("text", { ...at, "paint-order": "stroke" }, svg, name);
    });
    const bar = { x: x + side + 8, y, width: 10, height: side, preserveAspectRatio: "none", href: colourBar(scale) };
    element("image", bar, svg);
    element("rect", { x: x + side + 8, y, width: 10, height: side, fill: "none", stroke: "#999", "stroke-width": 0.5 }, svg);
    const ticks: readonly [number, number][] = [
      [high, 10],
      [(low + high) / 2, side / 2 + 4],
      [low, side],
    ];
    for (const [value, at] of ticks) element("text", { x: x + side + 22, y: y + at, "font-size": 10, fill: "#444" }, svg, short(value));
  });
  return svg;
}

function commonLimits(panels: readonly HeatmapPanel[]): readonly [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const { values } of panels) {
    for (const value of values.data) {
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function symmetric([low, high]: readonly [number, number]): readonly [number, number] {
  const limit = Math.max(Math.abs(low), Math.abs(high));
  return [-limit, limit];
}

/** Pixels of a picture along each side: more entries are averaged in blocks, which the eye would do anyway. */
const resolution = 400;

/** Means over blocks of entries, at most `resolution` × `resolution`. */
function reduced(values: Matrix): Matrix {
  const [rows, columns] = values.shape;
  if (rows <= resolution && columns <= resolution) return values;
  const [h, w] = [Math.min(rows, resolution), Math.min(columns, resolution)];
  const data = new Float64Array(h * w);
  for (let i = 0; i < h; i++) {
    const [top, bottom] = [Math.floor((i * rows) / h), Math.floor(((i + 1) * rows) / h)];
    for (let j = 0; j < w; j++) {
      const [left, right] = [Math.floor((j * columns) / w), Math.floor(((j + 1) * columns) / w)];
      let sum = 0;
      for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += values.data[y * columns + x]!;
      data[i * w + j] = sum / ((bottom - top) * (right - left));
    }
  }
  return { data, shape: [h, w] };
}

function raster(values: Matrix, low: number, high: number, scale: ColourScale): string {
  const [rows, columns] = values.shape;
  const rgb = new Uint8Array(3 * rows * columns);
  values.data.forEach((value, i) => rgb.set(Number.isFinite(value) ? scale((value - low) / (high - low)) : [235, 235, 235], 3 * i));
  return pngDataUrl(columns, rows, rgb);
}
