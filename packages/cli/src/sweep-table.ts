import type { Matrix, MethodVerdict, Verdict } from "@finitewidth/core";
import { csvCell } from "@finitewidth/plots";
import { positionOf, type MethodOutcome, type Plan, type SolvedOutcome, type StepOutcome } from "@finitewidth/experiment";
import { formatNumber, withError } from "./table.js";
import { beliefText, marked, overall } from "./verdict-text.js";

/** A number that a sweep follows. */
export interface Quantity {
  readonly name: string;
  readonly label: string;
  value(outcome: SolvedOutcome): number | undefined;
  error(outcome: SolvedOutcome): number | undefined;
  /** Which end is better, where there is one. */
  readonly best?: "largest" | "smallest";
  /** Least and largest value that there can be. */
  readonly bounds?: readonly [number, number];
  /** Whose verdict it carries. */
  readonly judged?: keyof MethodVerdict;
  /** A number about the training data themselves, which says nothing about other ones. */
  readonly ofData?: true;
  /** What is to be known of it where several methods are drawn together and a later layer's weight variance is not one. */
  readonly units?: string;
}

/** What sweeps follow: columns of `sweep.csv` and figures of the report. */
export const quantities: readonly Quantity[] = [
  {
    name: "logEvidence",
    label: "log evidence",
    best: "largest",
    judged: "logEvidence",
    ofData: true,
    value: ({ posterior }) => posterior.logEvidence,
    error: ({ posterior }) => posterior.standardError?.logEvidence,
  },
  ...(
    [
      ["total", "generalisation error"],
      ["bias", "bias"],
      ["variance", "variance"],
    ] as const
  ).map(([part, label]): Quantity => ({
    name: `generalizationError.${part}`,
    label,
    ...(part === "total" ? { best: "smallest" as const, judged: "generalizationError" as const } : {}),
    value: ({ generalizationError }) => generalizationError?.[part],
    error: ({ generalizationStandardError }) => generalizationStandardError?.[part],
  })),
  ...(
    [
      ["accuracy", "accuracy", "largest"],
      ["negativeLogLikelihood", "negative log likelihood", "smallest"],
      ["calibrationError", "calibration error", undefined],
    ] as const
  ).map(([score, label, best]): Quantity => ({
    name: `classification.${score}`,
    label,
    ...(best ? { best } : {}),
    ...(score === "accuracy" ? { bounds: [0, 1] as const } : {}),
    value: ({ classification }) => classification?.[score],
    error: ({ classification }) => classification?.standardError[score],
  })),
  {
    name: "orderParameter",
    label: "order parameter",
    units: "With or without the weight variances of later layers, by the theory: compare courses, not values.",
    judged: "orderParameter",
    value: ({ posterior: { orderParameter } }) => meanOf(orderParameter),
    error: ({ posterior: { standardError } }) =>
      typeof standardError?.orderParameter === "number" ? standardError.orderParameter : undefined,
  },
];

function meanOf(value: SolvedOutcome["posterior"]["orderParameter"]): number | undefined {
  if (value === undefined || typeof value === "number") return value;
  const [rows, columns] = value.shape;
  if (columns === undefined) return value.data.reduce((sum, entry) => sum + entry, 0) / value.data.length;
  if (rows !== columns || value.shape.length !== 2) return undefined;
  let trace = 0;
  for (let i = 0; i < rows; i++) trace += value.data[i * rows + i]!;
  return trace / rows;
}

/** One method of one network at one step. */
export interface SweepRow {
  readonly step: StepOutcome["step"];
  readonly index: number;
  readonly network?: string;
  readonly outcome: MethodOutcome;
  /** What the referee says of it, where this step was refereed. */
  readonly verdict?: MethodVerdict;
}

/** Every outcome of a sweep, in the order of the file. */
export const sweepRows = (results: readonly StepOutcome[]): SweepRow[] =>
  results.flatMap(({ step, problems }, index) =>
    problems.flatMap(({ problem, outcomes, verdicts }) =>
      outcomes.map((outcome): SweepRow => {
        const verdict = verdicts?.verdicts[outcome.label];
        return {
          step,
          index,
          ...(problem.label === undefined ? {} : { network: problem.label }),
          outcome,
          ...(verdict ? { verdict } : {}),
        };
      }),
    ),
  );

/** A number of a row with its error and the mark of its verdict; "–" where there is none. */
export function rowText(row: SweepRow, quantity: Quantity): string {
  const { outcome } = row;
  if (outcome.status === "failed") return "failed";
  return marked(withError(quantity.value(outcome), quantity.error(outcome)), verdictOn(row, quantity));
}

/** `sweep.csv`: a row for every method at every step, keys first, then each quantity with its standard error. */
export function sweepCsv(plan: Plan, results: readonly StepOutcome[]): string {
  const rows = sweepRows(results);
  const several = rows.some(({ network }) => network !== undefined);
  const header = [
    "step",
    ...plan.keys.map((key) => key.name),
    ...(several ? ["network"] : []),
    "method",
    "status",
    ...quantities.flatMap(({ name }) => [name, `${name}.standardError`]),
    "seconds",
    "warnings",
    "verdict",
  ];
  const body = rows.map(({ step, index, network, outcome, verdict }): unknown[] => [
    index,
    ...plan.keys.map((key) => step.values?.[key.name]),
    ...(several ? [network] : []),
    outcome.label,
    outcome.status,
    ...quantities.flatMap(({ value, error }): unknown[] => (outcome.status === "ok" ? [value(outcome), error(outcome)] : ["", ""])),
    outcome.seconds,
    outcome.status === "ok" ? outcome.warnings.join(" | ") : outcome.error.message,
    verdict ? overall(verdict) : "",
  ]);
  return `${[header, ...body].map((cells) => cells.map(csvCell).join(",")).join("\n")}\n`;
}

