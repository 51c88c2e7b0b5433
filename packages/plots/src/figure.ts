import type { Figure } from "@finitewidth/core";
import { densities, histogram, lines } from "./curves.js";
import { heatmaps } from "./heatmap.js";

/** Draws a figure that a theory described as data. `document` is the page's own or a server-side one. */
export function drawFigure(figure: Figure, document: Document): Element {
  switch (figure.kind) {
    case "density":
      return densities(figure, document);
    case "lines":
      return lines(figure, document);
    case "histogram":
      return histogram(figure, document);
    case "heatmaps":
      return heatmaps(figure.panels, document);
  }
}
