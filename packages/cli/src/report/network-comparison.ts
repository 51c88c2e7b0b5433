import type { StepOutcome } from "@finitewidth/experiment";
import { dotted, escapeHtml, figureBlock, htmlTable, legendOf, reportColours, sweepPanel } from "@finitewidth/plots";
import { bestRow, quantities, rowText, sweepRows, type Quantity, type SweepRow } from "../sweep-table.js";
import { legend } from "../verdict-text.js";

/** Several networks on the same data: the best by each measure in words, all numbers in one table, and each measure drawn. Else nothing. */
export function networkComparison(step: StepOutcome, document: Document): string {
  if (step.problems.length < 2) return "";
  const networks = step.problems.map(({ problem }) => problem.label!);
  const rows = sweepRows([step]).filter(({ outcome }) => outcome.status === "ok");
  const labels = [...new Map(rows.map(({ outcome }) => [outcome.label, outcome])).values()];
  const colours = reportColours(labels);
  const found = quantities.flatMap((quantity) => {
    const best = bestRow(rows, quantity);
    return best ? [{ quantity, best }] : [];
  });
  if (found.length === 0) return "";
  const measured = found.map(({ quantity }) => quantity);
  const words = found.map(
    ({ quantity, best: { ties, text } }) =>
      `The ${quantity.best} ${quantity.label}: ${ties.map(({ network, outcome }) => `${network}, ${outcome.label}`).join(" and ")} (${text}).`,
  );
  const body = rows.map((row) => [
    escapeHtml(row.network!),
    dotted(row.outcome.label, colours),
    ...measured.map((quantity) => escapeHtml(rowText(row, quantity))),
  ]);
  const methods = labels.map(({ label }) => label);
  const cards = measured.map((quantity) => card(quantity, { rows, networks, methods, colours, document }));
  return [
    `<p class="headline">${escapeHtml(words.join(" "))}</p>`,
    rows.some(({ verdict }) => verdict) ? `<p class="lead">${escapeHtml(legend)}</p>` : "",
    htmlTable(["network", "method", ...measured.map(({ label }) => label)], body, { sortable: true, text: [1] }),
    legendOf(methods, colours),
    `<div class="grid">${cards.join("")}</div>`,
  ].join("");
}

interface Shared {
  readonly rows: readonly SweepRow[];
  readonly networks: readonly string[];
  readonly methods: readonly string[];
  readonly colours: (label: string) => string;
  readonly document: Document;
}

function card(quantity: Quantity, { rows, networks, methods, colours, document }: Shared): string {
  const { label, value, error } = quantity;
  const points = rows.flatMap((row) => {
    const { outcome, network } = row;
    const y = outcome.status === "ok" ? value(outcome) : undefined;
    if (y === undefined || outcome.status !== "ok") return [];
    const tip = `${network}, ${outcome.label}\n${label} ${rowText(row, quantity)}`;
    const x = networks.indexOf(network!);
    return [{ x, y, error: error(outcome) ?? 0, label: outcome.label, warned: outcome.warnings.length > 0, tip }];
  });
  const panel = { title: label, xLabel: "network", points, references: [], labels: methods, categories: networks };
  const draw = (width: number, height: number): Element => sweepPanel(panel, document, { width, height, colours });
  return figureBlock(draw(540, 260), `${label[0]!.toUpperCase()}${label.slice(1)} of every network; hollow: the method warns.`, {
    name: `${label} of networks`,
    data: [
      ["network", "method", label, "standardError"],
      ...points.map(({ x, y, error: e, label: method }) => [networks[x], method, y, e]),
    ],
    narrow: draw(350, 240),
  });
}
