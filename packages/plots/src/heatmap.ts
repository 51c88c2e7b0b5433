import type { Matrix } from "@finitewidth/core";
import { colourBar, diverging, inkOn, sequential, type ColourScale } from "./colour-scale.js";
import { survey, type HeatmapEntries, type Survey } from "./heatmap-entries.js";
import { pngDataUrl } from "./png.js";
import { ink, plotStyle, rule, short, soft } from "./style.js";

/** One matrix of a row of heat maps. */
export interface HeatmapPanel extends HeatmapEntries {
  readonly label: string;
  /** Centre the colours at zero (differences). Panels of the same kind share their limits. */
  readonly diverging?: boolean;
  /** Names of rows and columns of a square matrix; written where there is room. */
  readonly names?: readonly string[];
  /** Small integers, such as counts: written into the cells, with the names at the edges instead of a colour bar. Up to 20 rows. */
  readonly written?: boolean;
}

const side = 190;
const gap = 78;
/** Widest room for names beside a panel. */
const margin = 60;
const top = 26;
const svgNamespace = "http://www.w3.org/2000/svg";

const makers =
  (document: Document) =>
  (name: string, attributes: Record<string, string | number>, parent?: Element, text?: string): Element => {
    const node = document.createElementNS(svgNamespace, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
    if (text !== undefined) node.textContent = text;
    parent?.appendChild(node);
    return node;
  };

function svgOf(width: number, height: number, document: Document): Element {
  return makers(document)("svg", {
    xmlns: svgNamespace,
    viewBox: `0 0 ${width} ${height}`,
    width,
    height,
    "font-family": plotStyle.fontFamily,
    "font-size": 12,
    fill: ink,
    role: "img",
  });
}

const cellHeight = side + top + 16;
/** Room for names below: one line, or upright ones. */
const heightOf = (panels: readonly HeatmapPanel[]): number =>
  cellHeight + (panels.some(({ written, names = [] }) => written && names.some((name) => name.length > 2)) ? 46 : 0);

const isWritten = ({ written, values }: HeatmapPanel): boolean => written === true && values.shape[0] <= namesLimit;
/** Names that there is room for. */
const namesOf = ({ names = [] }: HeatmapPanel): readonly string[] => (names.length > namesLimit ? [] : names);
const cut = (name: string): string => (name.length > 9 ? `${name.slice(0, 8)}…` : name);
/** Room to the left of a panel. */
const leftOf = (panel: HeatmapPanel): number => {
  if (isWritten(panel)) return margin;
  return Math.min(margin, Math.max(0, ...namesOf(panel).map((name) => 8 + 7 * cut(name).length)));
};
/** A panel with a colour bar beside it needs more room for names than one whose numbers are written. */
const widthOf = (panels: readonly HeatmapPanel[]): number =>
  side + gap + Math.max(...panels.map((panel) => (isWritten(panel) ? 0 : leftOf(panel))));

/** Matrices side by side with common colour limits for each kind, a colour bar each. Entries become pixels: any size costs O(entries). */
export function heatmaps(panels: readonly HeatmapPanel[], document: Document): Element {
  const perRow = Math.min(panels.length, 3);
  const height = heightOf(panels);
  const width = widthOf(panels);
  const svg = svgOf(perRow * width, Math.ceil(panels.length / perRow) * height, document);
  const surveys = panels.map((panel) => survey(panel, [resolution]));
  const limitsOf = limitsFor(panels, surveys);
  panels.forEach((panel, index) => {
    const corner = { x: (index % perRow) * width, y: Math.floor(index / perRow) * height + top };
    drawPanel(panel, surveys[index]!.means[0]!, limitsOf(panel), corner, svg, document);
  });
  return svg;
}

/** The same as pictures of their own that a page may break into lines, with their values for the pointer. */
export function heatmapRow(panels: readonly HeatmapPanel[], document: Document): Element {
  const row = document.createElement("div");
  row.setAttribute("class", "heatmaps");
  const surveys = panels.map((panel) => survey(panel, [resolution, touched]));
  const limitsOf = limitsFor(panels, surveys);
  for (const [index, panel] of panels.entries()) {
    const [pixels, values] = surveys[index]!.means;
    const svg = svgOf(widthOf([panel]), heightOf(panels), document);
    const image = drawPanel(panel, pixels!, limitsOf(panel), { x: 0, y: top }, svg, document);
    svg.setAttribute("aria-label", image.querySelector("title")!.textContent);
    const { data, shape } = values!;
    image.setAttribute("data-rows", String(panel.values.shape[0]));
    image.setAttribute("data-columns", String(panel.values.shape[1]));
    image.setAttribute("data-shape", shape.join(" "));
    image.setAttribute("data-values", Array.from(data, (value) => Number(value.toPrecision(4))).join(" "));
    row.appendChild(svg);
  }
  return row;
}

/** Names up to which they are written beside the rows. */
const namesLimit = 20;

/** Entries along each side that the pointer can tell apart. */
const touched = 36;

/** Pixels of a picture along each side: more entries are averaged in blocks, which the eye would do anyway. */
const resolution = 400;

function limitsFor(panels: readonly HeatmapPanel[], surveys: readonly Survey[]): (panel: HeatmapPanel) => readonly [number, number] {
  const plain = commonLimits(surveys.filter((_, i) => !panels[i]!.diverging));
  const differences = symmetric(commonLimits(surveys.filter((_, i) => panels[i]!.diverging)));
  return (panel) => (panel.diverging ? differences : plain);
}

/** One matrix with its title and colour bar; returns the picture. The first row is on top, as matrices are written. */
function drawPanel(
  panel: HeatmapPanel,
  pixels: Matrix,
  [low, high]: readonly [number, number],
  corner: Corner,
  svg: Element,
  document: Document,
): Element {
  const x = corner.x + leftOf(panel);
  const { y } = corner;
  const element = makers(document);
  const scale = panel.diverging ? diverging : sequential;
  const [rows, columns] = panel.values.shape;
  element("text", { x, y: y - 8, "font-weight": 600 }, svg, panel.label);
  const picture = {
    x,
    y,
    width: side,
    height: side,
    preserveAspectRatio: "none",
    style: "image-rendering: pixelated",
    href: raster(pixels, low, high, scale),
  };
  const image = element("image", picture, svg);
  element("title", {}, image, `${panel.label}: ${rows} × ${columns}, from ${short(low)} to ${short(high)}`);
  element("rect", { x, y, width: side, height: side, fill: "none", stroke: rule, "stroke-width": 0.5 }, svg);
  const write: Write = (attributes, text) => element("text", attributes, svg, text);
  nameRows(namesOf(panel).slice(0, rows), side / rows, { x, y }, write);
  if (isWritten(panel)) {
    writeCells({ ...panel, values: pixels }, (value) => scale((value - low) / (high - low)), { x, y }, write);
    return image;
  }
  const bar = { x: x + side + 8, y, width: 10, height: side, preserveAspectRatio: "none", href: colourBar(scale) };
  element("image", bar, svg);
  element("rect", { x: x + side + 8, y, width: 10, height: side, fill: "none", stroke: rule, "stroke-width": 0.5 }, svg);
  const ticks: readonly [number, number][] = [
    [high, 10],
    [(low + high) / 2, side / 2 + 4],
    [low, side],
  ];
  for (const [value, at] of ticks) element("text", { x: x + side + 22, y: y + at, "font-size": 10, fill: soft }, svg, short(value));
  return image;
}

type Write = (attributes: Record<string, string | number>, text: string) => void;
interface Corner {
  readonly x: number;
  readonly y: number;
}
const nameStyle = (height: number): { readonly "font-size": number; readonly fill: string } => ({
  "font-size": Math.min(11, height),
  fill: soft,
});

/** Names to the left of rows. */
function nameRows(names: readonly string[], height: number, { x, y }: Corner, write: Write): void {
  for (const [i, name] of names.entries())
    write({ ...nameStyle(height), x: x - 5, y: y + (i + 0.5) * height + 4, "text-anchor": "end" }, cut(name));
}

/** Numbers in their cells, zeros left out, and names below columns. */
function writeCells(
  { values: { data, shape }, names = [] }: HeatmapPanel,
  colourOf: (value: number) => readonly [number, number, number],
  { x, y }: Corner,
  write: Write,
): void {
  const [rows, columns] = shape;
  const [height, width] = [side / rows, side / columns];
  const size = Math.min(11, 0.6 * Math.min(height, width));
  data.forEach((value, k) => {
    if (value === 0) return;
    const at = { x: x + ((k % columns) + 0.5) * width, y: y + (Math.floor(k / columns) + 0.5) * height + 0.35 * size };
    write({ ...at, "font-size": size, "text-anchor": "middle", fill: inkOn(colourOf(value)) }, short(value));
  });
  const small = nameStyle(height);
  const upright = names.some((name) => cut(name).length * 6 > width);
  names.slice(0, rows).forEach((name, i) => {
    const at = { x: x + (i + 0.5) * width + (upright ? 4 : 0), y: y + side + (upright ? 5 : 13) };
    write({ ...small, ...at, "text-anchor": upright ? "end" : "middle", ...(upright ? { transform: `rotate(-90 ${at.x} ${at.y})` } : {}) }, cut(name)); // prettier-ignore
  });
}

function commonLimits(surveys: readonly Survey[]): readonly [number, number] {
  const low = surveys.reduce((least, one) => Math.min(least, one.low), Infinity);
  const high = surveys.reduce((most, one) => Math.max(most, one.high), -Infinity);
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

function symmetric([low, high]: readonly [number, number]): readonly [number, number] {
  const limit = Math.max(Math.abs(low), Math.abs(high));
  return [-limit, limit];
}

/** Steps of a colour scale: as many as one byte tells apart, less one for what is no number. */
const steps = 255;

function raster({ data, shape: [rows, columns] }: Matrix, low: number, high: number, scale: ColourScale): string {
  const palette = new Uint8Array(3 * (steps + 1)).fill(235);
  for (let k = 0; k < steps; k++) palette.set(scale(k / (steps - 1)), 3 * k);
  const pixels = new Uint8Array(rows * columns);
  for (let at = 0; at < data.length; at += columns) quantise(data, low, high, pixels, at, at + columns);
  return pngDataUrl(columns, rows, pixels, palette);
}

function quantise(data: Float64Array, low: number, high: number, pixels: Uint8Array, from: number, to: number): void {
  for (let i = from; i < to; i++) {
    const value = data[i]!;
    pixels[i] = Number.isFinite(value) ? Math.round(Math.min(1, Math.max(0, (value - low) / (high - low))) * (steps - 1)) : steps;
  }
}
