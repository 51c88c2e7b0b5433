import { inputError, shapeError, type Matrix } from "@finitewidth/core";
import { combine, frobenius, symmetricEigenvalues } from "@finitewidth/linalg";
import type { TiltClosure } from "./closure.js";
import type { TargetResponse } from "@finitewidth/numerics";

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
  readonly data: TargetResponse;
  /** Σ_l N_l Γ_l, Γ_l = tr A^{l+1}(C^{l+1} − g_b) − W(A^{l+1}|Cˡ); undefined at first order. */
  readonly rate?: number;
  /** ln N(Y|0, C^{L+1} + T) − rate: leading log evidence; undefined at first order. */
  readonly action?: number;
  readonly residual: number;
  readonly sweeps: number;
  /** Smallest effective sample fraction of the layers; 1 for closed forms. */
  readonly effectiveFraction: number;
  /** Largest estimated error of a lattice's averages, relative; absent for closed forms and random nodes. */
  readonly quadratureError?: number;
}

/**
 * O(P³), for the smallest eigenvalue.
 * @throws FinitewidthError (code "input" or "shape") naming the field.
 */
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

/** Relative Frobenius distance |A − B|/|B|; 0 for two zero matrices. */
export function relativeDistance(a: Matrix, b: Matrix): number {
  const scale = frobenius(b);
  return scale === 0 ? frobenius(a) : frobenius(combine(1, a, -1, b)) / scale;
}
