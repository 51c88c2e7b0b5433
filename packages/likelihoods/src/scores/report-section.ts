import { likelihoodOf, type Matrix, type ReportBlock, type ReportContext, type ReportSection, type Series } from "@finitewidth/core";
import { classificationScores, confusionMatrix, mostConfidentlyWrong, reliability, type ClassificationScores } from "./scores.js";

const withError = (value: number, error: number): string => `${value.toFixed(4)} ± ${error.toFixed(4)}`;

const scoreRow = (
  label: string,
  { accuracy, negativeLogLikelihood, brier, calibrationError, standardError }: ClassificationScores,
): string[] => [
  label,
  withError(accuracy, standardError.accuracy),
  withError(negativeLogLikelihood, standardError.negativeLogLikelihood),
  withError(brier, standardError.brier),
  withError(calibrationError, standardError.calibrationError),
];

/** Mean |Δp| between the probabilities of two methods. */
function distance(a: Matrix, b: Matrix): number {
  return a.data.reduce((sum, p, i) => sum + Math.abs(p - b.data[i]!), 0) / a.data.length;
}

const reliabilitySeries = (label: string, probabilities: Matrix, labels: Int32Array): Series => {
  const bins = reliability(probabilities, labels).filter(({ count }) => count > 0);
  return {
    label,
    x: Float64Array.from(bins, ({ confidence }) => confidence),
    y: Float64Array.from(bins, ({ accuracy }) => accuracy),
    error: Float64Array.from(bins, ({ standardError }) => standardError),
    points: true,
  };
};

/** Scores, reliability and confusion of class probabilities at the test points. */
function blockOf({ registry, problem, test, classes, methods }: ReportContext): ReportBlock | undefined {
  const likelihood = likelihoodOf(problem, registry);
  if (likelihood?.labels === undefined || test?.targets === undefined) return undefined;
  const labels = likelihood.labels(test.targets);
  const solved = methods.flatMap(({ label, predictive }) =>
    predictive?.probabilities ? [{ label, probabilities: predictive.probabilities }] : [],
  );
  if (solved.length === 0) return undefined;
  const sampled = methods.find(({ predictive }) => predictive?.standardError?.probabilities !== undefined);
  const reference = sampled?.predictive?.probabilities;
  const wrong = mostConfidentlyWrong(solved[0]!.probabilities, labels, 5);
  const nameOf = (c: number): string => classes?.[c] ?? String(c);
  const diagonal: Series = { label: "calibrated", x: Float64Array.of(0, 1), y: Float64Array.of(0, 1), dashed: true };
  return {
    title: "Classification",
    paragraphs: [
      "Probabilities are averages over the posterior. Models of few points are honestly under-confident: compare the negative log likelihood first. Errors are those of the finite number of test points.",
      ...(wrong.length > 0
        ? [
            `Most confidently wrong (${solved[0]!.label}): ${wrong.map(({ point, label, predicted, probability }) => `test point ${point} of class ${nameOf(label)} as ${nameOf(predicted)} with probability ${probability.toFixed(3)}`).join("; ")}.`,
          ]
        : []),
    ],
    table: {
      header: [
        "method",
        "accuracy",
        "negative log likelihood",
        "Brier score",
        "calibration error",
        ...(reference ? [`mean |Δp| to ${sampled!.label}`] : []),
      ],
      rows: solved.map(({ label, probabilities }) => [
        ...scoreRow(label, classificationScores(probabilities, labels)),
        ...(reference ? [label === sampled!.label ? "–" : distance(probabilities, reference).toFixed(4)] : []),
      ]),
    },
    figures: [
      {
        figure: {
          kind: "lines",
          title: "Reliability",
          xLabel: "mean winning probability",
          yLabel: "accuracy",
          bounds: [0, 1],
          series: [diagonal, ...solved.map(({ label, probabilities }) => reliabilitySeries(label, probabilities, labels))],
        },
        caption: "Accuracy in ten bins of the winning probability (bars: one standard error). Above the line a method is under-confident.",
      },
      {
        figure: {
          kind: "heatmaps",
          title: "Confusion",
          panels: solved.map(({ label, probabilities }) => ({
            label,
            values: confusionMatrix(probabilities, labels),
            names: Array.from({ length: probabilities.shape[1] }, (_, c) => nameOf(c)),
            written: true,
          })),
        },
        caption: `Test points by true class (rows) and most probable class (columns).`,
      },
    ],
  };
}

/** Section "classification" of reports. */
export const classificationSection: ReportSection = {
  name: "classification",
  summary: "Scores, reliability and confusion of class probabilities.",
  of: blockOf,
};
