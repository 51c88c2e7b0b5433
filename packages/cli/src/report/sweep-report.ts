import type { Json, SweepKey } from "@finitewidth/core";
import type { Plan, StepOutcome } from "@finitewidth/experiment";
import {
  dotted,
  escapeHtml,
  figureBlock,
  htmlTable,
  legendOf,
  parallelCoordinates,
  reportColours,
  sequential,
  short,
  sweepPanel,
  sweepPlane,
  type ParallelAxis,
  type SweepPoint,
} from "@finitewidth/plots";
import { hasLaterVariances } from "../summary-table.js";
import { bestRow, differ, quantities, rowText, stepPosition, stepText, sweepRows, type Quantity, type SweepRow } from "../sweep-table.js";
import { withError } from "../table.js";
import { rowLabel, sweepRemarks, sweepVerdicts } from "./sweep-remarks.js";

/** One curve of a sweep: a method of a network. */
interface Curve {
  readonly label: string;
  readonly rows: readonly SweepRow[];
}

/** Everything that the figures of a sweep share. */
interface Sweep {
  readonly plan: Plan;
  readonly results: readonly StepOutcome[];
  readonly rows: readonly SweepRow[];
  readonly curves: readonly Curve[];
  readonly colours: (label: string) => string;
  readonly document: Document;
}

/** The body of the report of a sweep: the best points in words, the table, every quantity against every key. */
export function sweepBody(plan: Plan, results: readonly StepOutcome[], document: Document): string {
  const rows = sweepRows(results);
  const labels = [...new Map(rows.map((row) => [rowLabel(row), row.outcome.method])).entries()];
  const colours = reportColours(labels.map(([label, method]) => ({ label, method })));
  const curves = labels.map(([label]) => ({ label, rows: rows.filter((row) => rowLabel(row) === label) }));
  const sweep: Sweep = { plan, results, rows, curves, colours, document };
  const shown = quantities.filter(({ value }) => rows.some((row) => numberOf(row, value) !== undefined));
  const figures = plan.keys.length === 1 ? oneKey(sweep, shown) : plan.keys.length === 2 ? twoKeys(sweep, shown) : manyKeys(sweep, shown);
  return [
    `<p class="headline">${headline(sweep, shown).map(escapeHtml).join("<br>\n")}</p>`,
    figures,
    `<h2>Every step</h2>`,
    table(sweep, shown),
    sweepRemarks(sweep.rows),
  ].join("");
}

const numberOf = ({ outcome }: SweepRow, value: Quantity["value"]): number | undefined =>
  outcome.status === "ok" ? value(outcome) : undefined;

/** Steps, and a line for each quantity that has a better end: where it is best, with whatever methods are best there. */
function headline({ plan, curves, results }: Sweep, shown: readonly Quantity[]): readonly string[] {
  const steps = `${results.length} of ${plan.steps.length} steps over ${plan.keys.map((key) => key.name).join(", ")}.`;
  const sentences = shown
    .filter((quantity) => quantity.best !== undefined)
    .flatMap((quantity) => {
      const places = new Map<string, string[]>();
      for (const { label, rows } of curves) {
        const best = bestRow(rows, quantity);
        if (best) places.set(best.where, [...(places.get(best.where) ?? []), `${label} (${best.text})`]);
      }
      const found = [...places].map(([where, methods]) => `at ${where} by ${methods.join(", ")}`);
      return found.length > 0 ? [`${quantity.best === "largest" ? "Largest" : "Smallest"} ${quantity.label}: ${found.join("; ")}.`] : [];
    });
  return [steps, ...sentences];
}

/** Whether a quantity depends on the sweep at all. */
const varies = (rows: readonly SweepRow[], quantity: Quantity): boolean =>
  differ(rows.flatMap((row) => numberOf(row, quantity.value) ?? []));

