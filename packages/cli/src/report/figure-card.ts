import type { Figure } from "@finitewidth/core";
import { drawFigure, figureBlock, figureData, heatmapRow, soft } from "@finitewidth/plots";
import type { Story } from "./story.js";

const narrow = { width: 350, height: 290 } as const;

/** A figure in both widths, with its data. Where it shows methods they have their colours, and what they are compared with has none. */
export function figureCard(figure: Figure, caption: string, { document, colours, solved }: Story): string {
  if (figure.kind === "heatmaps") return figureBlock(heatmapRow(figure.panels, document), caption, { name: figure.title });
  const isMethod = (name: string): boolean => solved.some(({ label }) => label === name);
  const own = figure.kind === "lines" && figure.series.some(({ label, group = label }) => isMethod(group));
  const options = { width: 460, height: 300, ...(own ? { colours: (name: string) => (isMethod(name) ? colours(name) : soft) } : {}) };
  return figureBlock(drawFigure(figure, document, options), caption, {
    name: figure.title,
    data: figureData(figure),
    narrow: drawFigure(figure, document, { ...options, ...narrow }),
  });
}