const valueOf = ({ outcome }: SweepRow, quantity: Quantity): number | undefined =>
  outcome.status === "ok" ? quantity.value(outcome) : undefined;

/** Whether numbers differ by more than rounding. */
export function differ(values: readonly number[]): boolean {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  return high - low > 1e-9 * Math.max(Math.abs(low), Math.abs(high));
}

/** The best of some rows. */
export interface Best {
  readonly row: SweepRow;
  /** Its value in words, with its verdict, or that it has none where others do, and with what the method itself doubts. */
  readonly text: string;
  /** Its step in words, without the keys that change nothing; how many others are as good, and whether better numbers are contradicted. */
  readonly where: string;
  /** All rows that are as good, to rounding. */
  readonly ties: readonly SweepRow[];
}

/** Whether all rows were fitted to the same points. */
function sameData(rows: readonly SweepRow[]): boolean {
  const [first, ...others] = rows.map(({ step }) => step.data.train);
  const same = (a: Matrix, b: Matrix): boolean =>
    a.shape.join() === b.shape.join() && (a.data === b.data || a.data.every((value, i) => value === b.data[i]));
  return others.every((train) => train === first || (same(train.inputs, first!.inputs) && same(train.targets, first!.targets)));
}

/**
 * The best of some rows for a quantity that has a better end, where it varies at all and can be compared. Numbers that sampling the network
 * contradicts are not the best of anything.
 */
export function bestRow(rows: readonly SweepRow[], quantity: Quantity): Best | undefined {
  const better = (a: number, b: number): boolean => (quantity.best === "largest" ? a > b : a < b);
  const contradicted: number[] = [];
  let best: { row: SweepRow; value: number } | undefined;
  for (const row of rows) {
    const value = valueOf(row, quantity);
    if (value === undefined || !quantity.best) continue;
    // A negative error, where a theory has broken down, is not the best one.
    if (quantity.best === "smallest" && value <= 0) continue;
    if (verdictOn(row, quantity)?.status === "contradicted") contradicted.push(value);
    else if (!best || better(value, best.value)) best = { row, value };
  }
  if (!best || !differ(rows.flatMap((row) => valueOf(row, quantity) ?? [])) || (quantity.ofData && !sameData(rows))) return undefined;
  const { row, value } = best;
  const { outcome, step } = row;
  const checked = (one: SweepRow): boolean => (verdictOn(one, quantity)?.status ?? "unchecked") !== "unchecked";
  // where other steps carry verdicts, a best one without would seem to have passed
  const unseen = !checked(row) && rows.some(checked) ? ", not checked by the referee" : "";
  const warns = outcome.status === "ok" && outcome.warnings.length > 0 ? ", it warns" : "";
  const keys = Object.keys(step.values ?? {});
  const mattering = keys.filter((key) => changesAnything(key, rows, quantity));
  const whereOf = ({ step: { values } }: SweepRow): string =>
    stepText(Object.fromEntries((mattering.length > 0 ? mattering : keys).map((key) => [key, values![key]!])));
  const ties = rows.filter((one) => {
    const other = valueOf(one, quantity);
    return other !== undefined && !differ([value, other]) && verdictOn(one, quantity)?.status !== "contradicted";
  });
  const more = new Set(ties.map(whereOf)).size - 1;
  return {
    row,
    text: `${marked(formatNumber(value), verdictOn(row, quantity))}${unseen}${warns}`,
    where: `${whereOf(row)}${more > 0 ? ` and ${more} more` : ""}${contradicted.some((one) => better(one, value)) ? ` (what is ${quantity.best === "largest" ? "larger" : "smaller"} is contradicted)` : ""}`,
    ties,
  };
}

/** Whether a quantity differs between steps that differ in this key only. */
function changesAnything(key: string, rows: readonly SweepRow[], quantity: Quantity): boolean {
  const groups = new Map<string, number[]>();
  for (const row of rows) {
    const { [key]: _, ...others } = row.step.values ?? {};
    const group = JSON.stringify([row.network, others]);
    groups.set(group, [...(groups.get(group) ?? []), ...[valueOf(row, quantity) ?? []].flat()]);
  }
  return [...groups.values()].some(differ);
}

const verdictOn = ({ verdict }: SweepRow, { judged }: Quantity): Verdict | undefined => (judged ? verdict?.[judged] : undefined);

/** Values of a step in words: "width 50, temperature 0.1". */
export const stepText = (values: StepOutcome["step"]["values"]): string =>
  Object.entries(values ?? {})
    .map(([key, value]) => `${key} ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");

/** Position of a step along a key of the sweep. */
export function stepPosition(
  plan: Plan,
  key: Plan["keys"][number],
  step: StepOutcome["step"],
): { readonly x: number; readonly numeric: boolean } {
  return positionOf(key, step.values![key.name]!, plan.experiment.sweep![key.name]!);
}

/** Whom to believe at the steps that were refereed, a line each, and how many more there are. */
export function beliefLines(results: readonly StepOutcome[], most = 12): string[] {
  const lines = results.flatMap(({ step, problems }) =>
    problems.flatMap(({ problem, verdicts }) => {
      const text = beliefText(verdicts?.believe);
      const where = [...(step.values ? [stepText(step.values)] : []), ...(problem.label === undefined ? [] : [problem.label])];
      return text === undefined ? [] : [`${where.join(", ")}: ${text}`];
    }),
  );
  return lines.length > most ? [...lines.slice(0, most), `… and ${lines.length - most} more steps in result.json`] : lines;
}
