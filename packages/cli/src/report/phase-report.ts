import { lines, narrowPhasePlane, phasePlane, type PhasePlane, escapeHtml, figureBlock, notes, page } from "@finitewidth/plots";
import type { Provenance } from "../provenance.js";
import { provenanceFacts } from "./experiment-report.js";
import { createDocument } from "./html.js";

interface Drawing {
  readonly element: Element;
  readonly narrow?: Element;
}
type Grid = readonly (readonly (number | null)[])[];

/** The parts of `phase.json` that the report draws. */
export interface PhaseResult {
  readonly grid: { readonly weightVariance: readonly number[]; readonly biasVariance: readonly number[] };
  readonly variance: Grid;
  readonly chiPerp: Grid;
  readonly chiParallel: Grid;
  readonly correlation: Grid;
  readonly depthScaleCorrelation: Grid;
  readonly criticalLine: readonly (readonly [number, number])[];
  readonly adaptation?:
    | {
        readonly shift: Grid;
        readonly alignmentGain: Grid;
        readonly maximum: { readonly weightVariance: number; readonly biasVariance: number } | null;
      }
    | undefined;
  readonly warnings: readonly string[];
}

/** The report of `finitewidth phase-diagram`. */
export function phaseReport(activation: string, result: PhaseResult, name: string, provenance?: Provenance): string {
  const document = createDocument();
  const { weightVariance, biasVariance } = result.grid;
  const maximum = result.adaptation?.maximum ?? undefined;
  const flat = weightVariance.length === 1 || biasVariance.length === 1;
  const draw = (values: Grid, label: string, pivot?: number, mark = false): Drawing => {
    if (flat) return { element: profile(result, values, label, mark ? maximum : undefined, document) };
    const plane: PhasePlane = {
      weightVariance,
      biasVariance,
      values,
      label,
      criticalLine: result.criticalLine,
      ...(pivot === undefined ? {} : { pivot }),
      ...(mark && maximum ? { maximum } : {}),
    };
    return { element: phasePlane(plane, document), narrow: phasePlane(plane, document, narrowPhasePlane) };
  };
  const card = (values: Grid, { element, ...narrow }: Drawing, name: string, caption: string): string =>
    figureBlock(element, caption, {
      name,
      ...narrow,
      data: [
        ["weightVariance", "biasVariance", name],
        ...weightVariance.flatMap((w, i) => biasVariance.map((b, j) => [w, b, values[i]![j]])),
      ],
    });
  const log10 = (values: Grid): Grid => values.map((row) => row.map((value) => (value === null || value <= 0 ? null : Math.log10(value))));
  const parts = [
    `<h1>${escapeHtml(name)}</h1><p class="lead">Criticality of ${escapeHtml(activation)} networks over ${weightVariance.length} × ${biasVariance.length} values of the weight and bias variances.</p>`,
    notes(result.warnings.map((text) => ({ kind: "warning" as const, title: "Note:", text }))),
    "<h2>Phases</h2>",
    card(
      result.chiPerp,
      draw(result.chiPerp, "χ⊥", 1),
      "phases",
      "χ⊥, the factor by which the angle between two nearby inputs grows per layer: below 1 ordered (blue), above 1 chaotic (red). Black: the critical line χ⊥ = 1.",
    ),
    card(
      result.depthScaleCorrelation,
      draw(log10(result.depthScaleCorrelation), "log₁₀ depth scale"),
      "depth scale of correlations",
      "Depth scale of correlations, in layers (logarithm): how far a signal travels. It diverges on the critical line.",
    ),
    card(
      result.variance,
      draw(result.variance, "fixed-point variance"),
      "fixed-point variance",
      "Variance of the preactivations at large depth.",
    ),
  ];
  if (result.adaptation) {
    parts.push(
      "<h2>Feature learning</h2>",
      card(
        result.adaptation.shift,
        draw(result.adaptation.shift, "|C − K| / |K|", undefined, true),
        "adaptation",
        "Adaptation of the readout kernel by the data, with two marks: the critical line, and the measured maximum. They are not the same place.",
      ),
      card(
        result.adaptation.alignmentGain,
        draw(result.adaptation.alignmentGain, "alignment gain", undefined, false),
        "alignment gain",
        "Gain in kernel–target alignment over the infinite-width kernel.",
      ),
    );
  }
  parts.push(provenanceFacts(provenance));
  return page(`${name} – finitewidth`, parts.join(""));
}

/** One-dimensional grids become curves with both marks. */
function profile(
  result: PhaseResult,
  values: Grid,
  label: string,
  maximum: { readonly weightVariance: number; readonly biasVariance: number } | undefined,
  document: Document,
): Element {
  const { weightVariance, biasVariance } = result.grid;
  const overWeights = biasVariance.length === 1;
  const axis = overWeights ? weightVariance : biasVariance;
  const other = overWeights ? biasVariance[0]! : weightVariance[0]!;
  const points = axis
    .map((x, i) => [x, overWeights ? values[i]![0] : values[0]![i]] as const)
    .filter((point): point is readonly [number, number] => typeof point[1] === "number");
  const crossing = crossingOf(result.criticalLine, other, overWeights);
  const marks = [
    ...(crossing === undefined || crossing < Math.min(...axis) || crossing > Math.max(...axis) ? [] : [{ label: "χ⊥ = 1", x: crossing }]),
    ...(maximum ? [{ label: "measured maximum", x: overWeights ? maximum.weightVariance : maximum.biasVariance }] : []),
  ];
  const series = [{ label, x: Float64Array.from(points, (point) => point[0]), y: Float64Array.from(points, (point) => point[1]) }];
  return lines(
    { kind: "lines", title: label, xLabel: overWeights ? "weight variance σ_w²" : "bias variance σ_b²", yLabel: label, series, marks },
    document,
  );
}

/** Where the critical line passes the fixed value of the other variance, by linear interpolation. */
function crossingOf(line: readonly (readonly [number, number])[], at: number, overWeights: boolean): number | undefined {
  const [along, across] = overWeights ? [0, 1] : [1, 0];
  for (let i = 1; i < line.length; i++) {
    const [a, b] = [line[i - 1]!, line[i]!];
    const [from, to] = [a[across as 0 | 1] - at, b[across as 0 | 1] - at];
    if (from === 0) return a[along as 0 | 1];
    if (from * to < 0) return a[along as 0 | 1] + ((b[along as 0 | 1] - a[along as 0 | 1]) * from) / (from - to);
  }
  return undefined;
}
