import type { Answers } from "../compute/answers.js";
import { sampler } from "../model/experiment.js";

/** Gives a file to the reader. */
export function download(name: string, content: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Everything on the screen as one table: method, quantity, place, value. */
export function csvOf({ solved, sweep, sampled }: Answers): string {
  const rows: (string | number)[][] = [["method", "quantity", "place", "value", "standard error"]];
  for (const one of solved.values()) {
    if (one.logEvidence !== undefined) rows.push([one.method, "log evidence", "", one.logEvidence, ""]);
    for (const [name, value] of Object.entries(one.error ?? {})) rows.push([one.method, `generalisation error: ${name}`, "", value, ""]);
    one.orderParameter?.forEach((value, i) => rows.push([one.method, "order parameter", i + 1, value, ""]));
    one.mean?.forEach((value, i) =>
      rows.push([one.method, "predictive mean", i, value, ""], [one.method, "predictive variance", i, one.variance![i]!, ""]),
    );
  }
  for (const [method, widths] of sweep)
    for (const [width, one] of widths) if (one.error) rows.push([method, "generalisation error at width", width, one.error.total, ""]);
  for (const [width, { mean, error }] of sampled)
    rows.push([sampler, "generalisation error at width", width, mean, Number.isFinite(error) ? error : ""]);
  return rows
    .map((row) => row.map((cell) => (/[",\n]/.test(String(cell)) ? `"${String(cell).replaceAll('"', '""')}"` : cell)).join(","))
    .join("\n");
}

const copied = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight"];

/** Every picture below `root` as one SVG: charts with their styles written out, maps as images. */
export function svgOf(root: ParentNode): string {
  const columns = 3;
  const [width, height, gap] = [420, 340, 24];
  const panels = [...root.querySelectorAll<HTMLElement>("section.panel")].flatMap((panel) => {
    const picture = panel.querySelector<SVGSVGElement>("svg.chart");
    const canvases = [...panel.querySelectorAll("canvas")];
    return picture || canvases.length > 0 ? [{ title: panel.querySelector("h2")?.textContent?.trim() ?? "", picture, canvases }] : [];
  });
  const parts = panels.map(({ title, picture, canvases }, i) => {
    const at = `translate(${(i % columns) * (width + gap)},${Math.floor(i / columns) * (height + gap) + 24})`;
    const heading = `<text y="-8" font-weight="600">${escaped(title)}</text>`;
    return `<g transform="${at}">${heading}${picture ? plain(picture) : canvases.map((canvas, k) => image(canvas, k, canvases.length, width, height)).join("")}</g>`;
  });
  const rows = Math.ceil(panels.length / columns);
  const size = `width="${columns * (width + gap)}" height="${rows * (height + gap)}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="system-ui, sans-serif" font-size="12">${parts.join("")}</svg>`;
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

function image(canvas: HTMLCanvasElement, k: number, count: number, width: number, height: number): string {
  const perRow = Math.ceil(Math.sqrt(count));
  const side = Math.min(width, height - 30) / perRow;
  const place = `x="${(k % perRow) * side}" y="${Math.floor(k / perRow) * side}" width="${side * 0.95}" height="${side * 0.95}"`;
  return `<image ${place} preserveAspectRatio="none" style="image-rendering:pixelated" href="${canvas.toDataURL()}"/>`;
}

/** A copy that needs no style sheet. */
function plain(picture: SVGSVGElement): string {
  const copy = picture.cloneNode(true) as SVGSVGElement;
  const [from, to] = [[...picture.querySelectorAll<SVGElement>("*")], [...copy.querySelectorAll<SVGElement>("*")]];
  from.forEach((element, i) => {
    const style = getComputedStyle(element);
    for (const name of copied) to[i]!.setAttribute(name, style.getPropertyValue(name));
  });
  copy.setAttribute("width", "420");
  copy.setAttribute("height", "320");
  return new XMLSerializer().serializeToString(copy).replaceAll(/<!--[\s\S]*?-->/g, "");
}
