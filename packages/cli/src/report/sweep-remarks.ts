import type { StepOutcome } from "@finitewidth/experiment";
import { escapeHtml, notes } from "@finitewidth/plots";
import { beliefLines, type SweepRow } from "../sweep-table.js";
import { legend } from "../verdict-text.js";

/** A row's method, with its network where there are several. */
export const rowLabel = ({ network, outcome }: SweepRow): string =>
  network === undefined ? outcome.label : `${network}: ${outcome.label}`;

/** Every warning and failure once, with the number of steps that it is about. */
export function sweepRemarks(rows: readonly SweepRow[]): string {
  const counts = new Map<string, { readonly title: string; readonly text: string; readonly kind: "warning" | "failed"; count: number }>();
  for (const row of rows) {
    const texts = row.outcome.status === "ok" ? row.outcome.warnings : [row.outcome.error.message];
    for (const text of texts) {
      const kind = row.outcome.status === "ok" ? "warning" : "failed";
      const key = `${kind} ${rowLabel(row)} ${text}`;
      const known = counts.get(key);
      if (known) known.count += 1;
      else counts.set(key, { kind, title: kind === "failed" ? `${rowLabel(row)} failed:` : `${rowLabel(row)}:`, text, count: 1 });
    }
  }
  const all = [...counts.values()].map(({ kind, title, text, count }) => ({
    kind,
    title,
    text: count > 1 ? `${text} (${count} steps)` : text,
  }));
  const [head, rest] = [all.slice(0, 8), all.slice(8)];
  return `${notes(head)}${rest.length > 0 ? `<details><summary>${rest.length} more remarks</summary>${notes(rest)}</details>` : ""}`;
}

/** What the marks of verdicts mean, and whom to believe at the steps that were refereed; empty without a referee. */
export const sweepVerdicts = ({
  rows,
  results,
}: {
  readonly rows: readonly SweepRow[];
  readonly results: readonly StepOutcome[];
}): string =>
  rows.some(({ verdict }) => verdict) ? `<p class="lead">${[legend, ...beliefLines(results)].map(escapeHtml).join("<br>")}</p>` : "";
