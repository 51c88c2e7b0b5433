import type { ReportBlock } from "@finitewidth/core";
import type { MethodOutcome, Plan, ProblemOutcome, StepOutcome, Verdicts } from "@finitewidth/experiment";
import { dotted, escapeHtml, factList, htmlTable, jsonDetails, notes, page, type Note } from "@finitewidth/plots";
import type { Provenance } from "../provenance.js";
import { summaryTable } from "../summary-table.js";
import { formatNumber } from "../table.js";
import { legend, sampledNetwork, verdictRows } from "../verdict-text.js";
import { createDocument } from "./html.js";
import { describeNetwork } from "./network-facts.js";
import { networkComparison } from "./network-comparison.js";
import { figureCard } from "./figure-card.js";
import { kernelCard, learned, orderParameters, predictions, samplerHealth, showsKernel, type Section } from "./sections.js";
import { headline, tellStory, type Story } from "./story.js";
import { sweepBody } from "./sweep-report.js";

const sections: readonly Section[] = [predictions, learned, orderParameters, samplerHealth];

/** The report of `finitewidth run`: the answer first, then what it rests on. */
export function experimentReport(plan: Plan, results: readonly StepOutcome[], name: string, provenance?: Provenance): string {
  const document = createDocument();
  const facts = factsOf(plan);
  const body = plan.experiment.sweep
    ? sweepBody(plan, results, document)
    : results
        .map((one) =>
          [networkComparison(one, document), ...one.problems.map((problem) => problemBody(plan, one.step, problem, document))].join(""),
        )
        .join("");
  return page(
    `${name} – finitewidth`,
    `<h1>${escapeHtml(name)}</h1><p class="lead">${escapeHtml(facts)}</p>${body}${provenanceBody(plan, provenance)}`,
  );
}

/** What was solved, in one line; what a sweep varies from its first value to its last. */
function factsOf(plan: Plan): string {
  const problems = plan.steps.flatMap((step) => step.problems.map((one) => one.problem));
  const over = (textOf: (problem: (typeof problems)[number]) => string): string => {
    const texts = [...new Set(problems.map(textOf))];
    if (texts.length > 2 && plan.experiment.sweep) return `${texts[0]} … ${texts.at(-1)}`;
    return texts.join(texts.every((text) => /^[\d.]+$/.test(text)) ? " or " : "; ");
  };
  const plural = (count: string, noun: string): string => `${count} ${noun}${count === "1" ? "" : "s"}`;
  return `${over(({ network }) => describeNetwork(network, plan.registry))}. ${plural(
    over(({ inputs }) => String(inputs.shape[0])),
    "training point",
  )} of ${plural(
    over(({ inputs }) => String(inputs.shape[1])),
    "feature",
  )}, ${plural(
    over(({ targets }) => String(targets.shape[1])),
    "output",
  )}, ${over(({ likelihood, temperature }) => (likelihood ? `${likelihood.type} likelihood` : `temperature ${formatNumber(temperature)}`))}, ${over(({ scaling }) => scaling)} scaling.`;
}

function problemBody(plan: Plan, step: Plan["steps"][number], one: ProblemOutcome, document: Document): string {
  const story = tellStory(plan, step, one, document);
  const title = one.problem.label === undefined ? "" : `<h2>${escapeHtml(one.problem.label)}</h2>`;
  const parts = [
    `${title}<p class="headline">${escapeHtml(headline(story)).replaceAll(" %", "\u00a0%")}</p>`,
    methodTable(one.outcomes, story.colours, story.verdicts),
    guarded("the first figure", () => keyFigure(story)),
    remarks(one.outcomes),
    ...sections.map((section) =>
      titled(
        section.title,
        guarded(section.title, () => section.render(story)),
      ),
    ),
    ...plan.registry.reportSections.map((section) =>
      guarded(section.name, () => {
        const block = section.of({
          registry: plan.registry,
          problem: one.problem.problem,
          ...(step.data.test ? { test: step.data.test } : {}),
          ...(step.data.classes ? { classes: step.data.classes } : {}),
          methods: story.solved,
        });
        return block ? blockHtml(block, story) : "";
      }),
    ),
    verdictTable(story),
    ...story.solved.map((outcome) =>
      jsonDetails(`Diagnostics of ${outcome.label}`, brief({ solver: outcome.posterior.solver, ...outcome.posterior.diagnostics })),
    ),
  ];
  return parts.join("");
}

/** Long lists stay in result.json. */
function brief(value: unknown): unknown {
  if (Array.isArray(value)) return value.length > 24 ? `${value.length} entries, see result.json` : value.map(brief);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, brief(entry)]));
}

