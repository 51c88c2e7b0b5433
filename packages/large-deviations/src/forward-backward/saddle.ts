import { inputError, shapeError, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  cholesky,
  combine,
  frobenius,
  innerProduct,
  multiply,
  multiplyTransposedRight,
  solveLower,
  symmetricEigenvalues,
  symmetrise,
  trace,
  transpose,
} from "@finitewidth/linalg";
import type { TiltClosure, TiltedAverages } from "./closure.js";
import { isNumericalFailure, solveByContinuation, type ContinuationOptions } from "./continuation.js";
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
  /** Sweeps in all, over all data strengths. @defaultValue 4000 */
  readonly totalSweeps?: number;
  /** C², …, C^{L+1} to start from. @defaultValue the infinite-width kernels */
  readonly start?: readonly Matrix[];
  /** Data strength s (A^{L+1} → s A^{L+1}) to solve at. @defaultValue 1 */
  readonly strength?: number;
  /** Called before every sweep; throws to cancel. */
  readonly beforeSweep?: (sweeps: number) => void;
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

/** @throws FinitewidthError (code "input" or "shape") naming the field. */
export function checkSaddleProblem(
  problem: Pick<SaddleProblem, "firstKernel" | "targets" | "temperature" | "widths" | "weightVariance" | "biasVariance">,
): void {
  const { firstKernel, targets, temperature, widths, weightVariance, biasVariance } = problem;
  const [n, columns] = firstKernel.shape;
  if (!(Number.isFinite(temperature) && temperature >= 0)) throw inputError("temperature", "a number ≥ 0", temperature);
  if (widths.length === 0) throw inputError("widths", "at least one hidden layer", widths);
  widths.forEach((width, l) => {
    if (!(width > 0 && Number.isFinite(width))) throw inputError(`widths[${l}]`, "a positive number", width);
  });
  if (weightVariance.length !== widths.length)
    throw inputError("weightVariance", `${widths.length} numbers, one per layer above the first`, weightVariance);
  if (biasVariance.length !== widths.length)
    throw inputError("biasVariance", `${widths.length} numbers, one per layer above the first`, biasVariance);
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
      if (!(gap <= 1e-10 * scale))
        throw inputError("firstKernel", "a symmetric matrix", `a difference of ${gap} between [${i}][${j}] and [${j}][${i}]`);
    }
  }
  const values = symmetricEigenvalues(firstKernel);
  if (values[0]! < -1e-10 * Math.abs(values[n - 1]!))
    throw inputError("firstKernel", "a positive semi-definite matrix", `smallest eigenvalue ${values[0]}`);
}

/** One evaluation of the map: averages of both sweeps. */
export interface Sweep {
  readonly kernels: readonly Matrix[];
  readonly conjugates: readonly Matrix[];
  readonly forward: readonly TiltedAverages[];
  readonly effectiveFraction: number;
}

