import type { Evaluation, OptimiseResult } from "@finitewidth/experiment";
import { escapeHtml, figureBlock, figureData, htmlTable, lines, notes, page } from "@finitewidth/plots";
import { formatNumber, withError } from "../table.js";
import { createDocument } from "./html.js";

/** The report of `finitewidth optimise`: the optimum, and the evidence and the test error wherever the search has been. */
export function optimiseReport({ method, optimum, infiniteWidth, depths, trace, warnings }: OptimiseResult, name: string): string {
  const document = createDocument();
  const names = Object.keys(optimum.values);
  const table = htmlTable(
    ["", "value", "deviation of its logarithm", ...(infiniteWidth ? ["infinite width would choose"] : [])],
    [
      ...names.map((key) => [
        key,
        formatNumber(optimum.values[key]!),
        optimum.logDeviations[key] === undefined
          ? optimum.atBounds.includes(key)
            ? "at its bound"
            : "–"
          : formatNumber(optimum.logDeviations[key]),
        ...(infiniteWidth ? [infiniteWidth.values[key] === undefined ? "–" : formatNumber(infiniteWidth.values[key])] : []),
      ]),
      [
        "log evidence",
        withError(optimum.logEvidence, optimum.standardError),
        "",
        ...(infiniteWidth ? [formatNumber(infiniteWidth.logEvidence)] : []),
      ],
      [
        "generalisation error",
        withError(optimum.generalizationError, undefined),
        "",
        ...(infiniteWidth ? [withError(infiniteWidth.generalizationError, undefined)] : []),
      ],
    ].map((row) => row.map(escapeHtml)),
  );
  const quantities = [
    {
      label: "log evidence",
      caption: "Log evidence",
      of: (one: Evaluation) => one.logEvidence,
      error: (one: Evaluation) => one.standardError ?? 0,
    },
    { label: "generalisation error", caption: "Generalisation error", of: (one: Evaluation) => one.generalizationError, error: () => 0 },
  ];
  const figures = names.flatMap((key) =>
    quantities.flatMap(({ label, caption, of, error }) => {
      const known = trace
        .filter((one) => of(one) !== undefined && Number.isFinite(of(one)))
        .sort((a, b) => a.values[key]! - b.values[key]!);
      if (known.length < 2) return [];
      const column = (pick: (one: Evaluation) => number) => Float64Array.from(known, pick);
      const series = [
        { label: method, x: column((one) => one.values[key]!), y: column((one) => of(one)!), error: column(error), points: true },
      ];
      const marks = [{ label: "optimum", x: optimum.values[key]! }];
      const figure = { kind: "lines", title: label, xLabel: key, yLabel: label, logX: true, series, marks } as const;
      return [
        figureBlock(
          lines(figure, document, { width: 540, height: 320 }),
          `${caption} at every point that the search has looked at, against ${key}.`,
          { name: `${label} against ${key}`, data: figureData(figure), narrow: lines(figure, document, { width: 350, height: 290 }) },
        ),
      ];
    }),
  );
  const tried =
    depths.length > 1
      ? htmlTable(
          ["hidden layers", "log evidence"],
          depths.map((one) => [String(one.values["depth"]), withError(one.logEvidence, one.standardError)].map(escapeHtml)),
        )
      : "";
  const remarks = notes(warnings.map((text) => ({ kind: "warning" as const, title: "Note:", text })));
  return page(
    `${name} – finitewidth`,
    `<h1>${escapeHtml(name)}</h1><p class="lead">The log evidence of ${escapeHtml(method)} at its maximum, after ${trace.length} evaluations.</p>${table}${tried}${remarks}<h2>Search</h2><div class="grid">${figures.join("")}</div>`,
  );
}
