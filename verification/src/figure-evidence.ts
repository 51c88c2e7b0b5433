import type { FigureCheck } from "@finitewidth/core";
import { escapeHtml, htmlTable } from "@finitewidth/plots";

/** A figure of a paper at quick size, and whether its numbers show what the paper reports. */
export interface FigureEvidence {
  readonly figure: string;
  readonly checks: readonly FigureCheck[];
  /** Why it could not be computed. */
  readonly reason?: string;
  readonly seconds: number;
}

type Figures = readonly FigureEvidence[];

const rowsOf = (figures: Figures): { readonly figure: string; readonly check: FigureCheck }[] =>
  figures.flatMap(({ figure, checks, reason }) =>
    (reason === undefined ? checks : [{ name: "could not be computed", expected: "", found: reason, holds: false }]).map((check) => ({
      figure,
      check,
    })),
  );

/** Every figure was computed and every check holds. */
export const figuresPass = (figures: Figures): boolean => rowsOf(figures).every(({ check }) => check.holds);

/** Their table for report.md. */
export const figuresMarkdown = (figures: Figures): string[] =>
  figures.length === 0
    ? []
    : [
        "## Figures of the papers",
        "",
        "| | figure | check | expected | found |",
        "| --- | --- | --- | --- | --- |",
        ...rowsOf(figures).map(
          ({ figure, check: { name, expected, found, holds } }) =>
            `| ${holds ? "✓" : "✗"} | ${[figure, name, expected, found].map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
        ),
        "",
      ];

/** Their cases for junit.xml. */
export const figureCases = (figures: Figures, escapeXml: (text: string) => string): string[] =>
  rowsOf(figures).map(({ figure, check: { name, expected, found, holds } }) => {
    const body = holds ? "" : `<failure message="${escapeXml(`expected ${expected}, found ${found}`)}"/>`;
    return `  <testcase classname="${escapeXml(`figure ${figure}`)}" name="${escapeXml(name)}">${body}</testcase>`;
  });

/** Number of checks that do not hold. */
export const failedFigures = (figures: Figures): number => rowsOf(figures).filter(({ check }) => !check.holds).length;

/** Their section of report.html. */
export const figuresHtml = (figures: Figures): string =>
  figures.length === 0
    ? ""
    : `<h2>Figures of the papers</h2>${htmlTable(
        ["", "figure", "check", "expected", "found"],
        rowsOf(figures).map(({ figure, check: { name, expected, found, holds } }) => [
          `<span class="${holds ? "pass" : "fail"}">${holds ? "✓" : "✗"}</span>`,
          ...[figure, name, expected, found].map(escapeHtml),
        ]),
        { text: [1, 2, 3, 4] },
      )}`;
