// Computes the figures of the documentation and writes them to docs/figures as SVG.
// Usage: node --conditions @finitewidth/source --import ./ts-preload.mjs build-figures.mjs (nx run @finitewidth/tools:figures)
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createRegistry, fit, inlineRun } from "@finitewidth/core";
import { loadDataset } from "@finitewidth/datasets";
import { phaseDiagram } from "@finitewidth/large-deviations";
import { drawFigure, heatmaps, phasePlane } from "@finitewidth/plots";
import { exact, nngp } from "@finitewidth/posterior";
import { standardPlugins } from "@finitewidth/verification";
import { parseHTML } from "linkedom";

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), "docs", "figures");
const { document } = parseHTML("<!doctype html><html><body></body></html>");
const registry = createRegistry(standardPlugins);
const write = (name, svg) => writeFileSync(join(folder, `${name}.svg`), `${svg}\n`);
mkdirSync(folder, { recursive: true });

/** Pictures one below the other in one SVG on white. */
function stack(elements) {
  let y = 0;
  const parts = elements.map((element) => {
    const svg = [element, ...element.querySelectorAll("svg")].filter((one) => one.tagName.toLowerCase() === "svg").sort((a, b) => b.getAttribute("width") - a.getAttribute("width"))[0];
    const height = Number(svg.getAttribute("height"));
    const labels = element === svg ? [] : [...element.querySelectorAll("[class$=-swatch]")].map((swatch) => ({ label: swatch.textContent, colour: swatch.querySelector("svg").getAttribute("fill") }));
    if (labels.length > 0) y += 20;
    const legend = labels.map(({ label, colour }, i) => `<text x="${48 + 170 * i}" y="${y - 4}" font-family="system-ui, sans-serif" font-size="13" fill="${colour}">● ${label}</text>`).join("");
    svg.setAttribute("y", String(y));
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    y += height + 16;
    return { width: Number(svg.getAttribute("width")), text: legend + svg.outerHTML };
  });
  const width = Math.max(...parts.map((part) => part.width));
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}"><rect width="100%" height="100%" fill="white"/>${parts.map((part) => part.text).join("")}</svg>`;
}

/** Points sorted by label, so that the structure of a kernel shows. */
function byLabel({ inputs, targets }) {
  const order = Array.from(targets.data.keys()).sort((a, b) => targets.data[a] - targets.data[b]);
  const rows = (m) => ({ data: Float64Array.from(order.flatMap((i) => [...m.data.subarray(i * m.shape[1], (i + 1) * m.shape[1])])), shape: m.shape });
  return { inputs: rows(inputs), targets: rows(targets) };
}

const { train } = await loadDataset({ dataset: "mnist", classes: [0, 1], train: 60, test: 0, size: [10, 10], seed: 1 });
const digits = { ...byLabel(train), network: { type: "fully-connected", widths: [4, 4], activation: "identity" }, temperature: 0.05 };
const finite = (await fit(exact, digits, { registry })).posterior;
const infinite = (await fit(nngp, digits, { registry })).posterior;
const [before, after] = [infinite.hiddenKernels.at(-1), finite.hiddenKernels.at(-1)];
const difference = { data: after.data.map((value, i) => value - before.data[i]), shape: after.shape };
const density = finite.figures.find((figure) => figure.kind === "density");
write("digits", stack([drawFigure(density, document), heatmaps([{ label: "infinite width", values: before }, { label: "learned, width 4", values: after }, { label: "difference", values: difference, diverging: true }], document)]));

// How much the data prefer a finite network, over the width of both hidden layers.
const widths = [2, 3, 4, 6, 8, 12, 16, 24, 32, 64, 128, 256];
const gains = [];
for (const width of widths) gains.push((await fit(exact, { ...digits, network: { ...digits.network, widths: [width, width] } }, { registry })).posterior.logEvidence - infinite.logEvidence);
const x = Float64Array.from(widths);
const gain = { kind: "lines", title: "log evidence", xLabel: "width N of both hidden layers", yLabel: "log evidence − that of infinite width", logX: true, series: [{ label: "exact", x, y: Float64Array.from(gains) }] };
write("evidence-width", stack([drawFigure(gain, document)]));

const axis = (from, to, points) => Array.from({ length: points }, (_, i) => from + ((to - from) * i) / (points - 1));
const grid = { weightVariance: axis(0.5, 3, 41), biasVariance: axis(0, 0.3, 25) };
const phases = await phaseDiagram({ activation: "erf", ...grid }, inlineRun({ registry }));
write("phase-erf", stack([phasePlane({ ...grid, values: phases.chiPerp, label: "χ⊥", pivot: 1, criticalLine: phases.criticalLine }, document)]));
