import { FinitewidthError } from "@finitewidth/core";
import { newtonRoot } from "@finitewidth/numerics";
import { scalarAction } from "./scalar-action.js";
import type { ScalarSpectrum } from "./scalar-problem.js";

/** A local minimum of the action. */
export interface ActionMinimum {
  readonly orderParameter: number;
  readonly action: number;
}

/** All local minima, lowest action first, and how the solver ended. */
export interface ScalarMinima {
  readonly minima: readonly [ActionMinimum, ...ActionMinimum[]];
  readonly converged: boolean;
  /** Evaluations of the action. */
  readonly iterations: number;
  /** Largest |S_u| at the minima. */
  readonly residual: number;
}

/**
 * Interval of Q that contains every stationary point: Q ≤ 1 + |y|²/(4NT), Q ≤ ½(1 + √(1 + 4yᵀK⁻¹y/N)), Q ≥ 1/(1 + tr K/(NT)), Q ≥ 1 −
 * rank(K)/N; a bias only tightens them. At T = 0 with P ≥ N the lower end is searched for. O(P) an evaluation; one, or those of the search
 * at T = 0.
 * @throws FinitewidthError (code "not-converged") when T = 0, P ≥ N and the targets (less a bias) vanish: Q is driven to 0.
 */
export function stationaryBracket(problem: ScalarSpectrum): readonly [lower: number, upper: number] {
  const { eigenvalues: k, targets: z, temperature, width, rank } = problem;
  let trace = 0;
  let norm = 0;
  let inverse = 0;
  for (let i = 0; i < k.length; i++) {
    trace += k[i]!;
    norm += z[i]! * z[i]!;
    inverse += (z[i]! * z[i]!) / k[i]!;
  }
  let upper = temperature > 0 ? 1 + norm / (4 * width * temperature) : Infinity;
  if (rank === k.length) upper = Math.min(upper, 0.5 * (1 + Math.sqrt(1 + (4 * inverse) / width)));
  let lower = temperature > 0 ? 1 / (1 + trace / (width * temperature)) : 0;
  if (rank < width) lower = Math.max(lower, 1 - rank / width);
  if (lower === 0) {
    lower = 1e-3 * Math.min(1, upper);
    // Not "> 0": at P = N and y = 0 the slope is 0 to rounding all the way down.
    while (scalarAction(problem, lower).first > -1e-13) {
      lower *= 0.1;
      if (lower < 1e-120) {
        throw new FinitewidthError(
          "the action has no minimum: T = 0 and P ≥ N with targets that vanish (once the readout bias has taken what it can) drive the order parameter to 0; raise the temperature",
          { code: "not-converged" },
        );
      }
    }
  }
  return [lower * (1 - 1e-12), Math.max(upper, lower) * (1 + 1e-12)];
}

/**
 * All local minima of S. For rank(K) ≤ N the action is strictly convex in Q and one safeguarded Newton run in u = log Q finds the only
 * one; otherwise there can be two (a first-order transition), and S_u is scanned on 400 points of the bracket, with the extrema of S_u
 * between the points checked as well, so that close pairs are not lost. O(P) an evaluation. docs/theories/effective-action.md, "Minima".
 * @throws like `stationaryBracket`.
 */
export function scalarMinima(problem: ScalarSpectrum): ScalarMinima {
  const [lower, upper] = stationaryBracket(problem).map(Math.log) as [number, number];
  let iterations = 0;
  let converged = true;
  const at = (u: number) => {
    iterations++;
    return scalarAction(problem, Math.exp(u));
  };
  const found: ActionMinimum[] = [];
  let residual = 0;
  const refine = (a: number, b: number): void => {
    const root = newtonRoot(
      (u) => {
        const { first, second } = at(u);
        return { value: first, slope: second };
      },
      a,
      b,
    );
    converged &&= root.converged;
    const orderParameter = Math.exp(root.root);
    const { value, first } = at(root.root);
    residual = Math.max(residual, Math.abs(first));
    found.push({ orderParameter, action: value });
  };
  if (problem.rank <= problem.width) refine(lower, upper);
  else {
    const points = 400;
    const grid = Array.from({ length: points }, (_, i) => lower + ((upper - lower) * i) / (points - 1));
    const slopes = grid.map((u) => at(u));
    const extremum = (i: number): number =>
      newtonRoot(
        (u) => {
          const { second, third } = at(u);
          const sign = slopes[i]!.second < 0 ? 1 : -1;
          return { value: sign * second, slope: sign * third };
        },
        grid[i]!,
        grid[i + 1]!,
        { tolerance: 1e-10 },
      ).root;
    for (let i = 0; i + 1 < points; i++) {
      // The bracket contains every stationary point, so its ends have the signs −, +, up to rounding.
      const left = i === 0 ? Math.min(slopes[i]!.first, 0) : slopes[i]!.first;
      const right = i + 2 === points ? Math.max(slopes[i + 1]!.first, Number.MIN_VALUE) : slopes[i + 1]!.first;
      if (left <= 0 && right > 0) refine(grid[i]!, grid[i + 1]!);
      else if (slopes[i]!.second * slopes[i + 1]!.second < 0) {
        const middle = extremum(i);
        const slope = at(middle).first;
        if (left > 0 && slope < 0) refine(middle, grid[i + 1]!);
        else if (right <= 0 && slope > 0) refine(grid[i]!, middle);
      }
    }
  }
  found.sort((a, b) => a.action - b.action);
  const [first, ...rest] = found;
  if (first === undefined) throw new FinitewidthError("no minimum of the action was found in its bracket", { code: "not-converged" });
  return { minima: [first, ...rest], converged, iterations, residual };
}

/**
 * Minimiser of the action at T = 0 without bias, Q = ½[(1 − α) + √((1 − α)² + 4c)], α = P/N, c = yᵀK⁻¹y/N; for α > 1 in the form
 * without cancellation. Theory: docs/theories/effective-action.md, "Minima".
 */
export function zeroTemperatureMinimum(quadratic: number, load: number): number {
  const root = Math.hypot(1 - load, 2 * Math.sqrt(quadratic));
  return load <= 1 ? 0.5 * (1 - load + root) : (2 * quadratic) / (load - 1 + root);
}
