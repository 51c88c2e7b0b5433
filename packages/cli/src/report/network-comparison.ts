import type { ProblemOutcome, SolvedOutcome } from "@finitewidth/experiment";
import { dotted, escapeHtml, figureBlock, htmlTable, legendOf, reportColours, sweepPanel } from "@finitewidth/plots";
import { quantities, type Quantity } from "../sweep-table.js";
import { formatNumber, withError } from "../table.js";

interface Solved {
  readonly network: string;
  readonly outcome: SolvedOutcome;
}

/** Several networks on the same data: the best by each measure in words, all numbers in one table, and each measure drawn. Else nothing. */
export function networkComparison(problems: readonly ProblemOutcome[], document: Document): string {
  if (problems.length < 2) return "";
  const networks = problems.map(({ problem }) => problem.label!);
  const solved = problems.flatMap(({ problem, outcomes }) =>
    outcomes.flatMap((outcome): Solved[] => (outcome.status === "ok" ? [{ network: problem.label!, outcome }] : [])),
  );
  const distinct = ({ value }: Quantity): number =>
    new Set(solved.map(({ outcome }) => value(outcome)).filter((x) => x !== undefined)).size;
  const measured = quantities.filter((quantity) => quantity.best !== undefined && distinct(quantity) > 1);
  if (measured.length === 0) return "";
  const colours = reportColours(solved.map(({ outcome }) => outcome));
  const rows = solved.map(({ network, outcome }) => [
    escapeHtml(network),
    dotted(outcome.label, colours),
    ...measured.map(({ value, error }) => withError(value(outcome), error(outcome))),
  ]);
  const methods = [...new Set(solved.map(({ outcome }) => outcome.label))];
  const cards = measured.map((quantity) => card(quantity, { solved, networks, methods, colours, document }));
  return [
    `<p class="headline">${escapeHtml(measured.map((quantity) => bestInWords(quantity, solved)).join(" "))}</p>`,
    htmlTable(["network", "method", ...measured.map(({ label }) => label)], rows, { sortable: true, text: [1] }),
    legendOf(methods, colours),
    `<div class="grid">${cards.join("")}</div>`,
  ].join("");
}

function bestInWords({ best, label, value }: Quantity, solved: readonly Solved[]): string {
  const sign = best === "largest" ? 1 : -1;
  const known = solved.filter(({ outcome }) => value(outcome) !== undefined);
  const first = known.reduce((a, b) => (sign * value(b.outcome)! > sign * value(a.outcome)! ? b : a));
  return `The ${best} ${label}: ${first.network}, ${first.outcome.label} (${formatNumber(value(first.outcome)!)}).`;
}

interface Shared {
  readonly solved: readonly Solved[];
  readonly networks: readonly string[];
  readonly methods: readonly string[];
  readonly colours: (label: string) => string;
  readonly document: Document;
}

function card({ label, value, error }: Quantity, { solved, networks, methods, colours, document }: Shared): string {
  const points = solved.flatMap(({ network, outcome }) => {
    const [y, spread] = [value(outcome), error(outcome)];
    if (y === undefined) return [];
    const tip = `${network}, ${outcome.label}\n${label} ${withError(y, spread)}`;
    return [{ x: networks.indexOf(network), y, error: spread ?? 0, label: outcome.label, warned: outcome.warnings.length > 0, tip }];
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