const linear = (scale: number, m: Matrix, shift: number): Matrix => ({
  data: m.data.map((value) => scale * value + shift),
  shape: m.shape,
});

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
  const force = dataForce(dataTerm(kernels[L - 1]!, targets, temperature));
  const conjugates: Matrix[] = [];
  conjugates[L - 1] = linear(strength / widths[L - 1]!, force, 0);
  let effectiveFraction = 1;
  for (let l = L - 1; l >= 1; l--) {
    const averages = closure.averages(
      { kernel: kernels[l - 1]!, conjugate: conjugates[l]!, weightVariance: weightVariance[l]! },
      { gradient: true },
      starts[l],
    );
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

/** Symmetric matrices, one per layer, as one vector of unknowns. */
export interface LayerCoordinates {
  toUnknowns(matrices: readonly Matrix[]): Float64Array;
  toMatrices(x: Float64Array): Matrix[];
  /** All matrices positive semi-definite, to rounding. */
  isPositive(x: Float64Array): boolean;
}

function coordinates(
  layers: number,
  size: number,
  encode: (m: Matrix, l: number) => Matrix,
  decode: (m: Matrix, l: number) => Matrix,
): LayerCoordinates {
  const block = size * size;
  const part = (x: Float64Array, l: number): Matrix => ({ data: x.subarray(l * block, (l + 1) * block), shape: [size, size] });
  const indices = Array.from({ length: layers }, (_, l) => l);
  return {
    toUnknowns(matrices) {
      const x = new Float64Array(layers * block);
      for (const l of indices) x.set(encode(matrices[l]!, l).data, l * block);
      return x;
    },
    toMatrices: (x) => indices.map((l) => symmetrise(decode(part(x, l), l))),
    isPositive: (x) =>
      indices.every((l) => {
        const m = part(x, l);
        try {
          cholesky(addDiagonal(m, 1e-11 * Math.max(trace(m), 0) + Number.MIN_VALUE));
          return true;
        } catch {
          return false;
        }
      }),
  };
}

/**
 * Coordinates F⁻¹MF⁻ᵀ with F the Cholesky factors of reference matrices, shifted by 1e-6 of their mean variance so that singular ones have
 * one.
 */
function whitenedCoordinates(references: readonly Matrix[]): LayerCoordinates {
  const P = references[0]!.shape[0];
  const factors = references.map((kernel) => cholesky(addDiagonal(kernel, 1e-6 * (trace(kernel) / P) || 1)).factor);
  const encode = (m: Matrix, l: number): Matrix => symmetrise(solveLower(factors[l]!, transpose(solveLower(factors[l]!, m))));
  const decode = (m: Matrix, l: number): Matrix => multiplyTransposedRight(multiply(factors[l]!, m), factors[l]!);
  return coordinates(references.length, P, encode, decode);
}

/** The matrices themselves, in units of the mean variance of reference matrices. */
export function scaledCoordinates(references: readonly Matrix[]): LayerCoordinates {
  const P = references[0]!.shape[0];
  const scales = references.map((kernel) => trace(kernel) / P || 1);
  return coordinates(
    references.length,
    P,
    (m, l) => combine(1 / scales[l]!, m, 0, m),
    (m, l) => combine(scales[l]!, m, 0, m),
  );
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
  dataTerm(infiniteWidth.at(-1)!, targets, temperature);
  const layers = whitenedCoordinates(infiniteWidth);
  const backwardStarts: (Matrix | undefined)[] = [];
  const forwardStarts: (Matrix | undefined)[] = [];
  const map = (x: Float64Array, strength: number): { readonly image: Float64Array; readonly state: Sweep } | undefined => {
    try {
      const back = backwardSweep(problem, layers.toMatrices(x), strength, backwardStarts);
      const forward = forwardSweep(problem, back.conjugates, forwardStarts);
      const kernels = forward.map((averages, l) => linear(weightVariance[l]!, averages.secondMoment, biasVariance[l]!));
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

/** Assembles the result; rate and action where the closure has cumulants. */
export function assembleSaddle(
  problem: Omit<SaddleProblem, "closure">,
  kernels: readonly Matrix[],
  sweep: Sweep,
  residual: number,
  sweeps: number,
): Saddle {
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

/**
 * Kernels of one backward and one forward sweep from given kernels C², …, C^{L+1} (a step of the map whose fixed point is the solution).
 */
export function sweepOnce(problem: SaddleProblem, kernels: readonly Matrix[]): readonly Matrix[] {
  const { conjugates } = backwardSweep(problem, kernels, 1, []);
  return forwardSweep(problem, conjugates, []).map((averages, l) =>
    linear(problem.weightVariance[l]!, averages.secondMoment, problem.biasVariance[l]!),
  );
}

/** Relative Frobenius distance |A − B|/|B|; 0 for two zero matrices. */
export function relativeDistance(a: Matrix, b: Matrix): number {
  const scale = frobenius(b);
  return scale === 0 ? frobenius(a) : frobenius(combine(1, a, -1, b)) / scale;
}
