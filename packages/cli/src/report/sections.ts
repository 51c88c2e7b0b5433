import { columnOf, type Figure, type Json, type Matrix, type Series } from "@finitewidth/core";
import { symmetricEigenvalues } from "@finitewidth/linalg";
import { normalQuantile } from "@finitewidth/numerics";
import {
  agreement,
  calibration,
  dotted,
  escapeHtml,
  figureBlock,
  figureData,
  heatmapRow,
  htmlTable,
  layerLines,
  legendOf,
  type PredictiveSeries,
} from "@finitewidth/plots";
import type { SolvedOutcome } from "@finitewidth/experiment";
import { orderParameterRemark } from "../summary-table.js";
import { formatNumber } from "../table.js";
import { figureCard } from "./figure-card.js";
import { centredAlignment, effectiveRank, orderByTarget, orderName, relativeShift } from "./kernel-measures.js";
import type { Story } from "./story.js";

/** A section of the report: HTML, empty when there is nothing to show. */
export interface Section {
  readonly name: string;
  readonly title: string;
  render(story: Story): string;
}

const seriesOf = (outcome: SolvedOutcome): PredictiveSeries => ({
  method: outcome.label,
  mean: outcome.predictive!.mean.data,
  variance: outcome.predictive!.variance.data,
});

/** Calibration, and every method against one that samples. */
export const predictions: Section = {
  name: "predictions",
  title: "Predictions",
  render(story) {
    const { solved, best, test, problem, document, colours } = story;
    const predicted = solved.filter((outcome) => outcome.predictive !== undefined);
    const cards: string[] = [];
    if (predicted.length > 0 && test?.targets && test.targets.data.length >= 8 && problem.likelihood === undefined) {
      const draw = (width: number, height: number): Element =>
        calibration(predicted.map(seriesOf), test.targets!.data, problem.temperature, normalQuantile, document, {
          width,
          height,
          colours,
          legend: false,
        });
      const caption =
        "How often the target lies inside the stated central interval (noise included). On the dashed line the uncertainty is right; below it is too small.";
      cards.push(figureBlock(draw(440, 320), caption, { name: "calibration", narrow: draw(350, 280) }));
    }
    // sampled predictions to hold the others against: those of the method to believe, where it sampled
    const withErrors = predicted.filter((outcome) => outcome.predictive!.standardError !== undefined);
    const sampled = withErrors.find((outcome) => outcome === best) ?? withErrors.at(-1);
    const analytic = predicted.filter((outcome) => outcome !== sampled);
    if (sampled && analytic.length > 0)
      for (const quantity of ["mean", "variance"] as const) {
        const reference = { ...seriesOf(sampled), standardError: sampled.predictive!.standardError![quantity].data };
        const draw = (width: number, height: number): Element =>
          agreement(reference, analytic.map(seriesOf), quantity, document, { width, height, colours, legend: false });
        const caption = `Predictive ${quantity} at every test point: each method against ${sampled.label}, which samples (bars: its standard error).`;
        cards.push(figureBlock(draw(440, 320), caption, { name: `predictive ${quantity}`, narrow: draw(350, 280) }));
      }
    if (cards.length === 0) return "";
    return `${legendOf(
      predicted.map(({ label }) => label),
      colours,
    )}<div class="grid">${cards.join("")}</div>`;
  },
};

/** The kernels of one layer before and after, ordered by class or target. */
export function kernelCard(story: Story, outcome: SolvedOutcome, l: number): string {
  const { infinite, problem, document } = story;
  const order = orderByTarget(problem.targets);
  const [before, after] = [infinite![l]!, outcome.posterior.hiddenKernels![l]!];
  const panels = [
    { label: "infinite width", values: before, order },
    { label: `learned (${outcome.label})`, values: after, order },
    { label: "difference", values: after, less: before, order, diverging: true },
  ];
  return figureBlock(
    heatmapRow(panels, document),
    `Hidden layer ${l + 1}: posterior mean of φ(h)φ(h)ᵀ/N on the training inputs, ordered by ${orderName(problem.targets)}. The difference is what the layer has learned.`,
    { name: `kernel of layer ${l + 1}` },
  );
}

/** Whether the last hidden kernel of the method to believe opens the report. */
export function showsKernel({ best, infinite }: Story): boolean {
  const kernels = best?.posterior.hiddenKernels ?? [];
  const [last, before] = [kernels.at(-1), infinite?.[kernels.length - 1]];
  return last !== undefined && before !== undefined && relativeShift(last, before) >= 1e-3;
}

/** Points up to which spectra are worked out for the report. */
const spectrumLimit = 500;

