import { rowsOf, type Figure, type Json, type Matrix, type MixingLaw, type Problem, type Tensor } from "@finitewidth/core";
import { expandSites, siteGeometryOf } from "@finitewidth/numerics";
import { actionFigure, eigenvalueFigure, siteMapFigure } from "./figures.js";
import { referenceWidthOf } from "./predict.js";
import type { Solution } from "./solution.js";
import type { SpectralData } from "./spectral-data.js";

/**
 * A number for one output and one site, else the matrix over (output, site), brought from reduced sites to all sites of the first layer.
 */
export function orderParameter(law: MixingLaw, mixing: Matrix): number | Tensor {
  const basis = siteGeometryOf(law)?.siteBases?.[0];
  const full = basis === undefined || basis.shape[0] > 200 ? mixing : expandSites(basis, mixing);
  return full.data.length === 1 ? full.data[0]! : full;
}

export function minimaReport(law: MixingLaw, { minima }: Solution, outputs: number): Json {
  return minima.map(({ action, mixing }) => {
    const value = orderParameter(law, mixing);
    if (typeof value === "number") return { action, q: value, logQ: Math.log(value) };
    return value.shape[0]! > 4 * outputs ? { action } : { action, q: rowsOf(value as Matrix) };
  });
}

export function warningsOf(law: MixingLaw, { solver, minima }: Solution, outputs: number, N: number): string[] {
  const warnings: string[] = [];
  if (!solver.converged) warnings.push(`the minimiser did not converge: largest gradient ${solver.residual.toPrecision(2)}`);
  const [first, second] = minima;
  if (first && second)
    warnings.push(
      `${minima.length} minima: different starts disagree; the second lies ${(second.action - first.action).toPrecision(3)} higher in action, ${(N * (second.action - first.action)).toPrecision(3)} in log evidence`,
    );
  const narrow = law.chain.layers.find((layer) => layer.width < outputs * layer.sites);
  if (narrow)
    warnings.push(
      `a layer of ${narrow.width} units is narrower than its mixing matrix (${outputs * narrow.sites}): the limit of large widths is far away, prefer "exact"`,
    );
  return warnings;
}

export function figuresOf(problem: Problem, law: MixingLaw, solution: Solution, data: SpectralData | undefined): Figure[] {
  const outputs = problem.targets.shape[1];
  if (data !== undefined && outputs === 1) return [actionFigure(problem, law.chain, data, solution, referenceWidthOf(law))];
  if (law.sites === 1) return [eigenvalueFigure(solution, law.chain)];
  const map = siteMapFigure(law, solution, outputs);
  return map === undefined ? [] : [map];
}
