import type { Matrix } from "@finitewidth/core";
import { affine, innerProduct } from "@finitewidth/linalg";
import type { TiltedAverages } from "./closure.js";
import { isNumericalFailure, solveByContinuation, type ContinuationOptions } from "./continuation.js";
import { respondToTargets } from "@finitewidth/numerics";
import { dataForce } from "./data-term.js";
import { whitenedCoordinates } from "./layer-coordinates.js";
import { checkSaddleProblem, type Saddle, type SaddleOptions, type SaddleProblem } from "./saddle-problem.js";

/** One evaluation of the map: averages of both sweeps. */
export interface Sweep {
  readonly kernels: readonly Matrix[];
  readonly conjugates: readonly Matrix[];
  readonly forward: readonly TiltedAverages[];
  readonly effectiveFraction: number;
}

/**
 * Conjugate kernels A², …, A^{L+1} at kernels C², …, C^{L+1}: the data force at the top, then A^l = (N_l/N_{l−1}) ∂W(A^{l+1}|C^l)/∂C^l
 * downwards.
 */
function backwardSweep(
  problem: SaddleProblem,
  kernels: readonly Matrix[],
  strength: number,
  starts: (Matrix | undefined)[],
): { readonly conjugates: readonly Matrix[]; readonly effectiveFraction: number } {
  const { widths, targets, temperature, weightVariance, closure } = problem;
  const L = widths.length;
  const force = dataForce(respondToTargets(kernels[L - 1]!, targets, temperature));
  const conjugates: Matrix[] = [];
  conjugates[L - 1] = affine(strength / widths[L - 1]!, force);
  let effectiveFraction = 1;
  for (let l = L - 1; l >= 1; l--) {
    const averages = closure.averages(
      { kernel: kernels[l - 1]!, conjugate: conjugates[l]!, weightVariance: weightVariance[l]! },
      { gradient: true },
      starts[l],
    );
    starts[l] = averages.proposal;
    effectiveFraction = Math.min(effectiveFraction, averages.effectiveFraction);
    conjugates[l - 1] = affine(widths[l]! / widths[l - 1]!, averages.gradient!);
  }
  return { conjugates, effectiveFraction };
}

/** Kernels C², …, C^{L+1} at given conjugate kernels: C^{l+1} = g⟨φφᵀ⟩ + g_b upwards. */
function forwardSweep(problem: SaddleProblem, conjugates: readonly Matrix[], starts: (Matrix | undefined)[]): readonly TiltedAverages[] {
  const { firstKernel, widths, weightVariance, biasVariance, closure } = problem;
  const averages: TiltedAverages[] = [];
  let kernel = firstKernel;
  for (let l = 0; l < widths.length; l++) {
    const at = closure.averages({ kernel, conjugate: conjugates[l]!, weightVariance: weightVariance[l]! }, { gradient: false }, starts[l]);
    starts[l] = at.proposal;
    averages.push(at);
    kernel = affine(weightVariance[l]!, at.secondMoment, biasVariance[l]!);
  }
  return averages;
}

/**
 * Solves the forward–backward equations over the kernels C², …, C^{L+1}: damped sweeps while far, then Newton–Krylov (GMRES on forward
 * differences of the map, line search that keeps kernels positive and the tilts integrable), with continuation in the data strength when
 * that fails.
 * @throws FinitewidthError: "input"/"shape" for bad arguments, "not-positive-definite" when C + T is singular at T = 0, "not-converged"
 * with the data strength reached. Typically 10–140 sweeps of 2L − 1 averages each. Source: docs/theories/forward-backward.md, "Solver".
 */
export function solveSaddle(problem: SaddleProblem, options: SaddleOptions = {}): Saddle {
  checkSaddleProblem(problem);
  const { infiniteWidth, targets, temperature, weightVariance, biasVariance } = problem;
  // a singular C + T at T = 0 is the caller's to hear about, not a failure to converge
  respondToTargets(infiniteWidth.at(-1)!, targets, temperature);
  const layers = whitenedCoordinates(infiniteWidth);
  const backwardStarts: (Matrix | undefined)[] = [];
  const forwardStarts: (Matrix | undefined)[] = [];
  const map = (x: Float64Array, strength: number): { readonly image: Float64Array; readonly state: Sweep } | undefined => {
    try {
      const back = backwardSweep(problem, layers.toMatrices(x), strength, backwardStarts);
      const forward = forwardSweep(problem, back.conjugates, forwardStarts);
      const kernels = forward.map((averages, l) => affine(weightVariance[l]!, averages.secondMoment, biasVariance[l]!));
      const effectiveFraction = forward.reduce((least, averages) => Math.min(least, averages.effectiveFraction), back.effectiveFraction);
      return { image: layers.toUnknowns(kernels), state: { kernels, conjugates: back.conjugates, forward, effectiveFraction } };
    } catch (error) {
      if (isNumericalFailure(error)) return undefined;
      throw error;
    }
  };
  const found = solveByContinuation(
    { start: layers.toUnknowns(options.start ?? infiniteWidth), map, admissible: layers.isPositive },
    continuationOptions(options),
  );
  return assembleSaddle(problem, layers.toMatrices(found.x), found.state, found.residual, found.sweeps);
}

/** Defaults filled in. */
export const continuationOptions = ({
  tolerance = 1e-10,
  maximumSweeps = 400,
  totalSweeps = 4000,
  strength = 1,
  start,
  beforeSweep,
}: SaddleOptions): ContinuationOptions => ({
  tolerance,
  maximumSweeps,
  totalSweeps,
  strength,
  startsNear: start !== undefined,
  beforeSweep,
});

/** Assembles the result; rate and action where the closure has cumulants. O(P³ + L P²). */
export function assembleSaddle(
  problem: Omit<SaddleProblem, "closure">,
  kernels: readonly Matrix[],
  sweep: Sweep,
  residual: number,
  sweeps: number,
): Saddle {
  const { firstKernel, targets, temperature, widths, weightVariance, biasVariance } = problem;
  const data = respondToTargets(kernels.at(-1)!, targets, temperature);
  let rate: number | undefined = 0;
  for (let l = 0; l < widths.length; l++) {
    const { cumulant } = sweep.forward[l]!;
    if (cumulant === undefined) {
      rate = undefined;
      break;
    }
    const shifted = affine(1, sweep.kernels[l]!, -biasVariance[l]!);
    rate += widths[l]! * (innerProduct(sweep.conjugates[l]!, shifted) - cumulant);
  }
  const errors = sweep.forward.flatMap(({ quadratureError }) => quadratureError ?? []);
  return {
    kernels: [firstKernel, ...kernels],
    conjugates: sweep.conjugates,
    hidden: kernels.map((kernel, l) => affine(1 / weightVariance[l]!, kernel, -biasVariance[l]! / weightVariance[l]!)),
    data,
    ...(rate === undefined ? {} : { rate, action: data.logDensity - rate }),
    residual,
    sweeps,
    effectiveFraction: sweep.effectiveFraction,
    ...(errors.length > 0 ? { quadratureError: Math.max(...errors) } : {}),
  };
}

/**
 * Kernels of one backward and one forward sweep from given kernels C², …, C^{L+1} (a step of the map whose fixed point is the solution). 2L
 * − 1 averages of the closure and O(P³).
 */
export function sweepOnce(problem: SaddleProblem, kernels: readonly Matrix[]): readonly Matrix[] {
  const { conjugates } = backwardSweep(problem, kernels, 1, []);
  return forwardSweep(problem, conjugates, []).map((averages, l) =>
    affine(problem.weightVariance[l]!, averages.secondMoment, problem.biasVariance[l]!),
  );
}