/** What each layer learned: kernels, and shift, alignment, effective rank and spectra against depth. */
export const learned: Section = {
  name: "learned",
  title: "What each layer learned",
  render(story) {
    const { solved, infinite, baseline, best, problem, colours } = story;
    const learners = solved.filter((outcome) => outcome.posterior.hiddenKernels !== undefined && outcome !== baseline);
    if (!infinite || infinite.length === 0 || learners.length === 0) return "";
    const depth = infinite.length;
    const all: readonly { readonly label: string; readonly kernels: readonly Matrix[] }[] = [
      { label: baseline?.label ?? "infinite width", kernels: infinite },
      ...learners.map(({ label, posterior }) => ({ label, kernels: posterior.hiddenKernels! })),
    ];
    const measures = [
      { title: "shift from infinite width", of: (kernel: Matrix, l: number) => relativeShift(kernel, infinite[l]!) },
      { title: "alignment with the targets", of: (kernel: Matrix) => centredAlignment(kernel, problem.targets) },
      { title: "effective rank", of: (kernel: Matrix) => effectiveRank(kernel) },
    ];
    const rows = all.flatMap(({ label, kernels }) =>
      kernels.map((kernel, l) => [
        dotted(label, colours),
        String(l + 1),
        ...measures.map(({ of }) => escapeHtml(formatNumber(of(kernel, l) ?? Number.NaN))),
      ]),
    );
    const parts: string[] = [];
    const shown = learners.find((outcome) => outcome === best) ?? learners[0]!;
    const opened = shown.posterior.hiddenKernels!.length - (shown === best && showsKernel(story) ? 1 : 0);
    for (let l = 0; l < opened; l++) parts.push(kernelCard(story, shown, l));
    if (depth > 1) {
      const cards = measures.map(({ title, of }) => {
        const series = all.flatMap(({ label, kernels }): Series[] => {
          const points = kernels.flatMap((kernel, l) => {
            const y = of(kernel, l);
            return y === undefined ? [] : [[l + 1, y] as const];
          });
          return points.length > 0 ? [{ label, x: Float64Array.from(points, ([x]) => x), y: Float64Array.from(points, ([, y]) => y) }] : [];
        });
        return series.length === 0 ? "" : depthCard(title, series, depth, story);
      });
      if (problem.inputs.shape[0] <= spectrumLimit) cards.push(spectrumCard(shown.label, shown.posterior.hiddenKernels!, story));
      parts.push(
        legendOf(
          all.map(({ label }) => label),
          colours,
        ),
        `<div class="grid">${cards.join("")}</div>`,
      );
    } else if (problem.inputs.shape[0] <= spectrumLimit) parts.push(spectrumCard(shown.label, shown.posterior.hiddenKernels!, story));
    parts.push(htmlTable(["method", "layer", ...measures.map(({ title }) => title)], rows, { sortable: true }));
    const rest = learners.filter((outcome) => outcome !== shown);
    if (rest.length > 0)
      parts.push(
        `<details><summary>Kernels of the other methods</summary>${rest
          .flatMap((outcome) => outcome.posterior.hiddenKernels!.map((_, l) => kernelCard(story, outcome, l)))
          .join("")}</details>`,
      );
    return parts.join("");
  },
};

function depthCard(title: string, series: readonly Series[], depth: number, { document, colours }: Story): string {
  const figure: Extract<Figure, { kind: "lines" }> = { kind: "lines", title, xLabel: "hidden layer", yLabel: title, series };
  const draw = (width: number, height: number): Element => layerLines(figure, depth, document, { width, height, colours });
  return figureBlock(draw(540, 320), `${title[0]!.toUpperCase()}${title.slice(1)} against depth.`, {
    name: `${title} against depth`,
    data: figureData(figure),
    narrow: draw(350, 280),
  });
}

function spectrumCard(label: string, kernels: readonly Matrix[], story: Story): string {
  const normalised = (kernel: Matrix): Float64Array => {
    const values = symmetricEigenvalues(kernel).toReversed();
    const total = values.reduce((sum, value) => sum + value, 0);
    return values.map((value) => (total > 0 ? Math.max(value / total, 0) : 0));
  };
  const wanted: (readonly [string, Matrix])[] = [
    ...kernels.map((kernel, l) => [`layer ${l + 1}`, kernel] as const),
    [`layer ${kernels.length} at infinite width`, story.infinite![kernels.length - 1]!] as const,
  ];
  const series = wanted.flatMap(([name, kernel]): Series[] => {
    const y = normalised(kernel);
    const count = y.findIndex((value) => value < 1e-8);
    const kept = y.subarray(0, count < 0 ? y.length : count);
    return kept.length > 0 ? [{ label: name, x: Float64Array.from(kept, (_, i) => i + 1), y: kept }] : [];
  });
  if (series.length === 0) return "";
  const figure: Figure = {
    kind: "lines",
    title: "spectra",
    xLabel: "rank of the eigenvalue",
    yLabel: "share of the trace",
    logX: true,
    logY: true,
    series,
  };
  return figureCard(figure, `Eigenvalues of the hidden kernels of ${label}, as shares of the trace (log–log).`, story);
}

