import { themeStyle } from "./page-style.js";
import { ink, surface } from "./style.js";

const gap = 16;
/** Titles and labels begin at the very edge of a picture. */
const margin = 8;
const legendHeight = 20;
const characterWidth = 7.2;

interface Entry {
  readonly label: string;
  readonly colour: string;
}

/**
 * Pictures one below the other as one SVG file. Legends of Plot, which are HTML, become text; colours follow the light or dark setting of
 * whoever looks at it.
 */
export function standaloneSvg(pictures: readonly Element[]): string {
  let y = 8;
  let widest = 0;
  const parts = pictures.map((element) => {
    const svg = widestSvg(element);
    const width = Number(svg.getAttribute("width"));
    const rows = element === svg ? [] : legendRows(element, width);
    const legend = rows.map((row, i) => legendText(row, y + legendHeight * (i + 0.75))).join("");
    y += legendHeight * rows.length;
    svg.setAttribute("x", String(margin));
    svg.setAttribute("y", String(y));
    svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    y += Number(svg.getAttribute("height")) + gap;
    widest = Math.max(widest, width + 2 * margin);
    return legend + svg.outerHTML;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${widest}" height="${y}" viewBox="0 0 ${widest} ${y}"><style>${themeStyle}</style><rect width="100%" height="100%" fill="${surface}"/>${parts.join("")}</svg>`;
}

/** The picture itself: swatches of a legend are svg elements too. */
function widestSvg(element: Element): Element {
  return [element, ...Array.from(element.querySelectorAll("svg"))]
    .filter((one) => one.tagName.toLowerCase() === "svg")
    .sort((a, b) => Number(b.getAttribute("width")) - Number(a.getAttribute("width")))[0]!;
}

/** Entries of the legend, as many to a row as fit. */
function legendRows(element: Element, width: number): Entry[][] {
  const entries = Array.from(element.querySelectorAll("[class$=-swatch]"), (swatch) => ({
    label: swatch.textContent,
    colour: swatch.querySelector("svg")!.getAttribute("fill")!,
  }));
  const rows: Entry[][] = [];
  let left = 0;
  for (const entry of entries) {
    const size = lengthOf(entry);
    if (rows.length === 0 || size > left) {
      rows.push([]);
      left = width - 60;
    }
    rows.at(-1)!.push(entry);
    left -= size;
  }
  return rows;
}

const lengthOf = ({ label }: Entry): number => characterWidth * label.length + 40;

function legendText(row: readonly Entry[], y: number): string {
  let x = 48 + margin;
  return row
    .map((entry) => {
      const at = x;
      x += lengthOf(entry);
      const text = entry.label.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
      return `<circle cx="${at}" cy="${y - 4}" r="5" style="fill:${entry.colour}"/><text x="${at + 10}" y="${y}" font-family="system-ui, sans-serif" font-size="13" style="fill:${ink}">${text}</text>`;
    })
    .join("");
}
