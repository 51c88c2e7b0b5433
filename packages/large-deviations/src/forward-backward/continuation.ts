import { FinitewidthError } from "@finitewidth/core";
import { gmres } from "@finitewidth/numerics";

/** A map x ↦ F(x) whose fixed point is wanted, with a strength s from 0 (trivial) to 1. */
export interface FixedPointProblem<State> {
  /** Start; a solution, or near one, at strength 0. */
  readonly start: Float64Array;
  /** F(x) and whatever should be kept of it; undefined where it does not exist (the solver then takes smaller steps). */
  map(x: Float64Array, strength: number): { readonly image: Float64Array; readonly state: State } | undefined;
  /** Whether the line search may go to x. */
  admissible(x: Float64Array): boolean;
}

/** How the solver works. */
export interface ContinuationOptions {
  /** |F(x) − x|/|x| at the solution. */
  readonly tolerance: number;
  /** Evaluations per strength. */
  readonly maximumSweeps: number;
  /** Evaluations in all: beyond them the solver stops with an error. */
  readonly totalSweeps: number;
  /** Strength to solve at. */
  readonly strength: number;
  /** The start is near a solution at the full strength: no continuation from 0. */
  readonly startsNear: boolean;
  /** Called before every evaluation; throws to cancel. */
  readonly beforeSweep?: ((sweeps: number) => void) | undefined;
}

/** A fixed point. */
export interface FixedPoint<State> {
  readonly x: Float64Array;
  readonly state: State;
  readonly residual: number;
  readonly sweeps: number;
}

/** Line search, damping and Krylov settings (docs/theories/forward-backward.md, "Solver"). */
const settings = {
  far: 0.3,
  damping: 0.25,
  dampedSweeps: 30,
  krylovVectors: 25,
  difference: 1e-6,
  smallestStep: 1e-3,
  looseTolerance: 1e-3,
  smallestStrengthStep: 1e-3,
  // the same of the strength reached, and of the first
  smallestShare: 0.02,
  smallestStrength: 1e-6,
} as const;

const norm = (x: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
  return Math.sqrt(sum);
};
/** x + step·d. */
const moved = (x: Float64Array, step: number, d: Float64Array): Float64Array => {
  const out = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = x[i]! + step * d[i]!;
  return out;
};
const failed = (why: string): FinitewidthError => new FinitewidthError(why, { code: "not-converged" });

/**
 * Fixed point of F: damped sweeps while far, then Newton–Krylov (GMRES on forward differences of F, line search), and continuation in the
 * strength when that fails: the step is halved on failure and doubled on success, and Newton's steps begin straight on from the last two
 * solutions. @throws FinitewidthError (code "not-converged") with the strength reached.
 */
export function solveByContinuation<State>(problem: FixedPointProblem<State>, options: ContinuationOptions): FixedPoint<State> {
  const { tolerance, maximumSweeps, totalSweeps, strength: target, startsNear, beforeSweep } = options;
  let sweeps = 0;
  const evaluate = (
    x: Float64Array,
    strength: number,
  ): { readonly change: Float64Array; readonly residual: number; readonly state: State } | undefined => {
    beforeSweep?.(sweeps);
    if (sweeps >= totalSweeps) throw failed(`the budget of ${totalSweeps} sweeps is used up`);
    sweeps++;
    const found = problem.map(x, strength);
    if (!found) return undefined;
    const change = moved(found.image, -1, x);
    // all kernels 0, as for zero inputs without biases: nothing to be relative to
    const residual = norm(change) / (norm(x) || 1);
    return Number.isFinite(residual) ? { change, residual, state: found.state } : undefined;
  };

  /** Solves at one strength from x. */
  const solveAt = (
    from: Float64Array,
    strength: number,
    goal: number,
    predicted: boolean,
  ): { readonly x: Float64Array; readonly residual: number; readonly state: State } => {
    const begin = sweeps;
    let x = from;
    let at = evaluate(x, strength);
    if (!at || at.residual >= 1) throw failed("the step in the data strength was too large");
    for (let iteration = 0; ; iteration++) {
      if (at.residual < goal) return { x, residual: at.residual, state: at.state };
      if (sweeps - begin > maximumSweeps) throw failed(`residual ${at.residual.toExponential(1)} after ${sweeps - begin} sweeps`);
      const { change, residual } = at;
      if (residual > settings.far && iteration < settings.dampedSweeps && !predicted) {
        x = moved(x, settings.damping, change);
        at = evaluate(x, strength);
        if (!at) throw failed("the tilted measure ceased to exist on the way");
        continue;
      }
      const size = settings.difference * (norm(x) || 1);
      const newton = gmres(
        (v) => {
          const shifted = evaluate(moved(x, size, v), strength);
          if (!shifted) throw failed("the tilted measure ceased to exist near the iterate");
          const product = new Float64Array(v.length);
          for (let i = 0; i < v.length; i++) product[i] = (change[i]! - shifted.change[i]!) / size;
          return product;
        },
        change,
        { tolerance: Math.min(0.1, Math.max(residual, (0.1 * goal) / residual)), maximumVectors: settings.krylovVectors },
      );
      let step = 1;
      for (;;) {
        const next = moved(x, step, newton.solution);
        const found = problem.admissible(next) ? evaluate(next, strength) : undefined;
        if (found && found.residual < (1 - 0.1 * step) * residual) {
          x = next;
          at = found;
          break;
        }
        step *= 0.5;
        if (step < settings.smallestStep) throw failed(`line search failed at residual ${residual.toExponential(1)}`);
      }
    }
  };

  let x = problem.start;
  let done = startsNear ? target * (1 - settings.smallestStrengthStep) : 0;
  let strengthStep = target;
  let before: { readonly x: Float64Array; readonly strength: number } | undefined;
  for (;;) {
    const next = Math.min(target, done + strengthStep);
    try {
      // in the logarithm of the strength
      const ahead = before && moved(x, Math.log(next / done) / Math.log(done / before.strength), moved(x, -1, before.x));
      const predicted = ahead !== undefined && problem.admissible(ahead);
      const found = solveAt(predicted ? ahead : x, next, next === target ? tolerance : settings.looseTolerance, predicted);
      if (next === target) return { ...found, sweeps };
      if (done > 0) before = { x, strength: done };
      x = found.x;
      done = next;
      strengthStep *= 2;
    } catch (error) {
      if (!(error instanceof FinitewidthError && error.code === "not-converged")) throw error;
      strengthStep = 0.5 * Math.min(strengthStep, next - done);
      const smallest = Math.min(
        settings.smallestStrengthStep * target,
        done > 0 ? settings.smallestShare * done : settings.smallestStrength * target,
      );
      if (strengthStep < smallest || sweeps >= totalSweeps) {
        throw new FinitewidthError(
          `the forward–backward equations were solved only up to data strength ${(done / target).toPrecision(3)} of 1 (${error.message}; ${sweeps} sweeps); raise the temperature or the widths, or use order "first" or the closure "gaussian-variational"`,
          { code: "not-converged" },
          { cause: error },
        );
      }
    }
  }
}

/** Errors that mean "this iterate will not do": the line search or the continuation answers with a smaller step. */
export const isNumericalFailure = (error: unknown): boolean =>
  error instanceof FinitewidthError && (error.code === "not-positive-definite" || error.code === "not-converged" || error.code === "input");