const titled = (title: string, html: string): string => (html === "" ? "" : `<h2>${escapeHtml(title)}</h2>${html}`);

/** A part of a report that cannot be drawn becomes a note: numbers are never lost to a figure. */
function guarded(what: string, draw: () => string): string {
  try {
    return draw();
  } catch (error) {
    return notes([{ kind: "warning", title: `${what} could not be drawn:`, text: error instanceof Error ? error.message : String(error) }]);
  }
}

/** The one figure that shows the answer: the last hidden kernel before and after, where it moved. */
const keyFigure = (story: Story): string =>
  showsKernel(story) ? kernelCard(story, story.best!, story.best!.posterior.hiddenKernels!.length - 1) : "";

/** The summary as a table; the method's colour, and what the referee says, in front. */
export function methodTable(outcomes: readonly MethodOutcome[], colours: (label: string) => string, verdicts?: Verdicts): string {
  const { header, rows } = summaryTable(outcomes, verdicts);
  const cell = (text: string, j: number): string => {
    if (j === 0) return text === sampledNetwork ? escapeHtml(text) : dotted(text, colours);
    return j === 1 && verdicts ? `<span class="${text}">${escapeHtml(text)}</span>` : escapeHtml(text);
  };
  return htmlTable(
    header,
    rows.map((row) => row.map(cell)),
    { sortable: true },
  );
}

/** What the referee says, number by number. */
function verdictTable({ verdicts }: Story): string {
  if (!verdicts) return "";
  const { header, rows } = verdictRows(verdicts);
  const distance = verdicts.referee["priorDistance"] as { readonly sentence?: string } | undefined;
  const sentence = distance?.sentence === undefined ? "" : `<p>${escapeHtml(capital(distance.sentence))}.</p>`;
  const cell = (text: string, j: number): string => (j === 2 ? `<span class="${text}">${escapeHtml(text)}</span>` : escapeHtml(text));
  const table = htmlTable(
    header,
    rows.map((row) => row.map(cell)),
    { sortable: true, text: [1, 4] },
  );
  return `<h2>Verdicts</h2><p>${escapeHtml(capital(legend))}.</p>${sentence}<details><summary>Quantity by quantity</summary>${table}</details>`;
}

const capital = (text: string): string => `${text[0]!.toUpperCase()}${text.slice(1)}`;

/** Warnings and failures of the methods. */
export function remarks(outcomes: readonly MethodOutcome[]): string {
  return notes(
    outcomes.flatMap((outcome): Note[] =>
      outcome.status === "failed"
        ? [{ kind: "failed", title: `${outcome.label} failed:`, text: outcome.error.message }]
        : outcome.warnings.map((text) => ({ kind: "warning", title: `${outcome.label}:`, text })),
    ),
  );
}

function blockHtml({ title, paragraphs = [], table, figures = [] }: ReportBlock, story: Story): string {
  return [
    `<h2>${escapeHtml(title)}</h2>`,
    ...paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`),
    table
      ? htmlTable(
          table.header,
          table.rows.map((row) => row.map(escapeHtml)),
          { sortable: true },
        )
      : "",
    ...figures.map(({ figure, caption }) => figureCard(figure, caption, story)),
  ].join("");
}

/** What made the numbers, and the experiment as it was read. */
export function provenanceBody(plan: Pick<Plan, "experiment">, provenance: Provenance | undefined): string {
  return `${provenanceFacts(provenance, plan.experiment.seed)}${jsonDetails("Experiment as read", withoutBulk(plan.experiment))}`;
}

/** Provenance of any report. */
export function provenanceFacts(provenance: Provenance | undefined, seed?: number): string {
  if (!provenance) return "";
  const { plugins = {}, ...rest } = provenance;
  const names: Readonly<Record<string, string>> = { dataHash: "data (SHA-256)", node: "Node", version: "finitewidth" };
  const facts = Object.entries({ ...rest, ...(seed === undefined ? {} : { seed }) }).map(([key, value]): [string, string] => [
    names[key] ?? key,
    String(value),
  ]);
  return `<h2>Provenance</h2>${factList([...facts, ...Object.entries(plugins).map(([name, version]): [string, string] => [`plug-in ${name}`, version])])}`;
}

/** Inline data are in result.json already; the report shows their size only. */
function withoutBulk(experiment: Plan["experiment"]): unknown {
  return "train" in experiment.data && typeof experiment.data.train === "object"
    ? { ...experiment, data: "inline (see result.json)" }
    : experiment;
}
