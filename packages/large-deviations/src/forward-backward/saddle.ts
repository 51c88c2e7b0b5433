import { FinitewidthError, inputError, shapeError, type Matrix } from "@finitewidth/core";
import { addDiagonal, cholesky, combine, frobenius, innerProduct, multiply, multiplyTransposedRight, solveLower, symmetricEigenvalues, symmetrise, trace, transpose } from "@finitewidth/linalg";
import { gmres } from "@finitewidth/numerics";
import type { TiltClosure, TiltedAverages } from "./closure.js";
import { dataForce, dataTerm, type DataTerm } from "./data-term.js";

/** What the equations are solved for. Layers are numbered 1 … L from index 0; variances are those of layers 2 … L+1. */
export interface SaddleProblem {
  /** C¹ = K¹: P × P, fixed. */
  readonly firstKernel: Matrix;
  /** K², …, K^{L+1} at infinite width: start and preconditioner. */
  readonly infiniteWidth: readonly Matrix[];
  /** Y: P × D. */
  readonly targets: Matrix;
  readonly temperature: number;
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  /** Averages of the hidden layers. */
  readonly closure: TiltClosure;
}

/** How the solver works. */
export interface SaddleOptions {
  /** Relative change of the whitened kernels at the solution. @defaultValue 1e-10 */
  readonly tolerance?: number;
  /** Sweeps per data strength. @defaultValue 400 */
  readonly maximumSweeps?: number;
  /** C², …, C^{L+1} to start from. @defaultValue the infinite-width kernels */
  readonly start?: readonly Matrix[];
  /** Data strength s (A^{L+1} → s A^{L+1}) to solve at. @defaultValue 1 */
  readonly strength?: number;
  /** Called before every sweep; throws to cancel. */
  readonly beforeSweep?: (sweeps: number, residual: number) => void;
}

/** A solution of the forward–backward equations. */
export interface Saddle {
  /** C¹, …, C^{L+1}. */
  readonly kernels: readonly Matrix[];
  /** A², …, A^{L+1}. */
  readonly conjugates: readonly Matrix[];
  /** ⟨φφᵀ⟩ of layers 1 … L: posterior mean of Ĝˡ. */
  readonly hidden: readonly Matrix[];
  readonly data: DataTerm;
  /** Σ_l N_l Γ_l, Γ_l = tr A^{l+1}(C^{l+1} − g_b) − W(A^{l+1}|Cˡ); undefined at first order. */
  readonly rate?: number;
  /** ln N(Y|0, C^{L+1} + T) − rate: leading log evidence; undefined at first order. */
  readonly action?: number;
  readonly residual: number;
  readonly sweeps: number;
  /** Smallest effective sample fraction of the layers; 1 for closed forms. */
  readonly effectiveFraction: number;
}

/** Line search, damping and Krylov settings (docs/theories/forward-backward.md, "Solver"). */
const settings = { far: 0.3, damping: 0.25, dampedSweeps: 30, krylovVectors: 25, difference: 1e-6, smallestStep: 1e-3, looseTolerance: 1e-3, smallestStrengthStep: 1e-3 } as const;

