import type { Figure } from "@finitewidth/core";
import { densities, histogram, lines } from "./curves.js";
import { heatmaps } from "./heatmap.js";
import type { DrawOptions } from "./style.js";

/** Draws a figure that a theory described as data. `document` is the page's own or a server-side one. */
export function drawFigure(figure: Figure, document: Document, options: DrawOptions = {}): Element {
  switch (figure.kind) {
    case "density":
      return densities(figure, document, options);
    case "lines":
      return lines(figure, document, options);
    case "histogram":
      return histogram(figure, document, options);
    case "heatmaps":
      return heatmaps(figure.panels, document);
  }
}

/** The numbers of a figure as rows, the first one names them; matrices are left to `result.json`. */
export function figureData(figure: Figure): (string | number)[][] {
  switch (figure.kind) {
    case "density":
    case "lines":
      return [
        ["series", "x", "y", "standardError"],
        ...figure.series.flatMap((one) => Array.from(one.x, (x, i) => [one.label, x, one.y[i]!, one.error?.[i] ?? ""])),
      ];
    case "histogram":
      return [["value"], ...Array.from(figure.values, (value) => [value])];
    case "heatmaps":
      return [
        ["panel", "row", "column", "value"],
        ...figure.panels.flatMap(({ label, values }) =>
          values.shape[0] > 64
            ? []
            : Array.from(values.data, (value, k) => [label, Math.floor(k / values.shape[1]), k % values.shape[1], value]),
        ),
      ];
  }
}
