import type { Matrix } from "@finitewidth/core";
import type { Answers } from "../compute/answers.js";
import type { Solved } from "../compute/messages.js";
import type { Rows } from "../model/data.js";
import { kernelMethods, sampler } from "../model/experiment.js";
import type { ChartSpec, Layer } from "./chart.js";
import { colourOf, three, titleOf } from "./format.js";

/** Methods that gave an answer, those hidden by the reader left out. */
const answered = (solved: Answers["solved"], hidden: ReadonlySet<string>): Solved[] =>
  [...solved.values()].filter(({ status, method }) => status === "ok" && !hidden.has(method));

/** Prior and posterior of the order parameter, or the values that theories find for it. */
export function orderParameterPicture(
  exact: Solved | undefined,
  action: Solved | undefined,
  layers: number,
  hidden: ReadonlySet<string>,
): ChartSpec | undefined {
  const figure = exact?.densities;
  const effective = action && !hidden.has(action.method) ? action.orderParameter : undefined;
  if (figure)
    return {
      summary: `Density of the mixing variable q before and after the data. ${figure.marks?.map(({ label, x }) => `${label} at ${three(x)}`).join(", ") ?? ""}`,
      xLabel: figure.label,
      yLabel: "density",
      bare: false,
      ...(figure.logX ? { logX: true } : {}),
      layers: figure.series.map((series, i) => ({
        label: series.label,
        colour: i === 0 ? "var(--soft)" : colourOf(exact!.method),
        x: series.x,
        y: series.y,
        kind: "area" as const,
        ...(i === 0 ? { dashed: true } : {}),
      })),
      ...(figure.marks ? { marks: figure.marks } : {}),
    };
  if (!action || !effective) return undefined;
  const own = { label: titleOf(action.method), colour: colourOf(action.method), x: effective.map((_, i) => i + 1), y: effective };
  return {
    summary: `Order parameters of the effective action: ${effective.map(three).join(", ")}; 1 at infinite width`,
    xLabel: effective.length === layers ? "layer" : "component",
    yLabel: "order parameter Q (1 at infinite width)",
    whole: true,
    xDomain: [0.5, effective.length + 0.5],
    layers: [
      { label: "infinite width", colour: colourOf("nngp"), x: [0.5, effective.length + 0.5], y: [1, 1], kind: "line", dashed: true },
      { ...own, kind: "line", faint: true },
      { ...own, kind: "points" },
    ],
  };
}

/** Points of more than one input that are drawn. */
const mostPoints = 24;

/** Functions drawn from prior and posterior. */
export type Drawn = Pick<Answers, "priorFunctions" | "posteriorFunctions">;

/** Predictions with bands of one standard deviation: curves over a line, or points side by side. */
export function predictionPicture(solved: Answers["solved"], drawn: Drawn, rows: Rows, hidden: ReadonlySet<string>): ChartSpec | undefined {
  const methods = answered(solved, hidden).filter(({ mean }) => mean !== undefined);
  const inputs = rows.test?.inputs;
  if (!inputs || methods.length === 0) return undefined;
  const features = inputs[0]!.length;
  const outputs = rows.train.targets[0]!.length;
  return features === 1 && outputs === 1 ? curves(drawn, rows, methods, hidden) : points(rows, methods, outputs);
}

function curves(answers: Drawn, rows: Rows, methods: readonly Solved[], hidden: ReadonlySet<string>): ChartSpec {
  const x = rows.test!.inputs.map(([value]) => value!);
  const drawn = (list: readonly Float64Array[], colour: string, label: string): Layer[] =>
    list.map((y) => ({ label, colour, x, y, kind: "line" as const, faint: true }));
  const most = Math.max(...rows.train.targets.map(([y]) => Math.abs(y!)), 0.5);
  return {
    summary: `Predictions over the line with bands of one standard deviation: ${methods.map(({ method }) => titleOf(method)).join(", ")}; thin lines are networks drawn from prior and posterior`,
    xLabel: "x",
    yLabel: "f(x): mean ± one standard deviation",
    yDomain: [-2.2 * most, 2.2 * most],
    layers: [
      ...drawn(answers.priorFunctions.slice(0, 8), "var(--soft)", "a network of the prior"),
      ...(hidden.has(sampler) ? [] : drawn(answers.posteriorFunctions, colourOf(sampler), "a network of the posterior")),
      ...methods.map(({ method, mean, variance }): Layer => ({
        label: titleOf(method),
        colour: colourOf(method),
        x,
        y: mean!,
        spread: variance!.map((value) => Math.sqrt(Math.max(0, value))),
        kind: "line",
      })),
      {
        label: "data",
        colour: "var(--ink)",
        x: rows.train.inputs.map(([value]) => value!),
        y: rows.train.targets.map(([y]) => y!),
        kind: "points",
      },
    ],
  };
}

