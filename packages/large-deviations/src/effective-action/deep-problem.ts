import {
  FinitewidthError,
  inputError,
  shapeError,
  withLazy,
  type Activation,
  type InfiniteWidthKernels,
  type Matrix,
} from "@finitewidth/core";
import { firstLayerKernel, fullyConnectedKernels, requireFiniteKernel, type DenseChain } from "@finitewidth/kernels";
import { diagonalOf } from "@finitewidth/linalg";
import { finiteSlopes } from "./finite-slopes.js";
import { checkParameters } from "./scalar-problem.js";

/**
 * How order parameters enter the kernel recursion; all agree at Q = 1 and for φ = identity.
 * - "nested" (the default, and the literature's): R^{l+1} = Q_l σ_w² G(R^l) + σ_b².
 * - "product": R^{L+1} = (Π Q_l) K^{L+1}, without biases in layers 2 … L + 1. Equals "nested" for degree-1 activations.
 * - "affine": R^{l+1} = Q_l σ_w² [G(K^l) + C_l∘(R^l − K^l)] + σ_b², C_l = E φ′ E φ′ᵀ: only the linear Hermite component of φ carries the
 *   coherent fluctuation, the rest self-averages.
 */
export type Closure = "nested" | "product" | "affine";

/** Data of the effective action of a deep fully connected net with one output. */
export interface DeepProblem {
  readonly activation: Activation;
  /** N_1 … N_L. */
  readonly widths: readonly number[];
  /** σ_w² and σ_b² of layers 1 … L + 1. */
  readonly weightVariance: readonly number[];
  readonly biasVariance: readonly number[];
  readonly closure: Closure;
  readonly temperature: number;
  /** y: P numbers. */
  readonly targets: Float64Array;
  /** K¹. */
  readonly firstKernel: Matrix;
  /** K¹ … K^{L+1} at infinite width; this and what follows is computed when it is read, which "nested" never does. */
  readonly kernels: readonly Matrix[];
  /** G¹ … G^L at infinite width. */
  readonly hidden: readonly Matrix[];
  /** E φ′(h) at the infinite-width variances of layers 1 … L: P numbers each. */
  readonly slopes: readonly Float64Array[];
}

export interface DeepInput {
  readonly chain: DenseChain;
  /** X: P × N0. */
  readonly inputs: Matrix;
  readonly targets: Float64Array;
  /** T ≥ 0; T = 0 needs a positive definite kernel. */
  readonly temperature: number;
  /** @defaultValue "nested" */
  readonly closure?: Closure;
}

/** Duplicate (or parallel) inputs make E φ′φ′ of a discontinuous activation infinite off the diagonal. */
function hasParallelPair(kernel: Matrix): boolean {
  const size = kernel.shape[0];
  const variances = diagonalOf(kernel);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      const product = variances[i]! * variances[j]!;
      if (kernel.data[i * size + j]! ** 2 >= product * (1 - 1e-14) && product > 0) return true;
    }
  }
  return false;
}

/** Biases in layers 2 … L: they break the homogeneity of the recursion. */
export const hasHiddenBias = (biasVariance: readonly number[]): boolean => biasVariance.slice(1, -1).some((value) => value > 0);

/**
 * Infinite-width recursion and checks. O(L P²) kernel evaluations. @throws FinitewidthError (code "input" or "shape") for a wrong number of
 * variances, negative ones, T < 0, kernels that are not finite, closure "product" with biases in layers 2 … L + 1, and a discontinuous
 * activation with hidden biases and parallel inputs.
 */
export function createDeepProblem(input: DeepInput): DeepProblem {
  const { chain, inputs, targets, temperature, closure = "nested" } = input;
  const { activation, widths, weightVariance, biasVariance } = chain;
  const depth = widths.length;
  for (const [name, values] of [
    ["weightVariance", weightVariance],
    ["biasVariance", biasVariance],
  ] as const) {
    if (values.length !== depth + 1) throw shapeError(`network.${name}`, `${depth + 1} numbers (one per weight layer)`, `${values.length}`);
  }
  if (targets.length !== inputs.shape[0])
    throw shapeError("targets", `${inputs.shape[0]} numbers, like the rows of inputs`, `${targets.length}`);
  for (const width of widths) checkParameters(temperature, width, 0);
  for (const value of [...weightVariance, ...biasVariance])
    if (!(value >= 0 && Number.isFinite(value))) throw inputError("network", "variances ≥ 0", value);
  if (closure === "product" && biasVariance.slice(1).some((value) => value > 0)) {
    throw inputError("closure", `"nested" or "affine" for a network with biases in layers 2 … L + 1`, "product");
  }
  const firstKernel = firstLayerKernel(chain, inputs);
  let variances = diagonalOf(firstKernel);
  for (let l = 0; l < depth; l++)
    variances = variances.map((k) => weightVariance[l + 1]! * activation.moments.diagonal(k) + biasVariance[l + 1]!);
  requireFiniteKernel({ data: variances, shape: [variances.length, 1] }, inputs);
  let all: InfiniteWidthKernels | undefined;
  const infinite = (): InfiniteWidthKernels => (all ??= fullyConnectedKernels(chain, inputs));
  const kernels = (): readonly Matrix[] => infinite().preactivation;
  if (
    closure === "nested" &&
    !activation.smooth &&
    activation.degree === 0 &&
    depth > 1 &&
    hasHiddenBias(biasVariance) &&
    kernels().slice(1, -1).some(hasParallelPair)
  ) {
    throw new FinitewidthError(
      `inputs: expected no duplicate (or parallel) rows for the discontinuous activation "${activation.name}" in a deep network with hidden biases: the kernel's derivative diverges there; remove duplicates or use closure "affine"`,
      { code: "input", path: "inputs" },
    );
  }
  return withLazy(
    { activation, widths, weightVariance, biasVariance, closure, temperature, targets, firstKernel },
    {
      kernels,
      hidden: () => infinite().hidden,
      slopes: () =>
        kernels()
          .slice(0, depth)
          .map((kernel) => finiteSlopes(activation, diagonalOf(kernel))),
    },
  );
}
