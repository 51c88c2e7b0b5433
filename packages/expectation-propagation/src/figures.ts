import type { Figure, Series } from "@finitewidth/core";
import type { BranchSummary } from "./mixture.js";

/** Number of units expected in every bin of ū, with the aligned unit apart: specialised units stand away from the others. */
export function alignmentFigure(
  branches: readonly { readonly probability: number; readonly summary: BranchSummary; readonly bulkWeights?: Float64Array }[],
  width: number,
  wall: number,
): Figure {
  const largest = Math.max(wall, ...branches.flatMap(({ summary }) => [most(summary.bulkAlignments), most(summary.blockAlignments ?? [])]));
  const bins = 48;
  const step = (1.02 * largest) / bins;
  const bulk = new Float64Array(bins);
  const block = new Float64Array(bins);
  const add = (out: Float64Array, values: Float64Array, total: number, weights?: Float64Array): void => {
    for (const [i, value] of values.entries())
      out[Math.min(bins - 1, Math.floor(value / step))]! += total * (weights?.[i] ?? 1 / values.length);
  };
  for (const { probability, summary, bulkWeights } of branches) {
    const aligned = summary.blockAlignments;
    add(bulk, summary.bulkAlignments, (probability * (aligned ? width - 1 : width)) / step, bulkWeights);
    if (aligned) add(block, aligned, probability / step);
  }
  const series = (label: string, values: Float64Array): Series => {
    const filled = [...values.keys()].filter((k) => values[k]! > 0);
    return { label, x: Float64Array.from(filled, (k) => (k + 0.5) * step), y: Float64Array.from(filled, (k) => values[k]!) };
  };
  return {
    kind: "lines",
    title: "Alignment of single units with the labels",
    xLabel: "alignment ū of a unit",
    yLabel: "expected number of units per unit of ū",
    logY: true,
    series: [series("the other units", bulk), ...(block.some((value) => value > 0) ? [series("the aligned unit", block)] : [])],
    marks: [{ label: "wall", x: wall }],
  };
}

const most = (values: ArrayLike<number>): number => {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, values[i]!);
  return largest;
};
