import {
  hiddenWidths,
  resolveArchitecture,
  type Figure,
  type Matrix,
  type Network,
  type Primitive,
  type Registry,
} from "@finitewidth/core";
import { infiniteWidthKernels } from "@finitewidth/kernels";
import { symmetricEigenvalues } from "@finitewidth/linalg";
import { normalQuantile } from "@finitewidth/numerics";
import {
  agreement,
  calibration,
  colourOf,
  drawFigure,
  heatmaps,
  lines,
  type PredictiveSeries,
  escapeHtml,
  figureBlock,
  htmlTable,
  jsonDetails,
  notes,
  page,
  type Note,
} from "@finitewidth/plots";
import type { MethodOutcome, Plan, ProblemOutcome, SolvedOutcome, StepOutcome, Verdicts } from "@finitewidth/experiment";
import { legend, verdictRows } from "../verdict-text.js";
import { summaryTable } from "../summary-table.js";
import { formatNumber } from "../table.js";
import type { Provenance } from "../provenance.js";
import { createDocument } from "./html.js";

type Solved = SolvedOutcome;

/** One sentence about the network. */
export function describeNetwork(network: Network, registry: Registry): string {
  const architecture = resolveArchitecture(registry, network);
  const widths = hiddenWidths(architecture);
  const activations = [...new Set(activationNames(architecture.layers))];
  const layers = `${widths.length} hidden layer${widths.length === 1 ? "" : "s"} of ${architecture.input ? "channels" : "widths"} ${widths.join(", ")}`;
  return `${network.type}, ${layers}, ${activations.join(", ") || "no"} activation`;
}

const activationNames = (layers: readonly Primitive[]): string[] =>
  layers.flatMap((layer) => {
    if (layer.kind === "pointwise") return [layer.activation.name];
    return layer.kind === "merge" ? layer.branches.flatMap(activationNames) : [];
  });

/** The report of `finitewidth run`. */
export function experimentReport(plan: Plan, results: readonly StepOutcome[], name: string, _provenance?: Provenance): string {
  const document = createDocument();
  const { problem } = plan.steps[0]!.problems[0]!;
  const facts = `${describeNetwork(problem.network, plan.registry)}; ${problem.inputs.shape[0]} training points of ${problem.inputs.shape[1]} features, ${problem.targets.shape[1]} output${problem.targets.shape[1] === 1 ? "" : "s"}, ${problem.likelihood ? `${problem.likelihood.type} likelihood` : `temperature ${formatNumber(problem.temperature)}`}, ${problem.scaling} scaling, seed ${plan.experiment.seed}.`;
  const body = plan.experiment.sweep
    ? sweepBody(plan, results, document)
    : results[0]!.problems.map((one) => stepBody(plan, one, document)).join("");
  return page(
    `${name} – finitewidth`,
    `<h1>${escapeHtml(name)}</h1><p class="lead">${escapeHtml(facts)}</p>${body}${jsonDetails("Experiment as read", withoutBulk(plan.experiment))}`,
  );
}

/** Inline data are in result.json already; the report shows their size only. */
function withoutBulk(experiment: Plan["experiment"]): unknown {
  return "train" in experiment.data && typeof experiment.data.train === "object"
    ? { ...experiment, data: "inline (see result.json)" }
    : experiment;
}

function methodTable(outcomes: readonly MethodOutcome[], verdicts?: Verdicts): string {
  const { header, rows } = summaryTable(outcomes, verdicts);
  return htmlTable(
    header,
    rows.map((row) =>
      row.map((cell, j) =>
        j === 0 ? `<span class="dot" style="background:${colourOf(cell)}"></span>${escapeHtml(cell)}` : escapeHtml(cell),
      ),
    ),
  );
}

/** What the referee says, number by number. */
function verdictSection(verdicts: Verdicts | undefined): string {
  if (!verdicts) return "";
  const { header, rows } = verdictRows(verdicts);
  const distance = verdicts.referee["priorDistance"] as { readonly sentence?: string } | undefined;
  const sentence =
    distance?.sentence === undefined ? "" : `<p>${escapeHtml(`${distance.sentence[0]!.toUpperCase()}${distance.sentence.slice(1)}.`)}</p>`;
  return `<p>${escapeHtml(legend)}.</p><details><summary>Verdicts</summary>${htmlTable(
    header,
    rows.map((row) => row.map(escapeHtml)),
  )}</details>${sentence}`;
}

function remarks(outcomes: readonly MethodOutcome[], prefix = ""): string {
  return notes(
    outcomes.flatMap((outcome): Note[] =>
      outcome.status === "failed"
        ? [{ kind: "failed", title: `${prefix}${outcome.label} failed:`, text: outcome.error.message }]
        : outcome.warnings.map((text) => ({ kind: "warning", title: `${prefix}${outcome.label}:`, text })),
    ),
  );
}