/** @throws FinitewidthError (code "input" or "shape") naming the field. */
export function checkSaddleProblem(problem: Pick<SaddleProblem, "firstKernel" | "targets" | "temperature" | "widths" | "weightVariance" | "biasVariance">): void {
  const { firstKernel, targets, temperature, widths, weightVariance, biasVariance } = problem;
  const [n, columns] = firstKernel.shape;
  if (!(Number.isFinite(temperature) && temperature >= 0)) throw inputError("temperature", "a number ≥ 0", temperature);
  if (widths.length === 0) throw inputError("widths", "at least one hidden layer", widths);
  widths.forEach((width, l) => {
    if (!(width > 0 && Number.isFinite(width))) throw inputError(`widths[${l}]`, "a positive number", width);
  });
  if (weightVariance.length !== widths.length) throw inputError("weightVariance", `${widths.length} numbers, one per layer above the first`, weightVariance);
  if (biasVariance.length !== widths.length) throw inputError("biasVariance", `${widths.length} numbers, one per layer above the first`, biasVariance);
  weightVariance.forEach((value, l) => {
    if (!(value > 0 && Number.isFinite(value))) throw inputError(`weightVariance[${l}]`, "a positive number", value);
  });
  biasVariance.forEach((value, l) => {
    if (!(value >= 0 && Number.isFinite(value))) throw inputError(`biasVariance[${l}]`, "a number ≥ 0", value);
  });
  if (n !== columns) throw shapeError("firstKernel", "a square matrix", `${n} × ${columns}`);
  if (targets.shape[0] !== n) throw shapeError("targets", `${n} rows, like the kernel`, `${targets.shape[0]}`);
  const scale = frobenius(firstKernel);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) {
      const gap = Math.abs(firstKernel.data[i * n + j]! - firstKernel.data[j * n + i]!);
      if (!(gap <= 1e-10 * scale)) throw inputError("firstKernel", "a symmetric matrix", `a difference of ${gap} between [${i}][${j}] and [${j}][${i}]`);
    }
  }
  const values = symmetricEigenvalues(firstKernel);
  if (values[0]! < -1e-10 * Math.abs(values[n - 1]!)) throw inputError("firstKernel", "a positive semi-definite matrix", `smallest eigenvalue ${values[0]}`);
}

/** One evaluation of the map: averages of both sweeps. */
interface Sweep {
  readonly kernels: readonly Matrix[];
  readonly conjugates: readonly Matrix[];
  readonly forward: readonly TiltedAverages[];
  readonly effectiveFraction: number;
}

const linear = (scale: number, m: Matrix, shift: number): Matrix => ({ data: m.data.map((value) => scale * value + shift), shape: m.shape });

/** Conjugate kernels A², …, A^{L+1} at kernels C², …, C^{L+1}: the data force at the top, then A^l = (N_l/N_{l−1}) ∂W(A^{l+1}|C^l)/∂C^l downwards. */
function backwardSweep(problem: SaddleProblem, kernels: readonly Matrix[], strength: number, starts: (Matrix | undefined)[]): { readonly conjugates: readonly Matrix[]; readonly effectiveFraction: number } {
  const { widths, targets, temperature, weightVariance, closure } = problem;
  const L = widths.length;
  const force = dataForce(dataTerm(kernels[L - 1]!, targets, temperature));
  const conjugates: Matrix[] = [];
  conjugates[L - 1] = linear(strength / widths[L - 1]!, force, 0);
  let effectiveFraction = 1;
  for (let l = L - 1; l >= 1; l--) {
    const averages = closure.averages({ kernel: kernels[l - 1]!, conjugate: conjugates[l]!, weightVariance: weightVariance[l]! }, { gradient: true }, starts[l]);
    starts[l] = averages.proposal;
    effectiveFraction = Math.min(effectiveFraction, averages.effectiveFraction);
    conjugates[l - 1] = linear(widths[l]! / widths[l - 1]!, averages.gradient!, 0);
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
    kernel = linear(weightVariance[l]!, at.secondMoment, biasVariance[l]!);
  }
  return averages;
}

const norm = (x: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i]! * x[i]!;
  return Math.sqrt(sum);
};

/** Errors that mean "this iterate will not do": the line search or the continuation answers with a smaller step. */
const isNumerical = (error: unknown): boolean => error instanceof FinitewidthError && (error.code === "not-positive-definite" || error.code === "not-converged" || error.code === "input");

/**
 * Solves the forward–backward equations over the kernels C², …, C^{L+1}: damped sweeps while far, then Newton–Krylov (GMRES on forward differences of
 * the map, line search that keeps kernels positive and the tilts integrable), with continuation in the data strength when that fails.
 * @throws FinitewidthError: "input"/"shape" for bad arguments, "not-positive-definite" when C + T is singular at T = 0, "not-converged" with the data
 * strength reached. Typically 10–140 sweeps of 2L − 1 averages each. Source: docs/theories/forward-backward.md, "Solver".
 */
