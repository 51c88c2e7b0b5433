import { adjointStep, kernelMap, kernelStep } from "@finitewidth/activations";
import { FinitewidthError, zeros, type Matrix } from "@finitewidth/core";
import { affine, diagonalOf } from "@finitewidth/linalg";
import { conditionTargets, type ConditionedTargets, type ValueAndGradient } from "@finitewidth/numerics";
import type { DeepProblem } from "./deep-problem.js";

/** R¹ … R^{L+1} and the maps G_l that lead from R^l to R^{l+1} = Q_l σ_w² G_l + σ_b². */
export interface RenormalisedKernels {
  readonly kernels: readonly Matrix[];
  readonly maps: readonly Matrix[];
}

/** G_l of the closures that expand around the infinite-width kernels. */
function closureMap({ closure, hidden, slopes, kernels }: DeepProblem, below: Matrix, l: number, product: number): Matrix {
  if (closure === "product") return affine(product, hidden[l]!);
  const size = below.shape[0];
  const map = zeros(size, size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      const at = i * size + j;
      map.data[at] = hidden[l]!.data[at]! + slopes[l]![i]! * slopes[l]![j]! * (below.data[at]! - kernels[l]!.data[at]!);
    }
  }
  return map;
}

/** The renormalised kernel recursion at order parameters Q_1 … Q_L. O(L P²) kernel evaluations ("nested"), O(L P²) otherwise. */
export function renormalisedKernels(problem: DeepProblem, orderParameters: Float64Array): RenormalisedKernels {
  const { closure, activation, weightVariance, biasVariance } = problem;
  const kernels: Matrix[] = [problem.firstKernel];
  const maps: Matrix[] = [];
  let product = 1;
  for (let l = 0; l < orderParameters.length; l++) {
    const below = kernels[l]!;
    const map = closure === "nested" ? kernelMap(activation, below) : closureMap(problem, below, l, product);
    maps.push(map);
    kernels.push(affine(weightVariance[l + 1]! * orderParameters[l]!, map, biasVariance[l + 1]!));
    product *= orderParameters[l]!;
  }
  return { kernels, maps };
}

/**
 * The targets under A = T + R^{L+1}; the array that `kernel` returns is lent to the factor. @throws FinitewidthError (code
 * "not-positive-definite"). O(P³).
 */
export const solveDeep = (
  { temperature, targets }: Pick<DeepProblem, "temperature" | "targets">,
  kernel: Matrix | (() => Matrix),
): ConditionedTargets => conditionTargets(kernel, { data: targets, shape: [targets.length, 1] }, temperature, { regular: true });

/** A matrix for R^{l+1}, and the adjoint of the layers below from one at R^{l+1}, lower triangle, in place. */
interface LayerSteps {
  /** R^{l+1}: in `out`. */
  forward(below: Matrix, layer: number, product: number, orderParameter: number, out: Matrix): void;
  /** The adjoint at R^l. */
  backward(layer: number, below: Matrix, adjoint: Matrix, scale: number): void;
}

function layerSteps(problem: DeepProblem): LayerSteps {
  const { closure, activation, weightVariance, biasVariance } = problem;
  const weight = (l: number): number => weightVariance[l + 1]!;
  const bias = (l: number): number => biasVariance[l + 1]!;
  if (closure === "nested")
    return {
      forward: (below, l, _product, q, out) => {
        if (out !== below) out.data.set(below.data);
        kernelStep(activation, out, { weight: weight(l) * q, bias: bias(l) });
      },
      backward: (l, below, adjoint, scale) => adjointStep(activation, below, adjoint, scale),
    };
  const slopes = (l: number): Float64Array => problem.slopes[l]!;
  return {
    forward: (below, l, product, q, out) => {
      const map = closureMap(problem, below, l, product).data;
      const scale = weight(l) * q;
      for (let at = 0; at < map.length; at++) out.data[at] = scale * map[at]! + bias(l);
    },
    backward: (l, below, adjoint, scale) => {
      const n = below.shape[0];
      const c = slopes(l);
      for (let i = 0; i < n; i++) for (let j = 0; j <= i; j++) adjoint.data[i * n + j]! *= scale * c[i]! * c[j]!;
    },
  };
}

/**
 * R^{L+1} in an array of its own ("nested": in `room` where it is given), and the diagonals of R¹ … R^L, with two P × P arrays. O(L P²).
 */
