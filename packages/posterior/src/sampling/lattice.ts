import type { LaplaceFit, PosteriorSample, PosteriorTarget } from "./target.js";
import { unwhiten } from "./whitened.js";

/** What is e^−cut below the largest value is left out. */
const cut = 30;
/** The error at one step is at most the change from the step √2 as long, to the power √2: 1e-10 or so. */
const tolerance = 1e-7;
/** Sums of values of size v are not known better than this times v. */
const rounding = 16 * Number.EPSILON;
const largestLattice = 400_000;
/** Counts of points grow like the volume over that of a cell, but for their edge. */
const margin = 1.1;

/**
 * Deterministic quadrature in few dimensions (up to 3): trapezoidal rule on a lattice in whitened coordinates around the mode, grown
 * outwards from the mode to wherever the integrand is above e^−30 of its largest value, step divided by √2 until the evidence changes by
 * less than 1e-7, which leaves an error of about 1e-10. Undefined when that takes too many points. A far second mode that no lattice path
 * reaches is missed: compare with an estimate that cannot miss it. One evaluation a point, up to 400 000 points.
 */
export function latticeSample(target: PosteriorTarget, fit: LaplaceFit): PosteriorSample | undefined {
  let previous: number | undefined;
  for (let step = 1; step > 0.1; step *= Math.SQRT1_2) {
    const grown = growLattice(target, fit, step);
    if (grown === undefined) return undefined;
    const { points, logDensities } = grown;
    const top = logDensities.reduce((most, value) => Math.max(most, value), -Infinity);
    const weights = logDensities.map((value) => Math.exp(value - top));
    const mass = weights.reduce((sum, value) => sum + value, 0);
    const logEvidence = top + Math.log(mass) + target.dimension * Math.log(step) + fit.logDeterminant;
    if (previous !== undefined && Math.abs(logEvidence - previous) < tolerance + rounding * Math.abs(top)) {
      return {
        points,
        weights: weights.map((value) => value / mass),
        batches: new Int32Array(points.length),
        batchCount: 1,
        logEvidence,
        logEvidenceStandardError: 0,
        diagnostics: {
          method: "quadrature",
          draws: points.length,
          effectiveSampleSize: points.length,
          logEvidenceSpread: Math.abs(logEvidence - previous),
        },
        warnings: [],
      };
    }
    previous = logEvidence;
    // the next lattice has 2^{d/2} times as many: one that is sure to be too large is not begun
    if (points.length * 2 ** (target.dimension / 2) > margin * largestLattice) return undefined;
  }
  return undefined;
}

function growLattice(
  target: PosteriorTarget,
  fit: LaplaceFit,
  step: number,
): { readonly points: Float64Array[]; readonly logDensities: Float64Array } | undefined {
  const d = target.dimension;
  const span = 2048;
  const key = (site: readonly number[]): number => site.reduce((sum, value) => sum * span + value + span / 2, 0);
  const seen = new Set<number>();
  const points: Float64Array[] = [];
  const values: number[] = [];
  let best = -Infinity;
  let front: number[][] = [Array.from({ length: d }, () => 0)];
  seen.add(key(front[0]!));
  const z = new Float64Array(d);
  while (front.length > 0) {
    const next: number[][] = [];
    for (const site of front) {
      site.forEach((value, i) => {
        z[i] = value * step;
      });
      const x = new Float64Array(d);
      unwhiten(fit, z, x);
      const { logPrior, logLikelihood } = target.evaluate(x);
      const value = logPrior + logLikelihood;
      best = Math.max(best, value);
      if (!(value > best - cut)) continue;
      points.push(x);
      values.push(value);
      if (points.length > largestLattice) return undefined;
      for (let i = 0; i < d; i++) {
        for (const move of [-1, 1]) {
          const neighbour = site.slice();
          neighbour[i]! += move;
          if (Math.abs(neighbour[i]!) >= span / 2) continue;
          const id = key(neighbour);
          if (seen.has(id)) continue;
          seen.add(id);
          next.push(neighbour);
        }
      }
    }
    front = next;
  }
  return { points, logDensities: Float64Array.from(values) };
}