function points(rows: Rows, methods: readonly Solved[], outputs: number): ChartSpec {
  const count = rows.test!.inputs.length;
  const step = Math.max(1, Math.ceil(count / mostPoints));
  const chosen = Array.from({ length: Math.floor((count - 1) / step) + 1 }, (_, i) => i * step);
  const targets = rows.test!.targets;
  const shift = (m: number): number => (m - (methods.length - 1) / 2) * Math.min(0.22, 0.7 / methods.length);
  return {
    summary: `Predictions of the first output at ${chosen.length} test points with one standard deviation; short lines are the targets`,
    xLabel: "test points",
    yLabel: "f: mean ± one standard deviation",
    bare: true,
    xDomain: [-0.7, chosen.length - 0.3],
    layers: [
      ...(targets
        ? [
            {
              label: "target",
              colour: "var(--ink)",
              x: chosen.map((_, k) => k),
              y: chosen.map((i) => targets[i]![0]!),
              kind: "ticks" as const,
            },
          ]
        : []),
      ...methods.map(({ method, mean, variance }, m): Layer => ({
        label: titleOf(method),
        colour: colourOf(method),
        x: chosen.map((_, k) => k + shift(m)),
        y: chosen.map((i) => mean![i * outputs]!),
        spread: chosen.map((i) => Math.sqrt(Math.max(0, variance![i * outputs]!))),
        kind: "points",
        faint: true,
      })),
    ],
  };
}

/** Generalisation error, or where the truth is not known the log evidence, against the width of the touched layer. */
export function sweepPicture(
  sweep: Answers["sweep"],
  averages: Answers["sampled"],
  layer: number,
  now: number,
  rows: Rows,
  hidden: ReadonlySet<string>,
): ChartSpec {
  const scored = rows.test?.targets !== undefined;
  const value = (solved: Solved): number => (scored ? (solved.error?.total ?? Number.NaN) : (solved.logEvidence ?? Number.NaN));
  const lines = [...sweep]
    .filter(([method]) => !hidden.has(method))
    .flatMap(([method, widths]): Layer[] => {
      const ordered = [...widths].sort(([a], [b]) => a - b);
      const y = ordered.map(([, solved]) => value(solved));
      return [
        {
          label: titleOf(method),
          colour: colourOf(method),
          x: ordered.map(([width]) => width),
          y,
          kind: "line",
          // what does not depend on the width is a reference
          ...(y.every((one) => one === y[0]) ? { dashed: true } : {}),
        },
      ];
    });
  const sampled = [...averages];
  return {
    summary: `${scored ? "Generalisation error" : "Log evidence"} against the width of layer ${layer}; it is ${now} now. ${sampled.map(([width, { mean, error, runs }]) => `Sampled at width ${width}: ${three(mean)} ± ${three(error || 0)} from ${runs} runs`).join("; ")}`,
    xLabel: `width of layer ${layer}`,
    yLabel: scored ? "generalisation error: bias² + variance" : "log evidence",
    logX: true,
    xDomain: [2, 500],
    layers: [
      ...lines,
      ...(hidden.has(sampler) || !scored
        ? []
        : [
            {
              label: titleOf(sampler),
              colour: colourOf(sampler),
              x: sampled.map(([width]) => width),
              y: sampled.map(([, { mean }]) => mean),
              spread: sampled.map(([, { error }]) => error || 0),
              kind: "points" as const,
            },
          ]),
    ],
    ...(now >= 2 && now <= 500 ? { marks: [{ x: now, label: "now" }] } : {}),
  };
}

/** Kernels of a layer: at infinite width, and as the best theory that knows it has learned it; the same without `by` where none does. */
export interface KernelPair {
  readonly before: Matrix;
  readonly after: Matrix;
  readonly by?: string;
}

export function kernelPair(solved: Answers["solved"], layer: number): KernelPair | undefined {
  const known = [...solved.values()].filter((one) => one.layer === layer && one.kernel !== undefined);
  const before = known.find(({ isInfinite }) => isInfinite)?.kernel;
  if (!before) return undefined;
  const learned = known.filter(({ kernel, isInfinite }) => !isInfinite && kernel!.data.length === before.data.length);
  const best = kernelMethods.map((name) => learned.find(({ method }) => method === name)).find((one) => one !== undefined);
  return best ? { before, after: best.kernel!, by: best.method } : { before, after: before };
}