export function readoutKernel(
  problem: DeepProblem,
  orderParameters: Float64Array,
  room?: Float64Array,
): { readonly readout: Matrix; readonly variances: Float64Array[] } {
  const steps = layerSteps(problem);
  const size = problem.targets.length;
  const variances: Float64Array[] = [];
  let below = problem.firstKernel;
  let product = 1;
  for (const [l, q] of orderParameters.entries()) {
    variances.push(diagonalOf(below));
    const inPlace = problem.closure === "nested";
    const out: Matrix = inPlace && l > 0 ? below : inPlace && room !== undefined ? { data: room, shape: below.shape } : zeros(size, size);
    steps.forward(below, l, product, q, out);
    below = out;
    product *= q;
  }
  return { readout: below, variances };
}

/** Σ A∘(B − shift) over all entries of symmetric matrices, lower triangles read. */
function lowerProduct(a: Matrix, b: Matrix, shift: number): number {
  const n = a.shape[0];
  let [off, on] = [0, 0];
  for (let i = 0; i < n; i++) {
    const row = i * n;
    for (let j = 0; j < i; j++) off += a.data[row + j]! * (b.data[row + j]! - shift);
    on += a.data[row + i]! * (b.data[row + i]! - shift);
  }
  return 2 * off + on;
}

/**
 * Action 𝒜(u) = Σ_l N_l(Q_l − log Q_l) + log det A + yᵀA⁻¹y, A = T + R^{L+1}, Q = e^u, and its gradient by the hand-written adjoint
 * R̄^{L+1} = A⁻¹ − r rᵀ; the posterior density of u is ∝ exp(−𝒜/2). Value +∞ where A is not positive definite. The function keeps its L
 * P × P arrays between evaluations, `room` the one of R^{L+1}. O(P³ + L P²) each. docs/theories/effective-action.md, "Deep networks".
 */
export function createDeepAction(problem: DeepProblem, room?: Float64Array): (logOrderParameters: Float64Array) => ValueAndGradient {
  const { widths, weightVariance, biasVariance, targets, temperature, closure } = problem;
  const depth = widths.length;
  const size = targets.length;
  const steps = layerSteps(problem);
  const readout: Matrix = { data: room ?? new Float64Array(size * size), shape: [size, size] };
  const kernels = [problem.firstKernel, ...Array.from({ length: depth - 1 }, () => zeros(size, size)), readout];
  return (logOrderParameters) => {
    const Q = logOrderParameters.map(Math.exp);
    const gradient = Q.map((q, l) => widths[l]! * (q - 1));
    const outside = { value: Infinity, gradient: new Float64Array(depth) };
    if (!Q.every((q) => q > 0 && Number.isFinite(q))) return outside;
    let product = 1;
    for (let l = 0; l < depth - 1; l++) {
      steps.forward(kernels[l]!, l, product, Q[l]!, kernels[l + 1]!);
      product *= Q[l]!;
    }
    let solve: ConditionedTargets;
    try {
      solve = solveDeep(problem, () => {
        steps.forward(kernels[depth - 1]!, depth - 1, product, Q[depth - 1]!, readout);
        return readout;
      });
    } catch (error) {
      if (error instanceof FinitewidthError && error.code === "not-positive-definite") return outside;
      throw error;
    }
    const r = solve.weights.data;
    let value = solve.logDeterminant;
    for (let l = 0; l < depth; l++) value += widths[l]! * (Q[l]! - logOrderParameters[l]!);
    value += solve.quadratic;
    const adjoint = solve.resolvent(readout.data);
    let [off, trace] = [0, 0];
    for (let i = 0; i < size; i++) {
      const [row, ri] = [i * size, r[i]!];
      for (let j = 0; j < i; j++) off += adjoint.data[row + j]! -= ri * r[j]!;
      trace += adjoint.data[row + i]! -= ri * ri;
    }
    const total = 2 * off + trace;
    // Σ R̄∘(R^{L+1} − b) with R^{L+1} = A − T, of which no copy is left: tr(R̄A) = P − yᵀr, on the directions that R̄ holds
    let slope = solve.directions - temperature * trace - biasVariance[depth]! * total;
    for (let i = 0; i < size; i++) slope -= targets[i]! * r[i]!;
    for (let l = depth - 1; l >= 0; l--) {
      gradient[l]! += slope;
      if (l === 0) break;
      if (closure === "product") {
        // every lower order parameter multiplies the same kernel
        for (let k = 0; k < l; k++) gradient[k]! += slope;
        break;
      }
      steps.backward(l, kernels[l]!, adjoint, weightVariance[l + 1]! * Q[l]!);
      slope = lowerProduct(adjoint, kernels[l]!, biasVariance[l]!);
    }
    return { value, gradient };
  };
}

/** One evaluation of `createDeepAction`. O(P³ + L P²). */
export const deepAction = (problem: DeepProblem, logOrderParameters: Float64Array): ValueAndGradient =>
  createDeepAction(problem)(logOrderParameters);
