import {
  drawFigure,
  heatmapRow,
  colourOf,
  dotted,
  escapeHtml,
  figureBlock,
  figureData,
  htmlTable,
  jsonDetails,
  notes,
  page,
  type Note,
} from "@finitewidth/plots";
import type { PriorOutcome, PriorPlan } from "@finitewidth/experiment";
import { formatNumber, withError } from "../table.js";
import { provenanceFacts } from "./experiment-report.js";
import { describeNetwork } from "./network-facts.js";
import type { Provenance } from "../provenance.js";
import { createDocument } from "./html.js";

/** Header and rows of the summary, shared by the terminal and the report: moments at the first input. */
export function priorTable(outcomes: readonly PriorOutcome[]): { readonly header: string[]; readonly rows: string[][] } {
  const densities = outcomes.some((outcome) => outcome.status === "ok" && outcome.result.logDensity !== undefined);
  const header = ["method", "E f²", "excess kurtosis", ...(densities ? ["log density (first point)"] : []), "seconds"];
  const rows = outcomes.map((outcome) => {
    if (outcome.status === "failed") return [outcome.label, "failed", "", ...(densities ? [""] : []), outcome.seconds.toFixed(2)];
    const { result } = outcome;
    const error = (key: string): number | undefined => {
      const value = result.standardError?.[key];
      if (typeof value === "number" || value === undefined) return value;
      return value instanceof Float64Array ? value[0] : value.data[0];
    };
    return [
      outcome.label,
      withError(result.secondMoment?.data[0], error("secondMoment")),
      withError(result.excessKurtosis?.[0], error("excessKurtosis")),
      ...(densities ? [withError(result.logDensity?.[0], error("logDensity"))] : []),
      outcome.seconds.toFixed(2),
    ];
  });
  return { header, rows };
}

/** The report of `finitewidth prior`. */
export function priorReport(plan: PriorPlan, outcomes: readonly PriorOutcome[], name: string, provenance?: Provenance): string {
  const document = createDocument();
  const { header, rows } = priorTable(outcomes);
  const { problem } = plan;
  const facts = `${describeNetwork(problem.network, plan.registry)}; ${problem.inputs.shape[0]} inputs of ${problem.inputs.shape[1]} features, ${problem.outputs} output${problem.outputs === 1 ? "" : "s"}, seed ${plan.file.seed}.`;
  const parts = [
    `<h1>${escapeHtml(name)}</h1><p class="lead">Prior: ${escapeHtml(facts)}</p><h2>Summary</h2>`,
    htmlTable(
      header,
      rows.map((row) => row.map((cell, j) => (j === 0 ? dotted(cell, colourOf) : escapeHtml(cell)))),
    ),
    notes(
      outcomes.flatMap((outcome): Note[] =>
        outcome.status === "failed"
          ? [{ kind: "failed", title: `${outcome.label} failed:`, text: outcome.error.message }]
          : outcome.result.warnings.map((text) => ({ kind: "warning", title: `${outcome.label}:`, text })),
      ),
    ),
  ];
  const moments = outcomes.flatMap((outcome) =>
    outcome.status === "ok" && outcome.result.secondMoment ? [{ label: outcome.label, values: outcome.result.secondMoment }] : [],
  );
  if (moments.length > 0 && problem.inputs.shape[0] > 1)
    parts.push(
      `<h2>Second moments</h2>${figureBlock(heatmapRow(moments, document), "E f fᵀ of one output over the inputs.", { name: "second moments" })}`,
    );
  const shifts = outcomes.flatMap((outcome) =>
    outcome.status === "ok" && outcome.result.kernelMeanShift
      ? [{ label: outcome.label, values: outcome.result.kernelMeanShift, diverging: true }]
      : [],
  );
  if (shifts.some((shift) => shift.values.data.some((value) => value !== 0)) && problem.inputs.shape[0] > 1) {
    parts.push(
      `<h2>Shift of the mean kernel</h2>${figureBlock(heatmapRow(shifts, document), "E K̂ − K of the readout kernel: what finite width does to the mean kernel.", { name: "shift of the mean kernel" })}`,
    );
  }
  if (problem.evaluateAt.length > 0) {
    const solved = outcomes.filter((outcome) => outcome.status === "ok" && outcome.result.logDensity !== undefined) as Extract<
      PriorOutcome,
      { status: "ok" }
    >[];
    parts.push(
      "<h2>Log densities</h2>",
      htmlTable(
        ["point", ...solved.map((outcome) => outcome.label)],
        problem.evaluateAt.map((_, i) => [String(i), ...solved.map((outcome) => escapeHtml(formatNumber(outcome.result.logDensity![i]!)))]),
      ),
    );
  }
  for (const outcome of outcomes) {
    if (outcome.status !== "ok") continue;
    for (const figure of outcome.result.figures ?? [])
      parts.push(
        `<h2>${escapeHtml(`${figure.title} – ${outcome.label}`)}</h2>${figureBlock(drawFigure(figure, document), figure.title, { name: figure.title, data: figureData(figure), narrow: drawFigure(figure, document, { width: 350, height: 290 }) })}`,
      );
    if (outcome.result.diagnostics) parts.push(jsonDetails(`Diagnostics of ${outcome.label}`, outcome.result.diagnostics));
  }
  parts.push(provenanceFacts(provenance, plan.file.seed));
  return page(`${name} – finitewidth`, parts.join(""));
}