const seriesOf = (outcome: Solved): PredictiveSeries => ({
  method: outcome.label,
  mean: outcome.predictive!.mean.data,
  variance: outcome.predictive!.variance.data,
});

function stepBody(plan: Plan, { problem: planned, outcomes, verdicts }: ProblemOutcome, document: Document): string {
  const { label, problem } = planned;
  const solved = outcomes.filter((outcome): outcome is Solved => outcome.status === "ok");
  const parts = [
    `<h2>${escapeHtml(label ?? "Summary")}</h2>`,
    methodTable(outcomes, verdicts),
    verdictSection(verdicts),
    remarks(outcomes),
  ];
  const predicted = solved.filter((outcome) => outcome.predictive !== undefined);
  const targets = plan.data.test?.targets;
  const grid: string[] = [];
  if (predicted.length > 0 && targets && targets.data.length >= 8 && problem.likelihood === undefined) {
    const element = calibration(predicted.map(seriesOf), targets.data, problem.temperature, normalQuantile, document);
    grid.push(
      figureBlock(
        element,
        "Calibration on the test points: how often the target lies inside the stated central interval (noise included). On the dashed line the uncertainty is right; below it is too small.",
      ),
    );
  }
  const sampled = predicted.find((outcome) => outcome.predictive!.standardError !== undefined && outcome.method === "monte-carlo");
  const analytic = predicted.filter((outcome) => outcome !== sampled);
  if (sampled && analytic.length > 0) {
    const prediction = sampled.predictive!;
    for (const quantity of ["mean", "variance"] as const) {
      const reference = { ...seriesOf(sampled), standardError: prediction.standardError![quantity].data };
      grid.push(
        figureBlock(
          agreement(reference, analytic.map(seriesOf), quantity, document),
          `Predictive ${quantity} at every test point: theory against sampling of the real network (bars: one Monte Carlo standard error).`,
        ),
      );
    }
  }
  if (grid.length > 0) parts.push(`<h2>Predictions</h2><div class="grid">${grid.join("")}</div>`);
  for (const outcome of solved) {
    for (const figure of markedFigures(outcome, solved))
      parts.push(`<h2>${escapeHtml(`${figure.title} – ${outcome.label}`)}</h2>${figureBlock(drawFigure(figure, document), figure.title)}`);
  }
  parts.push(hiddenKernelSection(plan, problem.inputs, problem.network, solved, document));
  for (const outcome of solved)
    parts.push(jsonDetails(`Diagnostics of ${outcome.label}`, { solver: outcome.posterior.solver, ...outcome.posterior.diagnostics }));
  return parts.join("");
}

/**
 * The figures of a method; the density of `exact` over eigenvalues of the mixing matrix with the minimiser of the rate function beside it,
 * where there is one.
 */
function markedFigures({ method, posterior }: Solved, solved: readonly Solved[]): readonly Figure[] {
  const figures = posterior.figures ?? [];
  const minimiser = solved.find((outcome) => outcome.method === "large-deviation")?.posterior.orderParameter;
  if (method !== "exact" || minimiser === undefined) return figures;
  const values = typeof minimiser === "number" ? [minimiser] : Array.from(symmetricEigenvalues(minimiser as Matrix)).toReversed();
  const marks = values.filter((value) => value > 1e-9 * values[0]!).map((x, i) => ({ label: i === 0 ? "large deviations" : "", x }));
  return figures.map((figure) => (figure.kind === "density" ? { ...figure, marks: [...(figure.marks ?? []), ...marks] } : figure));
}

function hiddenKernelSection(plan: Plan, inputs: Matrix, network: Network, solved: readonly Solved[], document: Document): string {
  const learners = solved.filter((outcome) => outcome.posterior.hiddenKernels !== undefined && outcome.method !== "nngp");
  if (learners.length === 0) return "";
  const infinite = infiniteWidthKernels(resolveArchitecture(plan.registry, network), inputs).hidden;
  const order = sortByTarget(plan, inputs.shape[0]);
  const blocks = learners.flatMap((outcome) =>
    outcome.posterior.hiddenKernels!.map((kernel, l) => {
      const before = permuted(infinite[l]!, order);
      const after = permuted(kernel, order);
      const difference: Matrix = { data: after.data.map((value, i) => value - before.data[i]!), shape: after.shape };
      const element = heatmaps(
        [
          { label: "infinite width", values: before },
          { label: `learned (${outcome.label})`, values: after },
          { label: "difference", values: difference, diverging: true },
        ],
        document,
      );
      return figureBlock(
        element,
        `Hidden layer ${l + 1}: posterior mean of φ(h)φ(h)ᵀ/N on the training inputs, ordered by target. The difference is what the layer has learned.`,
      );
    }),
  );
  return `<h2>Hidden kernels</h2>${blocks.join("")}`;
}