const tipOf = (row: SweepRow, quantity: Quantity, value: number): string => {
  const error = row.outcome.status === "ok" ? quantity.error(row.outcome) : undefined;
  const warning =
    row.outcome.status === "ok" && row.outcome.warnings.length > 0 ? `\nwarns: ${row.outcome.warnings[0]!.slice(0, 160)}` : "";
  return `${rowLabel(row)}\n${stepText(row.step.values)}\n${quantity.label} ${withError(value, error)}${warning}`;
};

/** Points of some rows along a key, and the names of its positions where they are no numbers. */
function along(
  sweep: Sweep,
  key: SweepKey,
  rows: readonly SweepRow[],
  quantity: Quantity,
): { readonly points: SweepPoint[]; readonly categories?: string[] } {
  const values = sweep.plan.experiment.sweep![key.name] as readonly Json[];
  const placed = rows.map((row) => stepPosition(sweep.plan, key, row.step));
  const numeric = placed.every((place) => place.numeric) && values.length === new Set(placed.map(({ x }) => x)).size;
  const points = rows.flatMap((row, i): SweepPoint[] => {
    const y = numberOf(row, quantity.value);
    if (y === undefined) return [];
    const at = values.findIndex((value) => JSON.stringify(value) === JSON.stringify(row.step.values![key.name]));
    const error = row.outcome.status === "ok" ? (quantity.error(row.outcome) ?? 0) : 0;
    const warned = row.outcome.status === "ok" && row.outcome.warnings.length > 0;
    return [{ x: numeric ? placed[i]!.x : at, y, error, label: rowLabel(row), warned, tip: tipOf(row, quantity, y) }];
  });
  return { points, ...(numeric ? {} : { categories: values.map(nameOf) }) };
}

const nameOf = (value: Json): string =>
  typeof value === "string" ? value : typeof value === "number" ? short(value) : JSON.stringify(value).replaceAll(",", ", ");
/** Label of an axis: the last part of a path says enough. */
const axisLabel = (key: SweepKey): string => key.label ?? key.name.split(".").at(-1)!;

function panelCard(sweep: Sweep, key: SweepKey, quantity: Quantity, rows: readonly SweepRow[], where = ""): string {
  const { points, categories } = along(sweep, key, rows, quantity);
  if (points.length === 0) return "";
  const labels = sweep.curves.map(({ label }) => label);
  const references = labels.filter(
    (label) =>
      !varies(
        rows.filter((row) => rowLabel(row) === label),
        quantity,
      ),
  );
  const title = `${quantity.label}${where}`;
  const optional = { ...(categories ? { categories } : {}), ...(quantity.bounds ? { bounds: quantity.bounds } : {}) };
  const panel = { title: quantity.label, xLabel: axisLabel(key), points, references, labels, ...optional };
  const draw = (width: number, height: number): Element => sweepPanel(panel, sweep.document, { width, height, colours: sweep.colours });
  const together = new Set(points.map(({ label }) => label)).size > 1;
  const laterVariances = sweep.results.some(({ problems }) =>
    problems.some(({ problem: { problem } }) => hasLaterVariances(problem.network, sweep.plan.registry)),
  );
  const remark = quantity.units !== undefined && together && laterVariances ? [quantity.units] : [];
  const data = [
    [key.name, "method", quantity.name, "standardError"],
    ...points.map(({ x, y, error, label }) => [categories?.[x] ?? x, label, y, error]),
  ];
  return figureBlock(draw(540, 320), [`${title[0]!.toUpperCase()}${title.slice(1)} against ${axisLabel(key)}.`, ...remark].join(" "), {
    name: `${title} against ${key.name}`,
    data,
    narrow: draw(350, 290),
  });
}

function oneKey(sweep: Sweep, shown: readonly Quantity[]): string {
  const key = sweep.plan.keys[0]!;
  const cards = shown.map((quantity) => panelCard(sweep, key, quantity, sweep.rows));
  const difference = differenceQuantity(sweep);
  if (difference) cards.push(panelCard(sweep, key, difference, sweep.rows));
  return `${legend(sweep)}<div class="grid">${cards.join("")}</div>`;
}

