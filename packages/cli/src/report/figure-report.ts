import type { FigureCheck, FigurePicture, PaperFigure } from "@finitewidth/core";
import type { ReproducedFigure } from "@finitewidth/experiment";
import { drawFigure, escapeHtml, figureBlock, figureData, heatmapRow, htmlTable, notes, page, standaloneSvg } from "@finitewidth/plots";
import { createDocument } from "./html.js";

/** Width of a drawing for screens of 390 pixels. */
const narrow = { width: 350, height: 300 };

const block = ({ figure, caption }: FigurePicture, name: string): string => {
  const document = createDocument();
  const data = figureData(figure);
  if (figure.kind === "heatmaps") return figureBlock(heatmapRow(figure.panels, document), caption, { name, data });
  return figureBlock(drawFigure(figure, document), caption, { name, data, narrow: drawFigure(figure, document, narrow) });
};

function pictures({ figure, numbers }: ReproducedFigure): string {
  const blocks = figure.pictures(numbers).map((picture, i) => block(picture, i === 0 ? figure.name : `${figure.name}-${i + 1}`));
  return blocks.length > 1 ? `<div class="grid">${blocks.join("")}</div>` : blocks.join("");
}

const verdict = (holds: boolean): string => (holds ? '<span class="pass">shown</span>' : '<span class="fail">not shown</span>');

const checkTable = (checks: readonly FigureCheck[]): string =>
  htmlTable(
    ["check", "expected", "found", ""],
    checks.map(({ name, expected, found, holds }) => [escapeHtml(name), escapeHtml(expected), escapeHtml(found), verdict(holds)]),
    { stacked: true, text: [0, 1, 2] },
  );

const texts = ({ paper, statement, differences }: PaperFigure): string =>
  `<p class="lead">${escapeHtml(paper)}</p><p class="headline">${escapeHtml(statement)}</p><p><strong>What differs.</strong> ${escapeHtml(differences)}</p>`;

const time = (seconds: number): string => (seconds < 90 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`);

/** Page of one figure: what the paper reports, our pictures, the checks. */
export function figurePage(reproduced: ReproducedFigure, experiments: readonly string[]): string {
  const { figure, checks, size, seconds } = reproduced;
  const files = experiments.map((name) => `<a href="experiments/${escapeHtml(name)}.json">${escapeHtml(name)}</a>`).join(", ");
  const made = `<p>Size ${size}, ${time(seconds)}.${files === "" ? "" : ` Experiments, for <code>finitewidth run</code>: ${files}.`}</p>`;
  const title = `${figure.name}: ${figure.summary}`;
  return page(title, `<h1>${escapeHtml(title)}</h1>${texts(figure)}${pictures(reproduced)}<h2>Checks</h2>${checkTable(checks)}${made}`);
}

/** All figures on one page. */
export function galleryPage(
  done: readonly ReproducedFigure[],
  failures: readonly { readonly figure: PaperFigure; readonly reason: string }[],
): string {
  const overview = htmlTable(
    ["figure", "shows", "checks", "time"],
    done.map(({ figure, checks, passed, seconds }) => [
      `<a href="#${figure.name}">${escapeHtml(figure.name)}</a>`,
      escapeHtml(figure.summary),
      `${checks.filter(({ holds }) => holds).length} of ${checks.length} ${verdict(passed)}`,
      time(seconds),
    ]),
    { text: [0, 1] },
  );
  const failed = notes(failures.map(({ figure, reason }) => ({ kind: "failed", title: figure.name, text: reason })));
  const sections = done.map(
    (one) =>
      `<h2 id="${one.figure.name}">${escapeHtml(one.figure.name)}: ${escapeHtml(one.figure.summary)}</h2>${texts(one.figure)}${pictures(one)}${checkTable(one.checks)}`,
  );
  return page("Figures of the papers", `<h1>Figures of the papers</h1>${failed}${overview}${sections.join("")}`);
}

/** The pictures of a figure as one SVG file. */
export const figureSvg = ({ figure, numbers }: ReproducedFigure): string =>
  standaloneSvg(figure.pictures(numbers).map((picture) => drawFigure(picture.figure, createDocument())));