/** Training points ordered by their first target (class by class for one-hot ones), so that learned structure shows as blocks. */
function sortByTarget(plan: Plan, points: number): number[] {
  const { data, shape } = plan.data.train.targets;
  const outputs = shape[1];
  const key = (i: number): number => {
    if (outputs === 1) return data[i]!;
    const row = data.subarray(i * outputs, (i + 1) * outputs);
    return row.indexOf(Math.max(...row));
  };
  return Array.from({ length: points }, (_, i) => i).sort((i, j) => key(i) - key(j) || i - j);
}

function permuted(kernel: Matrix, order: readonly number[]): Matrix {
  const n = kernel.shape[0];
  const data = new Float64Array(n * n);
  order.forEach((from, i) => order.forEach((to, j) => (data[i * n + j] = kernel.data[from * n + to]!)));
  return { data, shape: [n, n] };
}

function sweepBody(plan: Plan, results: readonly StepOutcome[], document: Document): string {
  const parts: string[] = ["<h2>Sweep</h2>"];
  const flat = results.map(({ step, problems }) => ({
    step,
    problem: problems[0]!.problem.problem,
    outcomes: problems.flatMap(({ problem, outcomes }) =>
      outcomes.map((one) => (problem.label === undefined ? one : { ...one, label: `${problem.label}: ${one.label}` })),
    ),
  }));
  const names = [...new Set(flat.flatMap(({ outcomes }) => outcomes.map((one) => one.label)))];
  const loads = flat.map(
    ({ problem }) => problem.inputs.shape[0] / (hiddenWidths(resolveArchitecture(plan.registry, problem.network)).at(-1) ?? Number.NaN),
  );
  const widthSwept = plan.experiment.sweep?.widths !== undefined || plan.experiment.sweep?.train !== undefined;
  const key = widthSwept ? "α = P/N" : (Object.keys(results[0]?.step.values ?? {})[0] ?? "step");
  const xOf = ({ step }: { readonly step: StepOutcome["step"] }, i: number): number => {
    if (widthSwept) return loads[i]!;
    const value = step.values?.[key as keyof typeof step.values];
    return typeof value === "number" ? value : i;
  };
  const quantities = [
    {
      label: "generalisation error",
      pick: (o: Solved) => o.generalizationError?.total,
      spread: (o: Solved) => o.generalizationStandardError?.total,
    },
    { label: "bias", pick: (o: Solved) => o.generalizationError?.bias, spread: (o: Solved) => o.generalizationStandardError?.bias },
    {
      label: "variance",
      pick: (o: Solved) => o.generalizationError?.variance,
      spread: (o: Solved) => o.generalizationStandardError?.variance,
    },
    { label: "log evidence", pick: (o: Solved) => o.posterior.logEvidence, spread: (o: Solved) => o.posterior.standardError?.logEvidence },
  ];
  const drawn = quantities.flatMap(({ label, pick, spread }) => {
    const series = names.flatMap((name) => {
      const points = flat
        .map((result, i) => ({ x: xOf(result, i), outcome: result.outcomes.find((outcome) => outcome.label === name) }))
        .flatMap(({ x, outcome }) => {
          const y = outcome?.status === "ok" ? pick(outcome) : undefined;
          return y === undefined || outcome?.status !== "ok" ? [] : [{ x, y, error: spread(outcome) ?? 0 }];
        })
        .sort((a, b) => a.x - b.x);
      if (points.length === 0) return [];
      const sampled = points.some((point) => point.error > 0);
      const column = (field: "x" | "y" | "error") => Float64Array.from(points, (point) => point[field]);
      return [{ label: name, x: column("x"), y: column("y"), ...(sampled ? { error: column("error"), points: true } : {}) }];
    });
    if (series.length === 0) return [];
    const positive = series.every((one) => one.x.every((x) => x > 0));
    return [
      figureBlock(
        lines({ kind: "lines", title: label, xLabel: key, yLabel: label, logX: positive, series }, document),
        `${label} against ${key}: every method at every step of the sweep (bars: one Monte Carlo standard error).`,
      ),
    ];
  });
  parts.push(...drawn);
  flat.forEach((result) => {
    const label = JSON.stringify(result.step.values);
    parts.push(`<details><summary>${escapeHtml(label)}</summary>${methodTable(result.outcomes)}${remarks(result.outcomes)}</details>`);
  });
  parts.push(remarks(flat.flatMap((result) => result.outcomes.filter((outcome) => outcome.status === "failed")).slice(0, 5)));
  return parts.join("");
}