export function solveSaddle(problem: SaddleProblem, options: SaddleOptions = {}): Saddle {
  checkSaddleProblem(problem);
  const { tolerance = 1e-10, maximumSweeps = 400, strength: target = 1, beforeSweep } = options;
  const { firstKernel, infiniteWidth, targets, temperature, widths, weightVariance, biasVariance } = problem;
  const [L, P] = [widths.length, firstKernel.shape[0]];
  const block = P * P;
  // a singular C + T at T = 0 is the caller's to hear about, not a failure to converge
  dataTerm(infiniteWidth[L - 1]!, targets, temperature);
  // Unknowns are F⁻¹CF⁻ᵀ; the shift keeps this preconditioner finite for singular kernels.
  const factors = infiniteWidth.map((kernel) => cholesky(addDiagonal(kernel, 1e-6 * (trace(kernel) / P))).factor);
  const toUnknowns = (kernels: readonly Matrix[]): Float64Array => {
    const x = new Float64Array(L * block);
    kernels.forEach((kernel, l) => x.set(symmetrise(solveLower(factors[l]!, transpose(solveLower(factors[l]!, kernel)))).data, l * block));
    return x;
  };
  const toKernels = (x: Float64Array): Matrix[] =>
    factors.map((factor, l) => symmetrise(multiplyTransposedRight(multiply(factor, { data: x.subarray(l * block, (l + 1) * block), shape: [P, P] }), factor)));
  const isPositive = (x: Float64Array): boolean =>
    factors.every((_, l) => {
      const whitened: Matrix = { data: x.subarray(l * block, (l + 1) * block), shape: [P, P] };
      try {
        cholesky(addDiagonal(whitened, 1e-11 * Math.max(trace(whitened), 0) + Number.MIN_VALUE));
        return true;
      } catch {
        return false;
      }
    });

  let sweeps = 0;
  let reported = Number.POSITIVE_INFINITY;
  const backwardStarts: (Matrix | undefined)[] = [];
  const forwardStarts: (Matrix | undefined)[] = [];
  const evaluate = (x: Float64Array, strength: number): { readonly change: Float64Array; readonly residual: number; readonly sweep: Sweep } | undefined => {
    beforeSweep?.(sweeps, reported);
    sweeps++;
    try {
      const back = backwardSweep(problem, toKernels(x), strength, backwardStarts);
      const forward = forwardSweep(problem, back.conjugates, forwardStarts);
      const kernels = forward.map((averages, l) => linear(weightVariance[l]!, averages.secondMoment, biasVariance[l]!));
      const change = toUnknowns(kernels);
      for (let i = 0; i < change.length; i++) change[i]! -= x[i]!;
      const residual = norm(change) / norm(x);
      if (!Number.isFinite(residual)) return undefined;
      const effectiveFraction = forward.reduce((least, averages) => Math.min(least, averages.effectiveFraction), back.effectiveFraction);
      return { change, residual, sweep: { kernels, conjugates: back.conjugates, forward, effectiveFraction } };
    } catch (error) {
      if (isNumerical(error)) return undefined;
      throw error;
    }
  };
  const failed = (why: string): FinitewidthError => new FinitewidthError(why, { code: "not-converged" });

  /** Solves at one data strength from x. */
  const solveAt = (from: Float64Array, strength: number, goal: number): { readonly x: Float64Array; readonly residual: number; readonly sweep: Sweep } => {
    const begin = sweeps;
    let x = from;
    let at = evaluate(x, strength);
    if (!at || at.residual >= 1) throw failed("the step in the data strength was too large");
    for (let iteration = 0; ; iteration++) {
      reported = at.residual;
      if (at.residual < goal) return { x, residual: at.residual, sweep: at.sweep };
      if (sweeps - begin > maximumSweeps) throw failed(`residual ${at.residual.toExponential(1)} after ${sweeps - begin} sweeps`);
      const { change, residual } = at;
      if (residual > settings.far && iteration < settings.dampedSweeps) {
        x = x.map((value, i) => value + settings.damping * change[i]!);
        at = evaluate(x, strength);
        if (!at) throw failed("the tilted measure ceased to exist on the way");
        continue;
      }
      const size = settings.difference * norm(x);
      const newton = gmres(
        (v) => {
          const shifted = evaluate(x.map((value, i) => value + size * v[i]!), strength);
          if (!shifted) throw failed("the tilted measure ceased to exist near the iterate");
          return v.map((_, i) => (change[i]! - shifted.change[i]!) / size);
        },
        change,
        { tolerance: Math.min(0.1, residual), maximumVectors: settings.krylovVectors },
      );
      let step = 1;
      for (;;) {
        const next = x.map((value, i) => value + step * newton.solution[i]!);
        const found = isPositive(next) ? evaluate(next, strength) : undefined;
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

  let x = toUnknowns(options.start ?? infiniteWidth);
  let done = options.start ? target * (1 - settings.smallestStrengthStep) : 0;
  let strengthStep = target;
  let solved: ReturnType<typeof solveAt> | undefined;
  while (!solved) {
    const next = Math.min(target, done + strengthStep);
    try {
      const found = solveAt(x, next, next === target ? tolerance : settings.looseTolerance);
      if (next === target) solved = found;
      x = found.x;
      done = next;
      strengthStep *= 2;
    } catch (error) {
      if (!(error instanceof FinitewidthError && error.code === "not-converged")) throw error;
      strengthStep = 0.5 * Math.min(strengthStep, next - done);
      if (strengthStep < settings.smallestStrengthStep * target) {
        throw new FinitewidthError(
          `the forward–backward equations were solved only up to data strength ${(done / target).toPrecision(3)} of 1 (${error.message}; ${sweeps} sweeps); raise the temperature or the widths, or use order "first" or the closure "gaussian-variational"`,
          { code: "not-converged" },
          { cause: error },
        );
      }
    }
  }
  return finish(problem, toKernels(solved.x), solved.sweep, solved.residual, sweeps);
}

/** Assembles the result; rate and action where the closure has cumulants. */
function finish(problem: SaddleProblem, kernels: readonly Matrix[], sweep: Sweep, residual: number, sweeps: number): Saddle {
  const { firstKernel, targets, temperature, widths, weightVariance, biasVariance } = problem;
  const data = dataTerm(kernels.at(-1)!, targets, temperature);
  let rate: number | undefined = 0;
  for (let l = 0; l < widths.length; l++) {
    const { cumulant } = sweep.forward[l]!;
    if (cumulant === undefined) {
      rate = undefined;
      break;
    }
    const shifted = linear(1, sweep.kernels[l]!, -biasVariance[l]!);
    rate += widths[l]! * (innerProduct(sweep.conjugates[l]!, shifted) - cumulant);
  }
  return {
    kernels: [firstKernel, ...kernels],
    conjugates: sweep.conjugates,
    hidden: kernels.map((kernel, l) => linear(1 / weightVariance[l]!, kernel, -biasVariance[l]! / weightVariance[l]!)),
    data,
    ...(rate === undefined ? {} : { rate, action: data.logDensity - rate }),
    residual,
    sweeps,
    effectiveFraction: sweep.effectiveFraction,
  };
}

/** Kernels of one backward and one forward sweep from given kernels C², …, C^{L+1} (a step of the map whose fixed point is the solution). */
export function sweepOnce(problem: SaddleProblem, kernels: readonly Matrix[]): readonly Matrix[] {
  const { conjugates } = backwardSweep(problem, kernels, 1, []);
  return forwardSweep(problem, conjugates, []).map((averages, l) => linear(problem.weightVariance[l]!, averages.secondMoment, problem.biasVariance[l]!));
}

/** Relative Frobenius distance |A − B|/|B|; 0 for two zero matrices. */
export function relativeDistance(a: Matrix, b: Matrix): number {
  const scale = frobenius(b);
  return scale === 0 ? frobenius(a) : frobenius(combine(1, a, -1, b)) / scale;
}

