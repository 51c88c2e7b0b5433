import { pageScript } from "./page-script.js";
import { pageStyle } from "./page-style.js";

/** Escapes text for HTML. */
export const escapeHtml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

/** A whole page in one file: no script from elsewhere, no network. `body` is HTML. */
export function page(title: string, body: string, script = ""): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>${escapeHtml(title)}</title><style>${pageStyle}</style></head>
<body><main>${body}<footer>Made by finitewidth. Formulas and their sources: the theory pages of the documentation.</footer></main><script>${pageScript}${script}</script></body></html>
`;
}

/** What stands beside a figure. */
export interface FigureBlockOptions {
  /** Name of the files that it is saved as. */
  readonly name?: string;
  /** Its numbers; the first row names them. */
  readonly data?: readonly (readonly (string | number | null | undefined)[])[];
  /** The same for screens of 390 pixels. */
  readonly narrow?: Element;
  /** HTML above the figure. */
  readonly above?: string;
}

/** A screen reader takes every picture for one image with its caption for a name: the parts of a plot say nothing without their places. */
function asImages(drawing: Element, caption: string): void {
  // one walk over the elements: selectors cost more than all else of a figure (linkedom's getElementsByTagName does not know "*")
  for (const part of [drawing, ...drawing.querySelectorAll("*")]) {
    if (part.tagName.toLowerCase() !== "svg") {
      if (part === drawing) continue;
      part.removeAttribute("aria-label");
      part.removeAttribute("aria-description");
    } else if (part.closest("[class*=swatch]") || part.parentElement?.closest("svg")) part.setAttribute("aria-hidden", "true");
    else {
      part.setAttribute("role", "img");
      if (!part.hasAttribute("aria-label")) part.setAttribute("aria-label", caption);
    }
  }
}

/** A figure with its caption. */
export function figureBlock(element: Element, caption: string, { name, data, narrow, above = "" }: FigureBlockOptions = {}): string {
  for (const drawing of narrow ? [element, narrow] : [element]) asImages(drawing, caption);
  const picture = narrow
    ? `<div class="has-narrow"><div class="wide">${element.outerHTML}</div><div class="narrow">${narrow.outerHTML}</div></div>`
    : `<div class="wide">${element.outerHTML}</div>`;
  const csv = data
    ? `<script type="text/csv">${data
        .map((row) => row.map(csvCell).join(","))
        .join("\n")
        .replaceAll("<", "\\u003c")}</script>`
    : "";
  return `<div class="card"${name === undefined ? "" : ` data-name="${escapeHtml(name)}"`}>${csv}<figure>${above}${picture}<figcaption>${escapeHtml(caption)}</figcaption></figure></div>`;
}

/** A cell of a CSV file: quoted where it must be. */
export function csvCell(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Table of cells that are HTML already; a sortable one has its headers for buttons; `text`: columns of words; `stacked`: on narrow screens
 * the cells of a row stand below each other, each but the first behind its header.
 */
export const htmlTable = (
  header: readonly string[],
  rows: readonly (readonly string[])[],
  {
    sortable = false,
    stacked = false,
    text = [],
  }: { readonly sortable?: boolean; readonly stacked?: boolean; readonly text?: readonly number[] } = {},
): string =>
  `<div class="card"><div class="scroll" tabindex="0"><table${sortable ? ' class="sortable"' : stacked ? ' class="stacked"' : ""}><thead><tr>${header
    .map((cell, j) => `<th scope="col"${text.includes(j) ? ' class="text"' : ""}>${escapeHtml(cell)}</th>`)
    .join("")}</tr></thead><tbody>${rows
    .map(
      (row) =>
        `<tr>${row.map((cell, j) => `<td${text.includes(j) ? ' class="text"' : ""}${stacked && j > 0 && header[j] ? ` data-header="${escapeHtml(header[j])}"` : ""}>${cell}</td>`).join("")}</tr>`,
    )
    .join("")}</tbody></table></div></div>`;

/** Names and values, one below the other. */
export const factList = (facts: readonly (readonly [string, string])[]): string =>
  `<div class="card"><dl class="facts">${facts.map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd>`).join("")}</dl></div>`;

/** A label behind the dot of its colour, on one line. */
export const dotted = (label: string, colours: (label: string) => string): string =>
  `<span class="label"><span class="dot" style="background:${colours(label)}"></span>${escapeHtml(label)}</span>`;

/** Labels with their colours. */
export const legendOf = (labels: readonly string[], colours: (label: string) => string): string =>
  `<div class="legend">${labels.map((label) => dotted(label, colours)).join("")}</div>`;

/** A remark in a report. */
export interface Note {
  readonly kind: "warning" | "failed";
  readonly title: string;
  readonly text: string;
}

/** Warnings and failures as coloured boxes. */
export const notes = (items: readonly Note[]): string =>
  items.map(({ kind, title, text }) => `<div class="${kind}"><strong>${escapeHtml(title)}</strong> ${escapeHtml(text)}</div>`).join("");

/** Collapsible JSON. */
export const jsonDetails = (summary: string, value: unknown): string =>
  `<details><summary>${escapeHtml(summary)}</summary><pre tabindex="0">${escapeHtml(JSON.stringify(value, undefined, 1))}</pre></details>`;
