import { applyAdjointJacobian, kernelMap } from "@finitewidth/activations";
import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import {
  addDiagonal,
  affine,
  cholesky,
  identity,
  innerProduct,
  multiplyTransposedLeft,
  multiplyVector,
  solveLower,
  type Cholesky,
} from "@finitewidth/linalg";
import type { ValueAndGradient } from "@finitewidth/numerics";
import type { DeepProblem } from "./deep-problem.js";

/** R¹ … R^{L+1} and the maps G_l that lead from R^l to R^{l+1} = Q_l σ_w² G_l + σ_b². */
export interface RenormalisedKernels {
  readonly kernels: readonly Matrix[];
  readonly maps: readonly Matrix[];
}

/** The renormalised kernel recursion at order parameters Q_1 … Q_L. O(L P²) kernel evaluations ("nested"), O(L P²) otherwise. */
export function renormalisedKernels(problem: DeepProblem, orderParameters: Float64Array): RenormalisedKernels {
  const { closure, activation, hidden, slopes, weightVariance, biasVariance } = problem;
  const kernels: Matrix[] = [problem.kernels[0]!];
  const maps: Matrix[] = [];
  let product = 1;
  for (let l = 0; l < orderParameters.length; l++) {
    const below = kernels[l]!;
    let map: Matrix;
    if (closure === "nested") map = kernelMap(activation, below);
    else if (closure === "product") map = affine(product, hidden[l]!);
    else {
      const size = below.shape[0];
      map = zeros(size, size);
      for (let i = 0; i < size; i++) {
        for (let j = 0; j < size; j++) {
          const at = i * size + j;
          map.data[at] = hidden[l]!.data[at]! + slopes[l]![i]! * slopes[l]![j]! * (below.data[at]! - problem.kernels[l]!.data[at]!);
        }
      }
    }
    maps.push(map);
    kernels.push(affine(weightVariance[l + 1]! * orderParameters[l]!, map, biasVariance[l + 1]!));
    product *= orderParameters[l]!;
  }
  return { kernels, maps };
}

/** A = T + R^{L+1} factorised, A⁻¹ and r = A⁻¹y. */
export interface DeepSolve {
  readonly factor: Cholesky;
  readonly inverse: Matrix;
  readonly residual: Float64Array;
}

/** @throws FinitewidthError (code "not-positive-definite"). O(P³). */
export function solveDeep(problem: DeepProblem, readoutKernel: Matrix): DeepSolve {
  const factor = cholesky(addDiagonal(readoutKernel, problem.temperature));
  const lower = solveLower(factor.factor, identity(readoutKernel.shape[0]));
  const inverse = multiplyTransposedLeft(lower, lower);
  return { factor, inverse, residual: multiplyVector(inverse, problem.targets) };
}

/**
 * Action 𝒜(u) = Σ_l N_l(Q_l − log Q_l) + log det A + yᵀA⁻¹y, A = T + R^{L+1}, Q = e^u, and its gradient by the hand-written adjoint
 * R̄^{L+1} = A⁻¹ − r rᵀ; the posterior density of u is ∝ exp(−𝒜/2). Value +∞ where A is not positive definite. O(P³ + L P²).
 * docs/theories/effective-action.md, "Deep networks".
 */
export function deepAction(problem: DeepProblem, logOrderParameters: Float64Array): ValueAndGradient {
  const { widths, weightVariance, targets, closure, activation } = problem;
  const depth = widths.length;
  const Q = logOrderParameters.map(Math.exp);
  const gradient = Q.map((q, l) => widths[l]! * (q - 1));
  const outside = { value: Infinity, gradient: new Float64Array(depth) };
  if (!Q.every((q) => q > 0 && Number.isFinite(q))) return outside;
  const { kernels, maps } = renormalisedKernels(problem, Q);
  let solve: DeepSolve;
  try {
    solve = solveDeep(problem, kernels[depth]!);
  } catch (error) {
    if (error instanceof FinitewidthError && error.code === "not-positive-definite") return outside;
    throw error;
  }
  const { factor, inverse, residual: r } = solve;
  let value = factor.logDeterminant;
  for (let l = 0; l < depth; l++) value += widths[l]! * (Q[l]! - logOrderParameters[l]!);
  for (let i = 0; i < r.length; i++) value += targets[i]! * r[i]!;
  const size = r.length;
  let adjoint = zeros(size, size);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) adjoint.data[i * size + j] = inverse.data[i * size + j]! - r[i]! * r[j]!;
  for (let l = depth - 1; l >= 0; l--) {
    const weighted = affine(weightVariance[l + 1]! * Q[l]!, adjoint);
    const slope = innerProduct(weighted, maps[l]!);
    gradient[l]! += slope;
    if (l === 0) break;
    if (closure === "product") {
      // every lower order parameter multiplies the same kernel
      for (let k = 0; k < l; k++) gradient[k]! += slope;
      break;
    }
    if (closure === "nested") adjoint = applyAdjointJacobian(activation, kernels[l]!, weighted);
    else {
      const c = problem.slopes[l]!;
      adjoint = zeros(size, size);
      for (let i = 0; i < size; i++)
        for (let j = 0; j < size; j++) adjoint.data[i * size + j] = weighted.data[i * size + j]! * c[i]! * c[j]!;
    }
  }
  return { value, gradient };
}
