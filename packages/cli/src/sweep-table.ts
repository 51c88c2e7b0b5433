import { csvCell } from "@finitewidth/plots";
import { positionOf, type MethodOutcome, type Plan, type SolvedOutcome, type StepOutcome } from "@finitewidth/experiment";

/** A number that a sweep follows. */
export interface Quantity {
  readonly name: string;
  readonly label: string;
  value(outcome: SolvedOutcome): number | undefined;
  error(outcome: SolvedOutcome): number | undefined;
  /** Which end is better, where there is one. */
  readonly best?: "largest" | "smallest";
}

/** What sweeps follow: columns of `sweep.csv` and figures of the report. */
export const quantities: readonly Quantity[] = [
  {
    name: "logEvidence",
    label: "log evidence",
    best: "largest",
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
    ...(part === "total" ? { best: "smallest" as const } : {}),
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
    value: ({ classification }) => classification?.[score],
    error: ({ classification }) => classification?.standardError[score],
  })),
  {
    name: "orderParameter",
    label: "order parameter",
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
}

/** Every outcome of a sweep, in the order of the file. */
export const sweepRows = (results: readonly StepOutcome[]): SweepRow[] =>
  results.flatMap(({ step, problems }, index) =>
    problems.flatMap(({ problem, outcomes }) =>
      outcomes.map((outcome): SweepRow => ({ step, index, ...(problem.label === undefined ? {} : { network: problem.label }), outcome })),
    ),
  );

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
  ];
  const body = rows.map(({ step, index, network, outcome }): unknown[] => [
    index,
    ...plan.keys.map((key) => step.values?.[key.name]),
    ...(several ? [network] : []),
    outcome.label,
    outcome.status,
    ...quantities.flatMap(({ value, error }): unknown[] => (outcome.status === "ok" ? [value(outcome), error(outcome)] : ["", ""])),
    outcome.seconds,
    outcome.status === "ok" ? outcome.warnings.join(" | ") : outcome.error.message,
  ]);
  return `${[header, ...body].map((cells) => cells.map(csvCell).join(",")).join("\n")}\n`;
}

/** The best of a method over the sweep for a quantity that has a better end. */
export function bestRow(rows: readonly SweepRow[], quantity: Quantity): { readonly row: SweepRow; readonly value: number } | undefined {
  let best: { row: SweepRow; value: number } | undefined;
  for (const row of rows) {
    const value = row.outcome.status === "ok" ? quantity.value(row.outcome) : undefined;
    // A negative error, where a theory has broken down, is not the best one.
    if (value === undefined || !quantity.best || (quantity.best === "smallest" && value <= 0)) continue;
    if (!best || (quantity.best === "largest" ? value > best.value : value < best.value)) best = { row, value };
  }
  return best;
}

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
