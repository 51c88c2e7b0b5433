import { FinitewidthError, type Activation, type Matrix } from "@finitewidth/core";
import { isNumericalFailure } from "./continuation.js";
import { relativeDistance, type Saddle, type SaddleOptions, type SaddleProblem } from "./saddle-problem.js";
import { solveVariationalSaddle } from "./variational-saddle.js";

/**
 * Random nodes beyond this many points start from the variational solution, where they must keep this effective sample fraction once a
 * solution from scratch is dear.
 */
export const guided = { points: 3, leastFraction: 0.01, dearPoints: 16 } as const;

/** The result, or undefined where the solver did not converge. */
export function attempt<T>(solve: () => T): T | undefined {
  try {
    return solve();
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "not-converged") return undefined;
    throw error;
  }
}

/** Starts from stronger data (s = 2) to see whether another solution exists; the one with the larger action wins. */
export function secondSolution(
  saddle: Saddle,
  solve: (options: SaddleOptions) => Saddle,
  beforeSweep: (sweeps: number) => void,
): { readonly saddle: Saddle; readonly warning?: string } {
  const other = attempt(() => {
    const strong = solve({ strength: 2, start: saddle.kernels.slice(1), tolerance: 1e-4, maximumSweeps: 60, beforeSweep });
    return solve({ start: strong.kernels.slice(1), maximumSweeps: 120, beforeSweep });
  });
  if (!other) return { saddle };
  const distance = relativeDistance(other.kernels.at(-1)!, saddle.kernels.at(-1)!);
  if (distance < 1e-5) return { saddle };
  const better = (other.action ?? Number.NEGATIVE_INFINITY) > (saddle.action ?? Number.NEGATIVE_INFINITY);
  return {
    saddle: better ? other : saddle,
    warning: `another solution was found from stronger data, its readout kernel ${Number((100 * distance).toPrecision(2))} % away; the one with the larger action (${Math.max(other.action ?? Number.NaN, saddle.action ?? Number.NaN).toPrecision(6)}) is reported`,
  };
}

/**
 * Start of a solution with random nodes at many points: the variational one, or undefined where there is none or the nodes collapse there.
 * @throws FinitewidthError (code "not-converged") when they collapse at more than 16 points: with P > N and strong data the measure is too
 * far from every Gaussian for importance sampling.
 */
export function guidedStart(
  activation: Activation,
  problem: SaddleProblem,
  beforeSweep: (sweeps: number) => void,
): readonly Matrix[] | undefined {
  let guide: Saddle;
  try {
    guide = solveVariationalSaddle(activation, problem, { tolerance: 1e-6, beforeSweep });
  } catch (error) {
    if (!(error instanceof FinitewidthError && isNumericalFailure(error))) throw error;
    return undefined;
  }
  const fractions = guide.conjugates.map((conjugate, l) => {
    const measure = { kernel: guide.kernels[l]!, conjugate, weightVariance: problem.weightVariance[l]! };
    // where the true tilt is not integrable although the Gaussian's is, no node keeps any weight
    try {
      return problem.closure.averages(measure, { gradient: false }).effectiveFraction;
    } catch (error) {
      if (!isNumericalFailure(error)) throw error;
      return 0;
    }
  });
  const worst = Math.min(...fractions);
  if (worst < guided.leastFraction) {
    if (problem.targets.shape[0] <= guided.dearPoints) return undefined;
    throw new FinitewidthError(
      `[forward-backward] the equations cannot be solved with importance nodes here: at the Gaussian variational solution layer ${fractions.indexOf(worst) + 1} keeps only ${(100 * worst).toPrecision(2)} % of their effective sample (${problem.targets.shape[0]} points, widths ${problem.widths.join(", ")}); use the closure "gaussian-variational", fewer points, larger widths or a higher temperature`,
      { code: "not-converged" },
    );
  }
  return guide.kernels.slice(1);
}