const legend = ({ curves, colours }: Sweep): string =>
  `${legendOf(
    curves.map(({ label }) => label),
    colours,
  )}<p class="lead">Bars: one standard error. Hollow points: the method warns. Dashed: does not depend on what is swept. Triangles: beyond the scale.</p>`;

/**
 * Generalisation error minus that of the method that does not depend on the sweep (infinite width, say), in standard errors where there are
 * any.
 */
function differenceQuantity({ curves }: Sweep): Quantity | undefined {
  const total = quantities.find(({ name }) => name === "generalizationError.total")!;
  const reference = curves.find(
    (curve) => curve.rows.length > 1 && curve.rows.some((row) => numberOf(row, total.value) !== undefined) && !varies(curve.rows, total),
  );
  const others = curves.filter(
    (curve) => curve !== reference && curve.rows.some((row) => row.outcome.status === "ok" && (total.error(row.outcome) ?? 0) > 0),
  );
  if (!reference || others.length === 0) return undefined;
  const base = numberOf(reference.rows[0]!, total.value)!;
  return {
    name: "difference",
    label: `(error − ${reference.label}) / standard error`,
    value: (outcome) => {
      const [value, error] = [total.value(outcome), total.error(outcome)];
      return value === undefined || !error ? undefined : (value - base) / error;
    },
    error: () => undefined,
  };
}

function twoKeys(sweep: Sweep, shown: readonly Quantity[]): string {
  const [first, second] = sweep.plan.keys as [SweepKey, SweepKey];
  const values = (key: SweepKey): readonly Json[] => sweep.plan.experiment.sweep![key.name] as readonly Json[];
  const [xs, ys] = [values(first), values(second)];
  const cards = shown
    .filter((quantity) => quantity.best !== undefined)
    .flatMap((quantity) => {
      // methods side by side are compared by their colours
      const scaled = sweep.rows.flatMap((row) => numberOf(row, quantity.value) ?? []);
      return sweep.curves.flatMap((curve) => {
        if (!varies(curve.rows, quantity) || !curve.rows.some((row) => numberOf(row, quantity.value) !== undefined)) return [];
        const cells = xs.map(() => ys.map((): number | null => null));
        for (const row of curve.rows) {
          const i = Math.floor(row.index / ys.length);
          const j = row.index % ys.length;
          cells[i]![j] = numberOf(row, quantity.value) ?? null;
        }
        const best = bestRow(curve.rows, quantity)?.row.index ?? -1;
        const plane = {
          title: `${quantity.label}, ${curve.label}`,
          xLabel: axisLabel(first),
          yLabel: axisLabel(second),
          xs: xs.map(nameOf),
          ys: ys.map(nameOf),
          values: cells,
          scaled,
          ...(best < 0 ? {} : { best: [Math.floor(best / ys.length), best % ys.length] as const }),
        };
        const draw = (width: number): Element => sweepPlane(plane, sweep.document, sequential, { width });
        const data = [
          [first.name, second.name, quantity.name],
          ...cells.flatMap((row, i) => row.map((value, j) => [plane.xs[i], plane.ys[j], value])),
        ];
        return [
          figureBlock(
            draw(540),
            `${quantity.label[0]!.toUpperCase()}${quantity.label.slice(1)} of ${curve.label}${best < 0 ? "" : `; framed: the ${quantity.best}`}.`,
            { name: plane.title, data, narrow: draw(350) },
          ),
        ];
      });
    });
  const families = shown
    .filter((quantity) => quantity.best !== undefined)
    .flatMap((quantity) =>
      ys.length > 6
        ? []
        : ys.map((value, j) =>
            panelCard(
              sweep,
              first,
              quantity,
              sweep.rows.filter((row) => row.index % ys.length === j),
              ` at ${second.name} ${nameOf(value)}`,
            ),
          ),
    );
  const curvesBlock = families.length > 0 ? `<h2>Curves</h2>${legend(sweep)}<div class="grid">${families.join("")}</div>` : "";
  return `<div class="grid">${cards.join("")}</div>${curvesBlock}`;
}