const ordered = (value: SolvedOutcome["posterior"]["orderParameter"]): string => {
  if (value === undefined) return "–";
  if (typeof value === "number") return formatNumber(value);
  const [rows, columns] = value.shape;
  if (columns === undefined || rows === 1) return Array.from(value.data, formatNumber).join(", ");
  if (rows! > 3) return `${value.shape.join(" × ")} matrix, diagonal ${formatNumber(columnOf(value as Matrix, 0)[0]!)}, …`;
  return Array.from({ length: rows! }, (_, i) =>
    Array.from(value.data.subarray(i * columns, (i + 1) * columns), formatNumber).join(", "),
  ).join("; ");
};

/** Order parameters side by side, saying what each is, and the figures that methods draw of them. */
export const orderParameters: Section = {
  name: "order-parameters",
  title: "Order parameters, and what methods draw",
  render(story) {
    const { solved, registry, problem } = story;
    const remark = orderParameterRemark(solved, problem.network, registry);
    const rows = solved
      .filter(({ posterior }) => posterior.orderParameter !== undefined)
      .map(({ label, method, posterior }) => [
        escapeHtml(label),
        escapeHtml(ordered(posterior.orderParameter)),
        escapeHtml(registry.theory(method).summary),
      ]);
    const figures = solved.flatMap((outcome) =>
      markedFigures(outcome, story).map((figure) => figureCard(figure, `${figure.title} (${outcome.label}).`, story)),
    );
    if (rows.length + figures.length === 0) return "";
    const table = rows.length === 0 ? "" : htmlTable(["method", "order parameter", "theory"], rows, { stacked: true, text: [2] });
    const remarks = remark === undefined ? "" : `<p>${escapeHtml(remark)}</p>`;
    return `${table}${remarks}<div class="grid">${figures.join("")}</div>`;
  },
};

/** Figures of a method; densities with the order parameters of those methods that state one number beside them. */
function markedFigures({ label, posterior }: SolvedOutcome, { solved }: Story): readonly Figure[] {
  const marks = solved.flatMap((other) => {
    const value = other.posterior.orderParameter;
    return other.label !== label && typeof value === "number" ? [{ label: other.label, x: value }] : [];
  });
  return (posterior.figures ?? []).map((figure) =>
    figure.kind === "density" && typeof posterior.orderParameter === "number"
      ? { ...figure, marks: [...(figure.marks ?? []), ...marks] }
      : figure,
  );
}

const healthKeys: readonly (readonly [RegExp, string])[] = [
  [/^r-?hat$/i, "R-hat"],
  [/^(bulkEss|effectiveSamples)$/i, "effective draws"],
  [/^tailEss$/i, "tail effective draws"],
  [/^divergences$/i, "divergences"],
  [/^acceptance$/i, "acceptance"],
  [/^chains$/i, "chains"],
  [/^(storedDraws|draws)$/i, "draws per chain"],
  [/^mixed$/i, "mixed"],
];

/** Whether the samplers can be trusted: what they say about themselves. */
export const samplerHealth: Section = {
  name: "sampler-health",
  title: "Sampler health",
  render({ solved }) {
    const sampled = solved.filter(({ posterior }) =>
      healthKeys.slice(0, 2).some(([pattern]) => Object.keys(posterior.diagnostics).some((key) => pattern.test(key))),
    );
    if (sampled.length === 0) return "";
    const cell = (value: Json | undefined): string => {
      if (Array.isArray(value))
        return value.length > 0 && value.every((entry) => typeof entry === "number")
          ? formatNumber(value.reduce((sum: number, entry) => sum + (entry as number), 0) / value.length)
          : "–";
      if (typeof value === "number") return formatNumber(value >= 100 ? Math.round(value) : value);
      return typeof value === "boolean" ? (value ? "yes" : "no") : "–";
    };
    const header = ["method", ...healthKeys.map(([, name]) => name)];
    const rows = sampled.map(({ label, posterior }) => [
      escapeHtml(label),
      ...healthKeys.map(([pattern]) => {
        const key = Object.keys(posterior.diagnostics).find((one) => pattern.test(one));
        return escapeHtml(cell(key === undefined ? undefined : posterior.diagnostics[key]));
      }),
    ]);
    return `${htmlTable(header, rows)}<p class="lead">R-hat compares chains with each other: up to 1.05 in the worst of all traced numbers they are taken to agree. It cannot see a region that no chain has found.</p>`;
  },
};
