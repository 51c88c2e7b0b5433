import { join } from "node:path";
import type { Plan, StepOutcome } from "@finitewidth/experiment";
import { beliefLines, bestRow, quantities, rowText, stepText, sweepRows, type SweepRow } from "./sweep-table.js";
import { orderParameterRemark, summaryTable } from "./summary-table.js";
import { textTable } from "./table.js";
import { beliefText, legend } from "./verdict-text.js";

/** Where a command prints. */
export interface Output {
  write(text: string): unknown;
}

/** The results of `finitewidth run` in the terminal: one table, for a sweep with one row per step; their paths when written. */
export function printResults(plan: Plan, results: readonly StepOutcome[], out: string | undefined, stdout: Output): void {
  if (plan.experiment.sweep) stdout.write(`${[sweepText(plan, results), ...beliefLines(results)].join("\n")}\n`);
  else
    for (const { problems } of results)
      for (const { problem, outcomes, verdicts } of problems) {
        const { header, rows } = summaryTable(outcomes, verdicts);
        if (problem.label !== undefined) stdout.write(`\n${problem.label}\n`);
        stdout.write(`${textTable(header, rows)}\n`);
        const remark = orderParameterRemark(outcomes, problem.problem.network, plan.registry);
        if (remark !== undefined) stdout.write(`${remark}\n`);
        const belief = beliefText(verdicts?.believe);
        if (belief !== undefined) stdout.write(`${belief}\n`);
      }
  if (results.some(({ problems }) => problems.some(({ verdicts }) => verdicts))) stdout.write(`${legend}\n`);
  for (const line of warningLines(results)) stdout.write(`${line}\n`);
  if (out === undefined) return;
  stdout.write(`\nReport: ${join(out, "report.html")}\nNumbers: ${join(out, "result.json")}\n`);
  if (plan.experiment.sweep) stdout.write(`Table: ${join(out, "sweep.csv")}\n`);
}

/** A quantity, and how many rows have it. */
interface Counted {
  readonly quantity: (typeof quantities)[number];
  readonly count: number;
}

/**
 * Steps as rows, methods as columns: the generalisation error where there is one, else the log evidence or, where more methods have it, the
 * negative log likelihood of classes; marks where a method warns.
 */
export function sweepText(plan: Plan, results: readonly StepOutcome[]): string {
  const rows = sweepRows(results);
  const [error, evidence, likelihood] = ["generalizationError.total", "logEvidence", "classification.negativeLogLikelihood"].map((name) => {
    const quantity = quantities.find((one) => one.name === name)!;
    return { quantity, count: rows.filter((row) => valueOf(row, quantity.value) !== undefined).length };
  }) as [Counted, Counted, Counted];
  const { quantity: shown } = error.count > 0 ? error : likelihood.count > evidence.count ? likelihood : evidence;
  const column = ({ network, outcome }: SweepRow): string => (network === undefined ? outcome.label : `${network}: ${outcome.label}`);
  const columns = [...new Set(rows.map(column))];
  const cell = (row: SweepRow | undefined): string =>
    row ? `${rowText(row, shown)}${row.outcome.status === "ok" && row.outcome.warnings.length > 0 ? " !" : ""}` : "";
  const body = results.map(({ step }, index) => [
    ...plan.keys.map((key) => text(step.values?.[key.name])),
    ...columns.map((name) => cell(rows.find((row) => row.index === index && column(row) === name))),
  ]);
  const best = columns.flatMap((name) => {
    const own = rows.filter((row) => column(row) === name);
    return quantities.flatMap((one) => {
      const found = bestRow(own, one);
      return found ? [`best ${one.label} of ${name}: ${found.text} at ${found.where}`] : [];
    });
  });
  return `${shown.label}\n${textTable([...plan.keys.map((key) => key.name), ...columns], body)}\n${best.join("\n")}`;
}

const valueOf = (row: SweepRow, value: (typeof quantities)[number]["value"]): number | undefined =>
  row.outcome.status === "ok" ? value(row.outcome) : undefined;
const text = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));

/** Warnings that the terminal shows; the report has all. */
const mostWarnings = 12;

/** Every warning once, with how many steps it is about. */
function warningLines(results: readonly StepOutcome[]): string[] {
  const steps = new Map<string, StepOutcome["step"][]>();
  for (const { outcome, network, step } of sweepRows(results))
    if (outcome.status === "ok")
      for (const warning of outcome.warnings) {
        const line = `  ! ${network === undefined ? "" : `${network}: `}${outcome.label}: ${warning}`;
        steps.set(line, [...(steps.get(line) ?? []), step]);
      }
  const lines = [...steps].map(([line, [first, ...others]]) => {
    if (others.length > 0) return `${line} (${others.length + 1} times)`;
    return first!.values ? `${line} (at ${stepText(first!.values)})` : line;
  });
  return lines.length > mostWarnings
    ? [...lines.slice(0, mostWarnings), `  ! … and ${lines.length - mostWarnings} more in the report`]
    : lines;
}