/** Facets drawn at most. */
const mostFacets = 24;

function manyKeys(sweep: Sweep, shown: readonly Quantity[]): string {
  const [first, ...others] = sweep.plan.keys as [SweepKey, ...SweepKey[]];
  const wanted = shown.filter((quantity) => quantity.best !== undefined);
  const parallel = wanted.flatMap((quantity) => sweep.curves.flatMap((curve) => parallelCard(sweep, curve, quantity)));
  const combinations = [
    ...new Map(sweep.results.map(({ step }) => [JSON.stringify(others.map((key) => step.values![key.name])), step.values!])).values(),
  ];
  const main = wanted.find(({ name }) => name === "generalizationError.total") ?? wanted[0];
  const facets = combinations.slice(0, mostFacets).map((values) => {
    const own = sweep.rows.filter((row) =>
      others.every((key) => JSON.stringify(row.step.values![key.name]) === JSON.stringify(values[key.name])),
    );
    const where = others.map((key) => `${key.name} ${nameOf(values[key.name]!)}`).join(", ");
    return main ? panelCard(sweep, first, main, own, ` at ${where}`) : "";
  });
  const rest = combinations.length > mostFacets ? `<p>${combinations.length - mostFacets} more combinations are in the table.</p>` : "";
  return `${parallel.join("")}<h2>Against ${escapeHtml(axisLabel(first))}</h2>${legend(sweep)}<div class="grid">${facets.join("")}</div>${rest}`;
}

function parallelCard(sweep: Sweep, curve: Curve, quantity: Quantity): string[] {
  const rows = curve.rows.filter((row) => numberOf(row, quantity.value) !== undefined);
  if (rows.length < 2 || !varies(rows, quantity)) return [];
  const axes = sweep.plan.keys.map((key): ParallelAxis => {
    const values = sweep.plan.experiment.sweep![key.name] as readonly Json[];
    const placed = rows.map((row) => stepPosition(sweep.plan, key, row.step));
    if (placed.every((place) => place.numeric)) return { name: axisLabel(key), values: placed.map((place) => place.x) };
    return {
      name: axisLabel(key),
      values: rows.map((row) => values.findIndex((value) => JSON.stringify(value) === JSON.stringify(row.step.values![key.name]))),
      categories: values.map(nameOf),
    };
  });
  const last: ParallelAxis = { name: quantity.label, values: rows.map((row) => numberOf(row, quantity.value)!) };
  const found = bestRow(rows, quantity);
  const best = found ? rows.indexOf(found.row) : -1;
  const draw = (width: number, height: number): Element =>
    parallelCoordinates([...axes, last], sweep.document, sequential, { best, width, height });
  const caption = `Every step as a line across its values, coloured by the ${quantity.label} of ${curve.label}${best < 0 ? "" : `; red: the ${quantity.best}`}.`;
  return [figureBlock(draw(760, 360), caption, { name: `${quantity.label} of ${curve.label}`, narrow: draw(350, 300) })];
}

function table(sweep: Sweep, shown: readonly Quantity[]): string {
  const header = [...sweep.plan.keys.map((key) => key.name), "method", ...shown.map(({ label }) => label), "seconds", "remarks"];
  const body = sweep.rows.map((row) => [
    ...sweep.plan.keys.map((key) => escapeHtml(nameOf(row.step.values![key.name]!))),
    dotted(rowLabel(row), sweep.colours),
    ...shown.map((quantity) => escapeHtml(rowText(row, quantity))),
    row.outcome.seconds.toFixed(2),
    row.outcome.status === "ok" ? String(row.outcome.warnings.length || "") : "failed",
  ]);
  return `${sweepVerdicts(sweep)}${htmlTable(header, body, { sortable: true, text: [sweep.plan.keys.length] })}`;
}
